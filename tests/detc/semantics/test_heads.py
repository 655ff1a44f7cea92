"""Every kind of head: what it derives from its tensors, and what it says of tensors that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from spec_texts import codes, errors, program_of, under

from detc.compilation import compile_program
from detc.semantics import lock as lock_module
from detc.semantics.elaborate import elaborate
from detc.semantics.lock import lock_of
from detc.semantics.schema.heads import HEADS

IMAGE = 64
FRAME = f"input frame: u8[3, {IMAGE}, {IMAGE}] = camera(order = rgb)"
TRUNK = """
  let p3 = frame |> conv(4, s = 2) |> conv(4, s = 2) |> conv(4, s = 2)
  let p4 = p3 |> conv(4, s = 2)
  let p5 = p4 |> conv(4, s = 2)
  let all = [p3, p4, p5]
"""
BODIES = {
    "gnetdet": "output y = p4 |> conv(13)\nhead gnetdet on y { classes = 3 }",
    "yolo_v1": "output y = p5 |> flatten |> linear(4 * 13)\nhead yolo_v1 on y { grid = p5  classes = 3 }",
    "yolo_v2": "output y = p5 |> conv(16)\nhead yolo_v2 on y { anchors = [(1, 2), (0.5, 0.25)]  classes = 3 }",
    "yolo_v3": "output y = [p5 |> conv(16), p4 |> conv(8)]\n"
    "head yolo_v3 on y { anchors = [(5, 7), (9, 9), (30, 20)]  masks = [[1, 2], [0]]  classes = 3 }",
    "yolo_sdnn": "output y = p5 |> conv(16)\nhead yolo_sdnn on y { anchors = [(0.28, 0.22), (0.38, 0.48)]  classes = 3 }",
    "ssd": "let pr = ssd.priors(image = 64, levels = [{grid: 4, step: 16, min: 10, max: 20, ratios: [2, 3]},"
    " {grid: 2, step: 32, min: 20, max: 40, ratios: [2]}])\n"
    "output loc = [p4 |> conv(24), p5 |> conv(16)]\noutput conf = [p4 |> conv(24), p5 |> conv(16)]\n"
    "head ssd on loc, conf { priors = pr }",
    "yolox": "output box = [f |> conv(4) for f in all]\noutput obj = [f |> conv(1) for f in all]\n"
    "output cls = [f |> conv(3) for f in all]\nhead yolox on box, obj, cls { strides = [8, 16, 32] }",
    "nanodet": "output y = [f |> conv(3 + 4 * 8) for f in all]\nhead nanodet on y { strides = [8, 16, 32]  classes = 3 }",
    "softmax": "output y = p5 |> avgpool(global = true) |> flatten |> linear(3)\nhead softmax on y { }",
}


def spec(body: str) -> str:
    return f"model m extends detector {{\n{FRAME}\n{TRUNK}\n{body}\n}}\n"


def options(folder: Path, body: str) -> dict[str, Any]:
    program = program_of(folder, spec(body))
    assert codes(program) == []
    return program.models["m"].heads[0].options


def test_every_kind_has_a_body_here() -> None:
    assert BODIES.keys() == HEADS.keys()


@pytest.mark.parametrize("kind", BODIES)
def test_a_head_knows_its_classes_and_its_picture_and_comes_back_from_the_lock(tmp_path: Path, kind: str) -> None:
    program = program_of(tmp_path, spec(BODIES[kind]))
    assert codes(program) == []
    done = compile_program(program, None)
    assert done.model is not None and done.graph is not None
    lock = lock_of(program, done.model, done.graph, None, None)
    (head,) = lock["model"]["heads"]
    assert (head["kind"], head["options"]["classes"], head["options"]["image"]) == (kind, 3, [IMAGE, IMAGE])
    assert json.loads(json.dumps(lock)) == lock
    jsonschema = pytest.importorskip("jsonschema")
    schema = Path(lock_module.__file__).parents[1] / "ir" / "lock.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(lock)] == []


def test_what_heads_derive(tmp_path: Path) -> None:
    assert options(tmp_path, BODIES["yolo_v2"])["anchors"] == [[[1, 2], [0.5, 0.25]]]
    shared = "output y = [p4 |> conv(8), p5 |> conv(8)]\nhead yolo_v2 on y { anchors = [(0.5, 0.5)] unit = image classes = 3 }"
    assert options(tmp_path, shared)["anchors"] == [[[0.5, 0.5]], [[0.5, 0.5]]]
    own = shared.replace("[(0.5, 0.5)]", "[[(1, 1)], [(2, 2)]]")
    assert options(tmp_path, own)["anchors"] == [[[1, 1]], [[2, 2]]]
    assert options(tmp_path, BODIES["yolo_v1"])["grid"] == [2, 2]
    assert options(tmp_path, BODIES["yolox"].replace("strides = [8, 16, 32]", ""))["strides"] == [8, 16, 32]
    assert options(tmp_path, BODIES["nanodet"].replace("classes = 3", ""))["classes"] == 3
    assert options(tmp_path, BODIES["ssd"])["priors"] == {
        "image": 64,
        "levels": [
            {"grid": 4, "step": 16, "min": 10, "max": 20, "ratios": [2, 3]},
            {"grid": 2, "step": 32, "min": 20, "max": 40, "ratios": [2]},
        ],
    }


def test_the_channels_of_a_softmax_may_stand_in_a_map_of_one_cell(tmp_path: Path) -> None:
    assert (
        options(tmp_path, "output y = p5 |> avgpool(global = true) |> conv(7)\nhead softmax on y { }")["classes"] == 7
    )


@pytest.mark.parametrize("word", ["none", '"none"', "linear"])
def test_soft_takes_each_word_that_its_help_lists(tmp_path: Path, word: str) -> None:
    body = BODIES["gnetdet"].replace("{ ", f"{{ soft = {word}  ")
    assert options(tmp_path, body)["soft"] == word.strip('"')


WRONG = [
    ("yolo_v1", "4 * 13", "50", "HED117", "50 features; a yolo_v1 head with these options reads 2 * 2 * (2 * 5 + 3) = 52"),
    ("yolo_v1", "grid = p5 ", "", "HED115", "`grid` takes a tensor"),
    ("yolo_v1", "|> flatten |> linear(4 * 13)", "|> conv(13)", "HED116", "is f32[13, 2, 2]; a yolo_v1 head reads a vector"),
    ("yolo_v2", "conv(16)", "conv(15)", "HED112", "15 channels; a yolo_v2 head with these options reads 2 * (5 + 3) = 16"),
    ("yolo_v2", "(0.5, 0.25)", "(0.5, 0)", "HED102", "`anchors` takes a list of pairs (width, height) above 0"),
    ("yolo_v2", "anchors", "anchor", "HED101", "has no key `anchor`"),
    ("yolo_v2", "classes = 3", "classes = 3 grid = p5", "HED101", "a yolo_v2 head has no key `grid`"),
    ("yolo_v3", "[0]]", "[3]]", "HED120", "`masks` asks for anchor 3; there are 3"),
    ("yolo_v3", "[[1, 2], [0]]", "[[1, 2]]", "HED118", "`masks` has 1 entries for the 2 maps of `y`"),
    ("yolo_v3", "conv(8)", "conv(9)", "HED112", "`y[1]` has 9 channels; a yolo_v3 head with these options reads 1 * (5 + 3)"),
    ("yolo_sdnn", "classes = 3", "classes = 3 clamp = 0", "HED102", "`clamp` takes"),
    ("ssd", "grid: 2", "grid: 3", "HED121", "`loc[1]` is 2x2; its priors are made for a grid of 3x3"),
    ("ssd", "image = 64", "image = 300", "HED122", "the priors are made for pictures of 300 x 300; the input is 64 x 64"),
    ("ssd", "loc = [p4 |> conv(24)", "loc = [p4 |> conv(25)", "HED112", "`loc[0]` has 25 channels; a ssd head with these options"
     " reads 6 * 4 = 24"),
    ("ssd", "conf = [p4 |> conv(24), p5 |> conv(16)]", "conf = [p4 |> conv(24), p5 |> conv(17)]", "HED112",
     "`conf[1]` has 17 channels; a ssd head with these options reads 4 * (3 + 1) = 16"),
    ("ssd", "conf = [p4 |> conv(24)", "conf = [p4 |> conv(25)", "HED124", "`conf[0]` has 25 channels; no number of classes"),
    ("ssd", "conf = [p4 |> conv(24), p5 |> conv(16)]", "conf = [p4 |> conv(24)]", "HED119", "`conf` has 1 maps, `loc` 2"),
    ("ssd", "conf = [p4 |> conv(24), p5", "conf = [p4 |> conv(24), p4", "HED119", "`conf[1]` has 4x4 cells, `loc[1]` 2x2"),
    ("ssd", "on loc, conf", "on loc", "HED111", "a ssd head reads 2 outputs (loc, conf), and is put on loc"),
    ("ssd", "on loc, conf", "on conf, loc", "HED125", "conf, loc stand in another order than a ssd head reads them"),
    ("yolox", "8, 16, 32", "8, 16, 30", "HED123", "`box[2]` is 2x2; at stride 30 a picture of 64x64 gives 3x3"),
    ("yolox", "8, 16, 32", "8, 16", "HED118", "`strides` has 2 entries for the 3 maps of `box`"),
    ("yolox", "conv(1) for", "conv(2) for", "HED112", "`obj[0]` has 2 channels; a yolox head with these options reads 1"),
    ("nanodet", "classes = 3", "classes = 3 reg_max = 8", "HED112", "35 channels; a nanodet head with these options reads "
     "3 + 4 * (8 + 1) = 39"),
    ("softmax", "{ }", "{ classes = 4 }", "HED117", "`y` has 3 features; a softmax head with these options reads 4"),
    ("softmax", "avgpool(global = true) |> flatten |> linear(3)", "conv(3)", "HED116", "a softmax head reads a vector"),
    ("softmax", "{ }", "{ names = [\"a\"] }", "HED114", "the head has 3 classes and 1 names"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "new", "code", "message"), WRONG)
def test_each_misfit_is_told(tmp_path: Path, kind: str, old: str, new: str, code: str, message: str) -> None:
    assert old in BODIES[kind]
    program = program_of(tmp_path, spec(BODIES[kind].replace(old, new)))
    found = errors(program)
    assert found and (code == "HED101" or {finding.code for finding in found} == {code})
    assert any(finding.code == code and message in finding.message for finding in found), [f.message for f in found]


def test_a_misfit_shows_the_layer_and_the_options(tmp_path: Path) -> None:
    program = program_of(tmp_path, spec(BODIES["nanodet"].replace("3 + 4 * 8", "34")))
    assert len(errors(program)) == 3
    finding = errors(program)[0]
    assert under(program, finding) == "y"
    assert [related.label for related in finding.related] == ["classes = 3", "gives 34 channels"]
    assert finding.help == "give the last layer 35 channels, or change classes and reg_max"


def test_a_wrong_grid_names_the_priors_to_write(tmp_path: Path) -> None:
    text = BODIES["ssd"].replace("grid: 2", "grid: 3")
    finding = errors(program_of(tmp_path, spec(text)))[0]
    assert finding.help == "write `image: 64` and `grid: 2` in level 1 of `ssd.priors`, with steps and sizes to match"


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ("[]", "it needs `image` (pixels) and `levels`"),
        ("[{grid: 4, step: 16, min: 10, max: 20}]", "level 0 needs exactly grid, step, min, max, ratios"),
        ("[{grid: 4.5, step: 16, min: 10, max: 20, ratios: [2]}]", "level 0 has a grid that is no whole number"),
        ("[{grid: 4, step: 16, min: 30, max: 20, ratios: [2]}]", "level 0 has a min above its max"),
        ("[{grid: 4, step: 16, min: 10, max: 20, ratios: [-1]}]", "level 0 holds numbers above 0"),
    ],
)
def test_priors_are_checked_where_they_are_written(tmp_path: Path, levels: str, reason: str) -> None:
    text = f"let pr = ssd.priors(image = 64, levels = {levels})\noutput y = p4 |> conv(4)"
    assert reason in errors(program_of(tmp_path, spec(text)))[0].message


def test_a_stage_takes_the_loss_keys_of_its_heads(tmp_path: Path) -> None:
    data = 'data d = data.synthetic(classes = ["disc", "square", "ring"])\n'
    body = BODIES["yolo_v2"].replace("head", "output z = p4 |> conv(13)\nhead gnetdet on z { classes = 3 }\nhead")
    stage = "train t on m { stage s { epochs = 1  loss { object = 4  target = st  loc = 3 } } }"
    program = program_of(tmp_path, spec(body) + data + stage)
    assert codes(program) == []
    loss = program.stages[0].options["loss"]
    assert (loss["object"], loss["target"], loss["loc"], loss["ignore"]) == (4, "st", 3, 0.6)
    wrong = program_of(tmp_path, spec(BODIES["yolo_v2"]) + data + stage.replace("object", "objct"))
    assert errors(wrong)[0].help == "did you mean `loss.object`?"


@pytest.mark.parametrize("kind", [kind for kind in BODIES if "classes = 3" in BODIES[kind]])
def test_a_number_that_broke_elsewhere_is_told_once(tmp_path: Path, kind: str) -> None:
    body = BODIES[kind].replace("classes = 3", "classes = count")
    spec = f"use std.blocks as blocks\nparam count: [0] = 3\nmodel m extends detector {{\n{FRAME}\n{TRUNK}{body}\n}}\n"
    path = tmp_path / "broken.det"
    path.write_text(spec)
    assert [finding.code for finding in elaborate(path, {}, None).findings] == ["SYN123"]
