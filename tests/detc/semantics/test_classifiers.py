"""What a classifier's stages choose and are judged by, and the data they may learn from."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import errors, program_of

SPEC = """
data kinds = data.folders(root = path("kinds"), train = "train", val = "val")
data boxes = data.voc(root = path("voc"), train = "train", val = "val", classes = ["a", "b", "c"])
model small extends classifier {
  input frame: u8[3, 32, 32] = camera(order = rgb)
  let trunk = frame |> conv(8) |> relu
  output logits = trunk |> avgpool(global = true) |> flatten |> linear(3)
  head softmax on logits { classes = 3 }
}
model finder extends detector {
  input frame: u8[3, 32, 32] = camera(order = rgb)
  let trunk = frame |> conv(8) |> relu
  output grid = trunk |> conv(13) |> relu
  head gnetdet on grid { classes = 3 }
}
train pretrain on small { data = kinds  stage classify { epochs = 2  loss label_smoothing = 0.1  <classify> } }
train find on finder { data = boxes  stage detect { start = pretrain.classify.best  load = trunk  epochs = 2  <detect> } }
"""


def spec(classify: str = "", detect: str = "") -> str:
    return SPEC.replace("<classify>", classify).replace("<detect>", detect)


def test_each_kind_of_model_chooses_by_its_own_figure(tmp_path: Path) -> None:
    program = program_of(tmp_path, spec())
    assert not errors(program)
    assert [stage.options["choose"] for stage in program.stages] == ["top1", "map50"]
    assert program.stages[0].options["loss"] == {"label_smoothing": 0.1}


@pytest.mark.parametrize("figure", ["top1", "top5", "loss"])
def test_a_classifier_chooses_and_is_judged_by_accuracy(tmp_path: Path, figure: str) -> None:
    gate = f"choose = {figure}  require {figure} >= 0.5"
    program = program_of(tmp_path, spec(gate, "require pretrain.classify.top1 >= 60 %"))
    assert not errors(program)
    assert program.stages[0].options["choose"] == figure


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (spec("choose = map50"), "TRN160", "one of top1, top5, loss"),
        (spec(detect="choose = top1"), "TRN160", "one of map50, map, loss"),
        (spec("require map50 >= 0.5"), "TRN161", "model `small`"),
        (spec(detect="require top1 >= 0.5"), "TRN161", "model `finder`"),
        (spec(detect="require pretrain.classify.map50 >= 0.5"), "TRN161", "model `small`"),
        (spec("data = boxes"), "TRN162", "data `boxes` (voc) has boxes"),
        (spec("choose = top2"), "TRN107", "top2"),
    ],
)
def test_figures_and_data_of_the_other_kind_are_errors(tmp_path: Path, text: str, code: str, words: str) -> None:
    program = program_of(tmp_path, text)
    assert [finding.code for finding in errors(program)] == [code]
    (finding,) = errors(program)
    assert words in f"{finding.message} {finding.help}"
