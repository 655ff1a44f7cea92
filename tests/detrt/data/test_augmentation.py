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
from detrt.data.augment.scene import Scene
from detrt.data.encode import U5, Encoding
from detrt.data.resize import STRETCH, Resize
from detrt.data.sample import Annotation, Sample
from detrt.errors import DetrtError

ENCODING = Encoding(224, 224, "bgr", "u5")
MOVES: list[dict[str, Any]] = [
    {"name": "flip", "p": 1.0},
    {"name": "scale", "p": 1.0, "range": [0.8, 1.2]},
    {"name": "shift", "p": 1.0, "range": [-0.2, 0.2]},
    {"name": "crop", "p": 1.0, "range": [0.6, 1.0]},
    {"name": "zoom_out", "p": 1.0, "range": [1.0, 2.0]},
    {"name": "ssd_crop", "p": 1.0},
    {"name": "resized_crop", "p": 1.0, "area": [0.3, 1.0]},
    {"name": "affine", "p": 1.0, "degrees": [-45, 45], "scale": [0.6, 1.5], "shear": [-10, 10]},
    {"name": "mixup", "p": 1.0, "scale": [0.5, 1.5]},
]
MOSAIC: dict[str, Any] = {"name": "mosaic", "p": 1.0, "scale": [0.5, 1.5]}


def picture_with(box: tuple[int, int, int, int], size: tuple[int, int] = (300, 200)) -> Sample:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return Sample("a", Path("a.png"), image, Annotation.of([box], [0]))


def marked(box: tuple[int, int, int, int]) -> Sample:
    """Black, with squares of 16 pixels about three corners of the box, one in each channel."""
    image = np.zeros((170, 220, 3), np.uint8)
    for channel, (x, y) in enumerate([(box[0], box[1]), (box[2], box[1]), (box[2], box[3])]):
        image[y - 8 : y + 8, x - 8 : x + 8, channel] = 255
    return Sample("a", Path("a.png"), image, Annotation.of([box], [0]))


