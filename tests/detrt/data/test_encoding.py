"""From pictures to what the net reads, and boxes back to the picture: every order, way of resizing and interpolation."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.data.encode import CHANNELS, Encoding
from detrt.data.resize import Resize
from detrt.errors import DetrtError

SIDES = st.integers(1, 90)
RESIZES = st.builds(
    Resize, st.sampled_from(["stretch", "letterbox", "crop"]), place=st.sampled_from(["center", "topleft"])
)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@given(RESIZES, SIDES, SIDES, SIDES, SIDES)
def test_boxes_come_back_from_the_canvas(resize: Resize, width: int, height: int, across: int, down: int) -> None:
    boxes = np.random.default_rng(width).random((5, 4), np.float32)
    placed = resize.placed(boxes, (across, down), width, height)
    back = resize.unplaced(placed, (across, down), width, height)
    np.testing.assert_allclose(back, boxes, atol=1e-5 * max(1, width, height))
    if resize.mode == "letterbox":
        assert placed.min() >= 0 and placed.max() <= 1 + 1e-6
    assert resize.resized(noise(height, width), across, down).shape == (down, across, 3)


@given(RESIZES, st.tuples(SIDES, SIDES), st.integers(0, 2**32))
def test_what_is_drawn_lies_where_its_box_is_placed(resize: Resize, canvas: tuple[int, int], seed: int) -> None:
    """A white mark on black: nearest neighbours, so its edges are off by half a new pixel at most."""
    resize = replace(resize, interpolation="nearest", pad=0)
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 120, 2)
    x, y = np.sort(rng.integers(0, width + 1, 2)), np.sort(rng.integers(0, height + 1, 2))
    image = np.zeros((height, width, 3), np.uint8)
    image[y[0] : y[1], x[0] : x[1]] = 255
    rows, columns = np.nonzero(resize.resized(image, *canvas)[:, :, 0])
    if len(rows):
        box = np.array([[x[0], y[0], x[1], y[1]]], np.float32) / np.array([width, height, width, height], np.float32)
        size = np.array([*canvas, *canvas])
        expected = np.clip(resize.placed(box, canvas, width, height)[0] * size, 0, size)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(expected - found).max() <= 0.5 + 1e-3


def test_a_letterbox_at_the_top_left_is_what_yolox_feeds() -> None:
    """The ratio, the whole-pixel size and the grey of its `preproc` (Megvii-BaseDetection/YOLOX@6ddff48)."""
    image = noise(300, 500)
    ratio = min(416 / 300, 416 / 500)
    size = (int(500 * ratio), int(300 * ratio))
    expected = np.full((416, 416, 3), 114, np.uint8)
    expected[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(Resize("letterbox", place="topleft").resized(image, 416, 416), expected)


def test_a_letterbox_in_the_middle_leaves_the_odd_pixel_below() -> None:
    canvas = Resize("letterbox", pad=7).resized(np.full((10, 20, 3), 200, np.uint8), 9, 9)
    assert canvas[:, 0, 0].tolist() == [7, 7, 200, 200, 200, 200, 7, 7, 7]


def test_a_crop_keeps_the_middle_at_its_proportions() -> None:
    image = noise(40, 100)
    assert np.array_equal(Resize("crop").resized(image, 40, 40), image[:, 30:70])
    assert np.array_equal(Resize("crop", place="topleft").resized(image, 40, 40), image[:, :40])


@pytest.mark.parametrize(
    ("word", "flag", "row"),
    [
        ("nearest", cv2.INTER_NEAREST_EXACT, [30, 80]),
        ("bilinear", cv2.INTER_LINEAR, [25, 75]),
        ("bicubic", cv2.INTER_CUBIC, [23, 79]),
        ("area", cv2.INTER_AREA, [26, 66]),
    ],
)
def test_interpolations_are_opencvs(word: str, flag: int, row: list[int]) -> None:
    """A row of five pixels to two, by hand, the new centres at 1.25 and 3.75; then noise, by OpenCV itself."""
    line = np.array([[10, 30, 50, 80, 60]], np.uint8).repeat(5, 0)[:, :, None].repeat(3, 2)
    resized = Resize(interpolation=word).resized(line, 2, 2)
    assert resized[0, :, 0].tolist() == row
    image = noise(61, 47)
    found = Resize(interpolation=word).resized(image, 32, 20)
    assert np.array_equal(found, cv2.resize(image, (32, 20), interpolation=flag))


@pytest.mark.parametrize("order", list(CHANNELS))
@pytest.mark.parametrize("kind", ["u5", "affine"])
def test_torch_and_numpy_encode_alike(order: str, kind: str) -> None:
    import torch

    channels = CHANNELS[order]
    affine = (255.0, (0.4, 0.5, 0.6, 0.7)[:channels], (0.2, 0.3, 0.4, 0.5)[:channels], -0.25)
    encoding = Encoding(16, 8, order, kind, *affine, Resize("letterbox", "area"))
    data = np.random.default_rng(0).integers(0, 256, (2, 30, 20, 3), np.uint8)
    stacked = np.stack([encoding.bytes_of(image) for image in data])
    both = encoding.array(stacked), encoding.tensor(torch.from_numpy(stacked)).numpy()
    assert both[0].shape == (2, channels, 8, 16)
    np.testing.assert_allclose(*both, rtol=1e-6, atol=1e-6)
    assert encoding.shown(stacked[0]).shape == (8, 16, 3)


def test_orders_are_what_they_say() -> None:
    blue = np.full((4, 4, 3), (200, 20, 60), np.uint8)

    def pixel(order: str) -> list[int]:
        return [int(v) for v in Encoding(4, 4, order, "affine").bytes_of(blue)[0, 0]]

    assert pixel("bgr") == [200, 20, 60] and pixel("rgb") == [60, 20, 200]
    assert pixel("rgba") == [60, 20, 200, 255]
    assert pixel("grayscale") == [round(0.114 * 200 + 0.587 * 20 + 0.299 * 60)]
    luma, red, blue_ = pixel("ycrcb")
    assert luma == pixel("grayscale")[0] and red == round((60 - luma) * 0.713 + 128)
    assert blue_ == round((200 - luma) * 0.564 + 128)


def test_the_lock_says_how_pictures_come_in() -> None:
    entry = {
        "shape": [1, 6, 10],
        "order": "grayscale",
        "resize": {"mode": "crop", "interpolation": "nearest", "pad": 3, "place": "topleft"},
        "encoding": {"kind": "affine", "scale": 127.5, "offset": -1.0, "mean": [0.0], "std": [1.0]},
    }
    encoding = Encoding.of(entry)
    assert encoding.resize == Resize("crop", "nearest", 3, "topleft")
    values = encoding.array(encoding.bytes_of(np.full((6, 10, 3), 255, np.uint8))[None])
    assert values.shape == (1, 1, 6, 10) and values.max() == 1.0
    old = {"shape": [3, 6, 10], "encoding": {"kind": "u5"}}
    assert Encoding.of(old).resize == Resize()


@pytest.mark.parametrize(
    "wrong", [{"mode": "fit"}, {"interpolation": "lanczos"}, {"place": "middle"}, {"pad": 300}, {"pad": "grey"}, ["x"]]
)
def test_words_it_does_not_know_are_refused(wrong: object) -> None:
    with pytest.raises(DetrtError, match=r"resiz|grey"):
        Resize.of(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shape", "order"), [([3, 8, 8], "grayscale"), ([1, 8, 8], "bgr"), ([2, 8, 8], "events")])
def test_channels_that_pictures_cannot_have_are_refused(shape: list[int], order: str) -> None:
    with pytest.raises(DetrtError, match="no encoding"):
        Encoding.of({"shape": shape, "order": order, "encoding": {"kind": "affine"}})
