"""Boxes follow their pictures: a bright rectangle is drawn, the picture is changed, and the rectangle is looked for
again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.data.augment import Recipe
from detrt.data.augment.geometry import Placement
from detrt.data.encode import U5, Encoding
from detrt.data.sample import Annotation, Sample
from detrt.errors import DetrtError

ENCODING = Encoding(224, 224, "bgr", "u5")
MOVES: list[dict[str, Any]] = [
    {"name": "flip", "p": 1.0},
    {"name": "scale", "p": 1.0, "range": [0.8, 1.2]},
    {"name": "shift", "p": 1.0, "range": [-0.2, 0.2]},
    {"name": "crop", "p": 1.0, "range": [0.6, 1.0]},
]


def picture_with(box: tuple[int, int, int, int], size: tuple[int, int] = (300, 200)) -> Sample:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return Sample("a", Path("a.png"), image, Annotation.of([box], [0]))


def extent(image: np.ndarray) -> list[float]:
    """The box of what is bright (the fill of 114 is not)."""
    rows, columns = np.nonzero((image > 180).any(axis=2))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@given(st.integers(0, 2**32), st.sets(st.sampled_from(range(4)), min_size=1))
def test_boxes_follow_every_mixture_of_moves(seed: int, chosen: set[int]) -> None:
    recipe = Recipe.of([MOVES[i] for i in sorted(chosen)])
    image, annotation = recipe(picture_with((90, 60, 210, 140)), ENCODING, np.random.default_rng(seed))
    assert image.shape == (224, 224, 3)
    if len(annotation):
        assert np.abs(np.array(extent(image)) - annotation.boxes[0]).max() <= 1.6  # a blurred edge of one pixel


def test_a_flip_mirrors_to_the_pixel() -> None:
    recipe = Recipe.of([{"name": "flip", "p": 1.0}])
    sample = picture_with((10, 20, 50, 60), (224, 224))
    image, annotation = recipe(sample, ENCODING, np.random.default_rng(0))
    assert annotation.boxes.tolist() == [[174, 20, 214, 60]]
    assert np.array_equal(image, sample.image[:, ::-1])


def test_without_moves_the_picture_is_what_validation_sees() -> None:
    rng = np.random.default_rng(0)
    sample = Sample(
        "a", Path("a"), rng.integers(0, 256, (150, 260, 3), np.uint8), Annotation.of([(0, 0, 260, 150)], [0])
    )
    image, annotation = Recipe(())(sample, ENCODING, rng)
    assert np.array_equal(image, ENCODING.resized(sample.image))
    assert annotation.boxes.tolist() == [[0, 0, 224, 224]]


def test_one_resampling_agrees_with_a_plain_resize() -> None:
    smooth = np.linspace(0, 255, 300, dtype=np.uint8)[None, :, None].repeat(260, 0).repeat(3, 2)
    drawn = Placement.whole(smooth).fitted(224, 224).draw(smooth)
    assert np.abs(drawn.astype(int) - ENCODING.resized(smooth).astype(int)).max() <= 2


def test_a_box_whose_centre_leaves_is_gone_and_others_are_clipped() -> None:
    view = Placement.whole(np.zeros((100, 100, 3), np.uint8)).then(1, -50, 1, 0, 100, 100)
    kept = view.boxes(Annotation.of([(0, 0, 90, 10), (20, 0, 90, 10)], [0, 1]))
    assert kept.labels.tolist() == [1]
    assert kept.boxes.tolist() == [[0, 0, 40, 10]]


def test_colours_leave_boxes_alone_and_probability_zero_does_nothing() -> None:
    sample = picture_with((90, 60, 210, 140))
    colours = [{"name": "hsv", "p": 1.0, "range": [0.5, 1.5]}, {"name": "blur", "p": 1.0, "kernel": 5}]
    image, annotation = Recipe.of(colours)(sample, ENCODING, np.random.default_rng(3))
    plain, expected = Recipe(())(sample, ENCODING, np.random.default_rng(3))
    assert np.array_equal(annotation.boxes, expected.boxes)
    assert not np.array_equal(image, plain)
    off, _ = Recipe.of([{**step, "p": 0.0} for step in colours + MOVES])(sample, ENCODING, np.random.default_rng(3))
    assert np.array_equal(off, plain)


def test_value_factor_darkens_by_the_factor() -> None:
    grey = Sample("a", Path("a"), np.full((224, 224, 3), 200, np.uint8), Annotation.of([], []))
    image, _ = Recipe.of([{"name": "hsv", "p": 1.0, "range": [0.5, 0.5]}])(grey, ENCODING, np.random.default_rng(0))
    assert np.abs(image.astype(int) - 100).max() <= 1


@pytest.mark.parametrize(
    "step",
    [{"name": "mosaic"}, {"name": "flip", "angle": 3}, {"name": "crop", "range": [0.5, 2]}, {"name": "shift", "p": 2}],
)
def test_impossible_steps_are_refused(step: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        Recipe.of([step])


def test_the_five_bit_step_is_the_vendors(shared: Path) -> None:
    import json

    table = json.loads((shared / "data/gti_vectors/input_quant.json").read_text())
    outputs = next(value for key, value in table.items() if key != "x")
    assert U5[table["x"]].tolist() == [int(v) for v in outputs]