def corners_of(image: np.ndarray) -> np.ndarray:
    """The middles of the three marks, weighted by brightness, and the fourth corner that follows: [4, 2]."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weights = image.astype(np.float64).reshape(-1, 3)
    found = np.stack([columns.ravel() @ weights, rows.ravel() @ weights], axis=1) / weights.sum(0)[:, None]
    return np.concatenate([found, found[:1] + found[2:] - found[1:2]])


@given(
    st.integers(0, 2**32),
    st.sets(st.sampled_from(range(len(MOVES))), max_size=4),
    st.booleans(),
    st.sampled_from(["stretch", "letterbox", "crop"]),
    st.sampled_from(["nearest", "bilinear", "bicubic", "area"]),
)
def test_boxes_follow_every_mixture_of_moves(
    seed: int, chosen: set[int], mosaic: bool, mode: str, interpolation: str
) -> None:
    """To half a pixel: the corners are looked for in the picture that comes out, wherever all marks are in view."""
    steps = [MOSAIC] * mosaic + [MOVES[i] for i in sorted(chosen)]
    sample = marked((70, 50, 150, 110))
    black = Sample("b", Path("b.png"), np.zeros((120, 90, 3), np.uint8), Annotation.of([], []))
    encoding = Encoding(256, 192, "bgr", "u5", resize=Resize(mode, interpolation, pad=0))
    image, annotation = Recipe.of(steps)(sample, encoding, np.random.default_rng(seed), lambda rng: black)
    assert image.shape == (192, 256, 3)
    edge = image.copy()
    edge[2:-2, 2:-2] = 0
    seen = image.sum(axis=(0, 1), dtype=np.float64)
    if edge.any() or seen.min() < 0.97 * max(1.0, seen.max()):  # a mark is cut off
        return
    assert annotation.labels.tolist() == [0]
    corners = corners_of(image)
    expected = np.concatenate([corners.min(0), corners.max(0)]).clip(0, [256, 192, 256, 192])
    assert np.abs(annotation.boxes[0] - expected).max() <= 0.5


def test_a_mosaic_shows_four_pictures_with_their_boxes() -> None:
    """At half size all of the canvas is in view: four pictures of one colour each, a box over each."""
    levels = [40, 90, 160, 250]
    pictures = [
        Sample(str(v), Path("a"), np.full((100, 100, 3), v, np.uint8), Annotation.of([(0, 0, 100, 100)], [n]))
        for n, v in enumerate(levels)
    ]
    others = iter(pictures[1:])
    encoding = Encoding(64, 64, "bgr", "affine")
    recipe = Recipe.of([{"name": "mosaic", "p": 1.0, "scale": [0.5, 0.5]}])
    image, annotation = recipe(pictures[0], encoding, np.random.default_rng(5), lambda rng: next(others))
    assert annotation.labels.tolist() and set(annotation.labels.tolist()) <= {0, 1, 2, 3}
    assert set(np.unique(image)) <= {*levels, 114}
    for box, label in zip(annotation.boxes.round().astype(int), annotation.labels, strict=True):
        assert (image[box[1] : box[3], box[0] : box[2]] == levels[label]).mean() > 0.97


def test_mixup_is_the_mean_of_both() -> None:
    light, dark = (
        Sample("a", Path("a"), np.full((64, 64, 3), v, np.uint8), Annotation.of([(8, 8, 50, 50)], [n]))
        for n, v in enumerate((200, 100))
    )
    recipe = Recipe.of([{"name": "mixup", "p": 1.0, "scale": [1.0, 1.0]}])
    image, annotation = recipe(light, Encoding(64, 64, "bgr", "u5"), np.random.default_rng(0), lambda rng: dark)
    assert (image == 150).all() and annotation.labels.tolist() == [0, 1]


def test_an_ssd_crop_keeps_a_box_that_it_overlaps_enough() -> None:
    sample = picture_with((60, 40, 220, 170))
    recipe = Recipe.of([{"name": "ssd_crop", "p": 1.0, "ious": [0.5], "range": [0.3, 1.0]}])
    sizes = set()
    for seed in range(20):
        _, annotation = recipe(sample, ENCODING, np.random.default_rng(seed))
        assert len(annotation) == 1
        x1, y1, x2, y2 = annotation.boxes[0]
        sizes.add(round(float((x2 - x1) * (y2 - y1))))
        assert (x2 - x1) * (y2 - y1) >= 0.5 * 224 * 224
    assert len(sizes) > 5


@given(st.integers(0, 2**32))
def test_photometric_changes_stay_in_their_ranges(seed: int) -> None:
    grey = Sample("a", Path("a"), np.full((8, 8, 3), 100, np.uint8), Annotation.of([(0, 0, 8, 8)], [0]))
    step = {"name": "photometric", "p": 1.0, "brightness": [-20, 20], "contrast": [0.8, 1.25], "swap": False}
    image, annotation = Recipe.of([step])(grey, Encoding(8, 8, "bgr", "u5"), np.random.default_rng(seed))
    assert annotation.boxes.tolist() == [[0, 0, 8, 8]]
    assert image.min() >= 80 * 0.8 - 1 and image.max() <= 120 * 1.25 + 1
    off, _ = Recipe.of([{**step, "p": 0.0}])(grey, Encoding(8, 8, "bgr", "u5"), np.random.default_rng(seed))
    assert (off == 100).all()


def test_the_last_epochs_keep_flips_and_colours() -> None:
    names = ["mosaic", "mixup", "affine", "flip", "hsv", "photometric"]
    recipe = Recipe.of([{"name": name, "p": 0.5} for name in names])
    assert [step.name for step in recipe.without_strong().steps] == ["flip", "hsv", "photometric"]


def test_a_mosaic_comes_first_and_needs_other_pictures() -> None:
    with pytest.raises(DetrtError, match="first step"):
        Recipe.of([{"name": "flip"}, {"name": "mosaic"}])
    with pytest.raises(DetrtError, match="other pictures"):
        Recipe.of([MOSAIC])(marked((70, 50, 150, 110)), ENCODING, np.random.default_rng(0))


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
    drawn = Scene.whole(smooth, Annotation.of([], [])).fitted(224, 224, STRETCH).draw(STRETCH)
    assert np.abs(drawn.astype(int) - ENCODING.resized(smooth).astype(int)).max() <= 2


def test_a_box_whose_centre_leaves_is_gone_and_others_are_clipped() -> None:
    boxes = Annotation.of([(0, 0, 90, 10), (20, 0, 90, 10)], [0, 1])
    kept = Scene.whole(np.zeros((100, 100, 3), np.uint8), boxes).then(1, -50, 1, 0, 100, 100).boxes()
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
    [
        {"name": "mosiac"},
        {"name": "mosaic", "scale": [2, 1]},
        {"name": "photometric", "swap": 1},
        {"name": "ssd_crop", "ious": [2]},
        {"name": "affine", "degrees": [0, float("nan")]},
        {"name": "blur", "kernel": 0},
        {"name": "flip", "angle": 3},
        {"name": "crop", "range": [0.5, 2]},
        {"name": "shift", "p": 2},
    ],
)
def test_impossible_steps_are_refused(step: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        Recipe.of([step])


def test_the_five_bit_step_is_the_vendors(shared: Path) -> None:
    import json

    table = json.loads((shared / "data/gti_vectors/input_quant.json").read_text())
    outputs = next(value for key, value in table.items() if key != "x")
    assert U5[table["x"]].tolist() == [int(v) for v in outputs]
