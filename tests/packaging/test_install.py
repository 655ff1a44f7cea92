"""The package as a user gets it: a wheel from the tree and a wheel from the sdist, each used from an empty folder."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long

ENVIRONMENT = """
import sys
from pathlib import Path
from detc.targets.loihi2.environment import checkout, lock_file
from detc.targets.loihi2.own_wheel import wheel_of_installation
assert checkout() is None
out = Path(sys.argv[1]) / "again"
out.mkdir()
print(lock_file())
print(wheel_of_installation("detc", out))
"""
"""What `detc env loihi2` takes from an installed detc."""


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DETC"))}
    if path:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)


def build(kind: str, source: Path, out: Path) -> Path:
    done = run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, source, cwd=out)
    assert done.returncode == 0, done.stdout + done.stderr
    return max(out.iterdir(), key=lambda p: p.stat().st_mtime)


def clean_copy(folder: Path) -> Path:
    """The tracked files as they stand, in a path with a space: nothing that only this checkout has can help."""
    target = folder / "a clean copy"
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    for name in filter(None, names):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())
    return target


@pytest.mark.parametrize("through_sdist", [False, True], ids=["wheel", "sdist-wheel"])
def test_wheel_checks_a_library_spec_from_an_empty_folder(tmp_path: Path, through_sdist: bool) -> None:
    source = clean_copy(tmp_path)
    out, empty, site = tmp_path / "out", tmp_path / "empty", tmp_path / "site"
    out.mkdir(), empty.mkdir()
    if through_sdist:
        archive = build("sdist", source, out)
        assert run("tar", "xf", archive, cwd=out).returncode == 0
        source = next(p for p in out.iterdir() if p.is_dir())
    wheel = build("wheel", source, out)
    done = run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=empty)
    assert done.returncode == 0, done.stderr

    where = run(sys.executable, "-c", "import detc, detrt; print(detc.__file__, detrt.__file__)", cwd=empty, path=site)
    assert where.stdout.count(str(site)) == 2, where.stdout + where.stderr
    assert (site / "detc" / "syntax" / "_tables.py").is_file(), "the parse tables are made at build time"

    check = run(sys.executable, "-m", "detc", "check", "gnetdet448", "--target", "gti5801", cwd=empty, path=site)
    assert check.returncode == 0, check.stdout + check.stderr
    assert "6,525,278" in check.stdout
    assert not list(empty.iterdir()), "a check writes nothing"

    again = run(sys.executable, "-c", ENVIRONMENT, out, cwd=empty, path=site)
    assert again.returncode == 0, again.stderr
    lock, remade = map(Path, again.stdout.splitlines())
    assert lock.is_relative_to(site), "what the lava environment is made from is part of the package"
    with ZipFile(wheel) as given, ZipFile(remade) as made:
        assert sorted(given.namelist()) == sorted(made.namelist())
