"""The lava environment: pinned by hash, whole or not there, and told in one sentence where it cannot be made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from detc.cli import main
from detc.targets.loihi2 import environment
from detc.targets.loihi2.own_wheel import wheel_of_installation

ROOT = Path(__file__).parents[3]


def made(folder: Path, stamp: str | None) -> Path:
    """A folder that looks like an environment."""
    program = environment.program_in(folder)
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    if stamp is not None:
        (folder / environment.STAMP).write_text(stamp)
    return folder


def test_every_package_is_pinned_by_version_and_hash():
    pins = re.sub(r"\s*\\\n\s*", " ", environment.lock_file().read_text())
    lines = [line for line in pins.splitlines() if not line.startswith("#")]
    assert {"lava-dl==0.6.0", "lava-nc==0.10.0", "numpy==1.26.4"} <= {line.split(" ")[0] for line in lines}
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line), line


def test_torch_is_that_of_the_ordinary_environment():
    assert f"TORCH  := torch=={environment.TORCH}\n" in (ROOT / "Makefile").read_text()


def test_all_that_detrt_needs_is_pinned():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    names = {re.split(r"[<>=]", entry)[0].lower() for entry in wanted} - {"torch"}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", environment.lock_file().read_text(), re.MULTILINE))
    assert names <= pinned


def test_what_others_made_is_not_touched(tmp_path, capsys):
    folder = made(tmp_path / "mine", None)
    assert main(["env", "loihi2", "--into", str(folder)]) == 1
    assert f"{folder} is there, and `detc env` has not made it" in capsys.readouterr().err
    assert environment.program_in(folder).exists()


def test_a_python_that_does_not_fit_is_named(tmp_path, capsys):
    other = tmp_path / "python9"
    other.write_text("#!/bin/sh\necho 9.1\n")
    other.chmod(0o755)
    assert main(["env", "loihi2", "--into", str(tmp_path / "env"), "--python", str(other)]) == 1
    assert f"lava-dl needs Python 3.11 with its module venv: `{other}` is Python 9.1" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [other]


def test_check_says_what_is_missing(tmp_path, capsys):
    assert main(["env", "loihi2", "--into", str(tmp_path), "--check"]) == 1
    assert "there is no environment at" in capsys.readouterr().err


def test_other_targets_need_none(capsys):
    assert main(["env", "stm32"]) == 1
    assert "`stm32` has no environment of its own" in capsys.readouterr().err


def test_scripts_of_a_moved_environment_name_its_new_place(tmp_path):
    old = made(tmp_path / "env.1.tmp", "{}")
    (old / "bin/tool").write_text(f"#!{old}/bin/python\n")
    place = made(tmp_path / "env", "{}")
    (place / "old").touch()
    environment._move(old, place)
    assert (place / "bin/tool").read_text() == f"#!{place}/bin/python\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env"] and not (place / "old").exists()


def test_leftovers_of_killed_makers_go_away(tmp_path):
    place = tmp_path / "env"
    for name in ("env.4194305.tmp", "env.4194305.old", f"env.{os.getpid()}.tmp", "env.mine", "env.7.mine"):
        (tmp_path / name).mkdir()
    environment._clear_leftovers(place)
    assert {path.name for path in tmp_path.iterdir()} == {"env.7.mine", f"env.{os.getpid()}.tmp", "env.mine"}


@pytest.mark.long
def test_an_installed_package_becomes_a_wheel_again(tmp_path):
    wheel = wheel_of_installation("iniconfig", tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert any(name.endswith(".dist-info/METADATA") for name in names)
    assert names[-1].endswith(".dist-info/RECORD") and len(names) == len(set(names))
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--target",
        str(tmp_path / "in"),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    assert (tmp_path / "in/iniconfig/__init__.py").is_file()


@pytest.mark.long
def test_without_an_index_nothing_is_left(tmp_path, capfd, monkeypatch):
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    python = ["--python", sys.executable] if sys.version_info[:2] == environment.PYTHON else []
    assert main(["env", "loihi2", "--into", str(tmp_path / "env"), *python]) == 1
    said = capfd.readouterr()
    if "needs Python 3.11" in said.err:
        pytest.skip("needs Python 3.11 with its module venv")
    assert said.out.splitlines()[-1].startswith("2/5 ")
    assert "constraints-loihi.txt names cannot be installed: Could not find a version" in said.err
    assert "package index" in said.err
    assert list(tmp_path.iterdir()) == []
