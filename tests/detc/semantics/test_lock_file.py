"""spec.lock.json: valid by its schema, the same every time, and its graph comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from spec_texts import DATA, MODEL, program_of

from detc.compilation import compile_program
from detc.ir.text import print_graph
from detc.semantics import lock as lock_module
from detc.semantics.lock import lock_of, program_graph_from_lock

jsonschema = pytest.importorskip("jsonschema")

SCHEMA = Path(lock_module.__file__).parents[1] / "ir" / "lock.schema.json"
STAGED = f"""{MODEL}{DATA}
data shots = data.images(root = path("shots"))
model half = prune(tiny, channels = 1 / 2)
train steps on tiny {{
  data = cells
  augment = [flip(0.5), hsv(0.5), scale(0.8 .. 1.2), shift(0.2), crop(0.6 .. 1.0), blur()]
  stage float   {{ epochs = 9  schedule = cosine(warmup = 1 epochs, floor = 0.01)  ema = 0.99  early_stop = 3 epochs }}
  stage weights {{ start = float.best  quantize weights = masks  epochs = 8  rescale = 64 images }}
  stage measure {{ start = weights.best  calibrate caps = percentile(99, choose = [99, 99.9])  images = 5  data = shots }}
  stage acts    {{ start = weights.best  quantize activations = measure.caps  epochs = 8  freeze = p4 for_epochs = 2 }}
  stage chip    {{ start = acts.best  quantize folded = u5  epochs = 5  schedule = multistep(at = [2 epochs, 4 epochs])
    require drop(map50, since = float) <= 10 % else "too much" }}
}}
require params <= 1e6
deploy stick on gti5801 {{ model = tiny  require weight_bytes <= 6.25 MiB }}
"""


def lock_at(folder: Path, text: str = STAGED, target: str | None = None, **sets: str) -> dict[str, Any]:
    program = program_of(folder, text, {name.replace("_", "."): value for name, value in sets.items()}, target)
    done = compile_program(program, target)
    assert done.model is not None and done.graph is not None
    assert not [f for f in done.findings if f.level == "error"]
    return lock_of(program, done.model, done.graph, program.target, done.plan)


@pytest.mark.parametrize("target", [None, "gti5801"])
def test_it_is_valid_and_plain(tmp_path: Path, target: str | None) -> None:
    lock = lock_at(tmp_path, target=target)
    text = json.dumps(lock)
    assert json.loads(text) == lock  # no tuples, no keys that JSON would change
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(lock)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("model", "nodes", 0, "shape"), [3, 0, 28]),
        (("stages", 0, "optimizer", "name"), "lion"),
        (("stages", 0, "epochs"), 0),
        (("stages", 0, "surprise"), 1),
        (("gates", 0, "condition"), {"eval": "1"}),
        (("data", "cells", "classes"), []),
    ],
)
def test_the_schema_notices_what_is_wrong(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    lock: Any = lock_at(tmp_path)
    part = lock
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not validator.is_valid(lock)


def test_the_graph_comes_back(tmp_path: Path) -> None:
    program = program_of(tmp_path, STAGED)
    done = compile_program(program, None)
    assert done.model is not None and done.graph is not None
    lock = json.loads(json.dumps(lock_of(program, done.model, done.graph, None, None)))
    again = program_graph_from_lock(lock)
    assert print_graph(again) == print_graph(done.graph)
    assert [n.span.line for n in again if n.span] == [n.span.line for n in done.graph if n.span]
    assert print_graph(program_graph_from_lock(lock, "half")) == print_graph(program.models["half"].graph)


@pytest.mark.parametrize(
    "damage", [{"schema": 2}, {}, {"schema": 1, "model": {"name": "x", "outputs": {}, "nodes": [{}]}}]
)
def test_what_is_no_lock_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        program_graph_from_lock(damage)


def test_it_does_not_depend_on_where_the_spec_lies(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert json.dumps(lock_at(tmp_path / "one")) == json.dumps(lock_at(tmp_path / "two"))


@pytest.mark.long
def test_two_processes_write_the_same(tmp_path: Path) -> None:
    program_of(tmp_path, STAGED)
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom detc.compilation import compile_spec\n"
        "from detc.semantics.lock import lock_of\nc = compile_spec(Path(sys.argv[1]), 'gti5801')\n"
        "print(json.dumps(lock_of(c.program, c.model, c.graph, c.program.target, c.plan)))"
    )
    path = str(tmp_path / "mine.det")
    runs = []
    for seed in ("1", "2"):
        environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed}
        runs.append(
            subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, env=environment)
        )
    assert runs[0].stdout == runs[1].stdout


def test_params_overrides_and_data_are_told(tmp_path: Path) -> None:
    lock = lock_at(tmp_path, train_steps_chip_lr="1e-6", classes="2", data_cells_root="/mnt/cells")
    assert lock["spec"]["params"] == {"classes": 2}
    assert lock["spec"]["overrides"] == {"train.steps.chip.lr": 1e-6, "classes": 2, "data.cells.root": "/mnt/cells"}
    assert lock["data"]["cells"]["root"] == "/mnt/cells"
    assert lock["model"]["heads"][0]["options"]["names"] == ["red", "white"]
    assert lock["spec"]["file"] == "mine.det" and lock["model"]["class"] == "Mine"


def test_the_target_names_the_encoding_of_its_input(tmp_path: Path) -> None:
    assert lock_at(tmp_path, target="gti5801")["model"]["input"]["encoding"] == {"kind": "u5"}
    plain = lock_at(tmp_path, MODEL + DATA)["model"]["input"]["encoding"]
    assert plain["kind"] == "affine" and len(plain["mean"]) == len(plain["std"]) == 3


def test_verdicts_reach_the_lock(tmp_path: Path) -> None:
    lock = lock_at(tmp_path, target="gti5801")
    assert [gate["verdict"] for gate in lock["gates"]] == ["passed", "passed"]
    assert lock["stages"][-1]["gates"][0]["verdict"] == "unjudged"


def test_the_runtime_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("pydantic")
    from detrt.lock import parse_lock

    lock = parse_lock(lock_at(tmp_path, target="gti5801"))
    assert [stage.id for stage in lock.stages] == [
        "steps.float", "steps.weights", "steps.measure", "steps.acts", "steps.chip",
    ]  # fmt: skip
