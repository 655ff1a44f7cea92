"""What stages do to their pictures: steps with their defaults, several sizes, and what does not fit the net or the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_texts import errors, program_of

from detc.semantics.schema.augment import AUGMENTS

SIZES = """
data cells = data.voc(root = path("cells"), classes = ["red", "white"])
data kinds = data.folders(root = path("kinds"), classes = ["red", "white"])
model net extends detector {
  input frame: u8[3, 64, 96] = camera(order = bgr)
  let a = frame |> conv(8, s = 2) |> relu
  output map = concat(a, a |> conv(8, s = 2) |> relu |> upsample(2x2)) |> conv(14)
  head yolo_v2 on map { anchors = [(1, 2), (2, 3)]  classes = 2 }
}
model kind extends classifier {
  input frame: u8[3, 64, 64] = camera(order = bgr)
  output logits = frame |> conv(8, s = 2) |> flatten |> linear(2)
  head softmax on logits { classes = 2 }
}
"""


def test_steps_and_sizes_resolve_with_their_defaults(tmp_path: Path) -> None:
    text = f"""{SIZES}train steps on net {{
  data = cells  epochs = 20
  augment = [mosaic(p = 1), mixup(0.5 .. 1.5), affine(degrees = 5), photometric(hue = 9), zoom_out, ssd_crop, resized_crop]
  stage a {{ multiscale = sizes(32 .. 96)  no_aug_epochs = 5 }}
}}"""
    program = program_of(tmp_path, text)
    assert not errors(program)
    options = program.stages[0].options
    assert (options["multiscale"], options["no_aug_epochs"]) == ({"range": [32, 96], "step": 32}, 5)
    mosaic, mixup, affine, photometric = options["augment"][:4]
    assert mosaic == {"name": "mosaic", "scale": [0.5, 1.5], "p": 1}
    assert mixup["p"] == 0.5
    assert affine == {
        "name": "affine", "degrees": [-5, 5], "translate": [-0.1, 0.1], "scale": [1.0, 1.0], "shear": [-2, 2], "p": 0.5,
    }  # fmt: skip
    assert photometric["hue"] == [-9, 9] and photometric["brightness"] == [-32, 32]


@pytest.mark.parametrize(
    ("train", "code", "told"),
    [
        (
            "on net { data = cells stage a { epochs = 3 multiscale = sizes(30 .. 90, step = 30) } }",
            "TRN155",
            "joins maps",
        ),
        ("on kind { data = kinds stage a { epochs = 3 multiscale = sizes(64 .. 96) } }", "TRN155", "has weights for"),
        ("on kind { data = kinds stage a { epochs = 3 augment = [mixup] } }", "TRN151", "has one label"),
    ],
)
def test_sizes_and_mixtures_that_do_not_fit_the_net_or_the_data(
    tmp_path: Path, train: str, code: str, told: str
) -> None:
    program = program_of(tmp_path, f"{SIZES}train steps {train}")
    found = [finding for finding in errors(program) if finding.code == code]
    assert len(found) == 1 and told in found[0].message
    assert [f.code for f in errors(program)] == [code]


def test_both_sides_know_the_same_steps(tmp_path: Path) -> None:
    """What a spec may write, with every default, is what training reads; the other way round too."""
    options = pytest.importorskip("detrt.data.augment.options")
    written = {name: {key.name for key in schema.keys} for name, schema in AUGMENTS.items()}
    assert written == {name: {*known, "p"} for name, known in options.KNOWN.items()}
    for name, schema in AUGMENTS.items():
        options.Step.of({"name": name, **schema.defaults()})


def test_what_the_page_on_pictures_shows_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/pictures.md").read_text(encoding="utf-8")
    line, blocks = (part.split("```")[0] for part in page.split("```\n")[1::2])
    model = """model {0} extends {1} {{
  {2}  let a = frame |> conv(8, s = 2) |> relu
  {3}
}}
"""
    grid = "output map = a |> conv(14)\n  head yolo_v2 on map { anchors = [(1, 2), (2, 3)]  classes = 2 }"
    logits = "output logits = a |> flatten |> linear(2)\n  head softmax on logits { classes = 2 }"
    text = 'data voc = data.voc(root = path("cells"), classes = ["red", "white"])\n'
    text += 'data kinds = data.folders(root = path("kinds"), classes = ["red", "white"])\n'
    text += model.format("yolox", "detector", line, grid) + model.format("ssd", "detector", line, grid)
    text += model.format("classifier", "classifier", line, logits) + blocks
    program = program_of(tmp_path, text)
    assert not errors(program)
    assert [len(stage.options["augment"]) for stage in program.stages] == [5, 4, 3]
