"""The generated programs: short, deterministic, inert, and running where detc cannot be imported."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detc.codegen.folder import write
from detc.codegen.manifest import facts_of
from detc.codegen.project import project_files
from detc.compilation import compile_spec
from detc.semantics.lock import lock_of

ROOT = Path(__file__).parents[3]

TINY = """
data shapes = {data}

block cr(x, c) = x |> conv(c, k = 3x3) |> relu |> maxpool(2x2)

model tiny extends detector {{
  input frame: u8[3, 64, 64] = camera(order = bgr)
  output grid = frame |> cr(8) |> cr(8) |> cr(8) |> conv(2 * 5 + len(shapes.classes), k = 3x3) |> relu
  head gnetdet on grid {{ boxes = 2  classes = len(shapes.classes) }}
}}

train steps on tiny {{
  data = shapes
  optimizer = adamw(lr = 1e-3)
  batch = 4
  stage first  {{ epochs = 1 }}
  stage second {{ start = first.last  epochs = 1  lr = 1e-4 }}
}}
"""


def project_of(spec: Path, target: str | None = None, **sets: str) -> tuple[dict[str, str], dict[str, Any]]:
    done = compile_spec(spec, target, sets)
    assert done.model is not None and done.graph is not None and done.fits, done.findings
    lock = lock_of(done.program, done.model, done.graph, done.program.target, done.plan)
    return project_files(done.program, done.model, lock), lock


SYNTHETIC = 'data.synthetic(classes = ["disc", "square"], train = 12 images, val = 4 images)'
VOC = 'data.voc(root = path("data"), classes = {}, train = "train", val = "val")'


def tiny(folder: Path, data: str = SYNTHETIC) -> Path:
    folder.mkdir(exist_ok=True)
    spec = folder / "tiny.det"
    spec.write_text(TINY.format(data=data), encoding="utf-8")
    return spec


def test_files_of_a_build_for_a_target() -> None:
    files, lock = project_of(ROOT / "specs" / "gnetdet224.det", "gti5801")
    assert sorted(files) == [
        "README.md", "evaluate.py", "export.py", "model.py", "requirements.txt", "spec.lock.json", "train.py",
    ]  # fmt: skip
    assert json.loads(files["spec.lock.json"]) == lock
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in files.values())
    for name in ("train.py", "evaluate.py", "export.py"):
        assert len(files[name].splitlines()) <= 22, name


def test_golden_train_and_readme(golden: Callable[[str, str], None]) -> None:
    files, _ = project_of(ROOT / "specs" / "gnetdet224.det", "gti5801")
    golden("codegen/gnetdet224_train.py.txt", files["train.py"])
    golden("codegen/gnetdet224_README.md.txt", files["README.md"])


def test_equal_for_equal_specs(tmp_path: Path) -> None:
    """In another process with another hash seed too."""
    spec = tiny(tmp_path)
    code = (
        "import sys, json; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from test_project import project_of; print(json.dumps(project_of(Path(sys.argv[1]))[0]))"
    )
    outputs = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", code, str(spec), str(Path(__file__).parent)]
        outputs.add(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == project_of(spec)[0]


def test_no_stages_no_programs(tmp_path: Path) -> None:
    spec = tiny(tmp_path)
    text = spec.read_text()
    spec.write_text(text[: text.index("train steps")])
    assert sorted(project_of(spec)[0]) == ["README.md", "model.py", "requirements.txt", "spec.lock.json"]


def test_programs_import_detrt_and_no_detc() -> None:
    files, _ = project_of(ROOT / "specs" / "gnetdet224.det", "gti5801")
    for name, text in files.items():
        if not name.endswith(".py"):
            continue
        modules = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
        assert modules <= {"torch", "collections", "pathlib", "detrt", "model"}, name


HOSTILE = json.dumps(['a"b', "'''", '"""', "x\\\\", "${x}", "{y}", "__import__('os').abort()", "a|b", "| `a` |"])


def test_class_names_never_become_code(tmp_path: Path) -> None:
    """They stand in the lock and the README as data; the programs do not know them at all."""
    plain, _ = project_of(tiny(tmp_path / "a", VOC.format('["a", "b", "c", "d", "e", "f", "g", "h", "i"]')))
    files, lock = project_of(tiny(tmp_path / "b", VOC.format(HOSTILE)))
    assert len(lock["data"]["shapes"]["classes"]) == 9
    for name in files:
        if name.endswith(".py"):
            assert files[name] == plain[name]
    assert files["spec.lock.json"].isascii() and json.loads(files["spec.lock.json"]) == lock
    rows = files["README.md"].splitlines()
    assert len(rows) == len(plain["README.md"].splitlines())


def test_a_model_that_is_derived_from_another(tmp_path: Path) -> None:
    """Both are trained, so both have a class; the built one is in model.py."""
    spec = tiny(tmp_path)
    head, tail = spec.read_text().split("train steps")
    second = "model half = prune(tiny, channels = 1 / 2, keep = [grid])\n"
    third = "train more on half { data = shapes  batch = 4  stage last { epochs = 1 } }\n"
    spec.write_text(f"{head}{second}train steps{tail}{third}")
    files, lock = project_of(spec)
    assert {"model.py", "model_tiny.py"} <= set(files)
    assert 'main({"half": Tiny, "tiny": Tiny2}, LOCK)' in files["train.py"]
    assert "from model_tiny import Tiny as Tiny2" in files["train.py"]
    assert lock["model"]["name"] == "half"


def test_odd_file_names(tmp_path: Path) -> None:
    """The spec's file name is read in many places and is code in none."""
    plain = project_of(tiny(tmp_path))[0]
    odd = tmp_path / 'x"""\nraise SystemExit(1)\n""" | `a` {name}\u202e.det'
    odd.write_text(tiny(tmp_path).read_text())
    files, _ = project_of(odd)
    for name in files:
        if name.endswith(".py"):
            ours, theirs = ast.parse(files[name]), ast.parse(plain[name])
            kinds = [[type(n).__name__ for n in ast.walk(tree)] for tree in (ours, theirs)]
            assert kinds[0] == kinds[1], name
        assert "\u202e" not in files[name]


@pytest.mark.long
def test_runs_with_detc_blocked(tmp_path: Path) -> None:
    """Training, evaluation and `--help` of every program, where `import detc` fails."""
    pytest.importorskip("torch")
    files, lock = project_of(tiny(tmp_path))
    out = tmp_path / "build"
    assert not write(out, files, facts_of(lock)).findings
    blocked = tmp_path / "blocked"
    (blocked / "detc").mkdir(parents=True)
    (blocked / "detc" / "__init__.py").write_text("raise ImportError('detc is blocked')\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(blocked), str(ROOT / "runtime")]), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for name in ("train.py", "evaluate.py"):
        assert "--help" in run(str(out / name), "--help")
    run(str(out / "train.py"), "--workers", "0", "--name", "one", "--device", "cpu")
    assert list((out / "runs" / "one").rglob("*.safetensors"))
    assert "map50" in run(str(out / "evaluate.py"), "--workers", "0", "--device", "cpu").lower()
