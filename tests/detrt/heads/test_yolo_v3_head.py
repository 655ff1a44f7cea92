"""The YOLOv3 head against plain loops: darknet's deltas on maps of two strides, and boxes that come back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from yolo_cases import Box, corner_boxes, gradients, plain_iou, random_truth, shared_out, sigmoid

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head

CLASSES = 3
PER = 5 + CLASSES
ANCHORS = [(8, 10), (14, 12), (22, 20), (36, 30)]
MASKS = [[2, 3], [0, 1]]
IMAGE = (64, 96)
GRIDS = [(2, 3), (4, 6)]
OPTIONS: dict[str, Any] = {
    "anchors": ANCHORS, "masks": MASKS, "strides": [32, 16], "classes": CLASSES, "image": list(IMAGE),
}  # fmt: skip
ENTRY = {"kind": "yolo_v3", "on": ["maps"], "options": OPTIONS}


def random_maps(pictures: int, seed: int, grids: list[tuple[int, int]] = GRIDS) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(pictures, 2 * PER, *grid, dtype=torch.float64, generator=generator) * 0.7 for grid in grids]


def deltas(map: Any, mask: list[int], truth: list[Any], net: tuple[int, int], ignore: float, sure: float) -> np.ndarray:
    """darknet's deltas of one map of one picture; `net` height and width of the picture in pixels."""
    rows, columns = map.shape[1:]
    delta = np.zeros(map.shape)

    def learn(n: int, j: int, i: int, label: int, box: Box, fresh: bool) -> None:
        at, scale = n * PER, 2 - box[2] * box[3]
        width, height = ANCHORS[mask[n]]
        aims = (
            box[0] * columns - i,
            box[1] * rows - j,
            math.log(box[2] * net[1] / width),
            math.log(box[3] * net[0] / height),
        )
        for k in range(4):
            value = float(map[at + k, j, i])
            delta[at + k, j, i] = scale * (aims[k] - (sigmoid(value) if k < 2 else value))
        delta[at + 4, j, i] = 1 - sigmoid(float(map[at + 4, j, i]))
        for c in range(CLASSES):
            if fresh or c == label:
                delta[at + 5 + c, j, i] = (1.0 if c == label else 0.0) - sigmoid(float(map[at + 5 + c, j, i]))

    for n in range(len(mask)):
        for j in range(rows):
            for i in range(columns):
                x, y, w, h = (float(map[n * PER + k, j, i]) for k in range(4))
                width, height = ANCHORS[mask[n]]
                box = ((i + sigmoid(x)) / columns, (j + sigmoid(y)) / rows, math.exp(w) * width / net[1],
                       math.exp(h) * height / net[0])  # fmt: skip
                overlaps = [plain_iou(box, other) for _, other in truth]
                best = max(overlaps, default=0.0)
                delta[n * PER + 4, j, i] = 0 if best > ignore else 0 - sigmoid(float(map[n * PER + 4, j, i]))
                if best > sure:
                    learn(n, j, i, *truth[overlaps.index(best)], fresh=True)
    taken = set()
    for label, box in truth:
        shapes = [(0.0, 0.0, w / net[1], h / net[0]) for w, h in ANCHORS]
        overlaps = [plain_iou((0.0, 0.0, box[2], box[3]), shape) for shape in shapes]
        best_anchor = overlaps.index(max(overlaps))
        if best_anchor in mask:
            place = (mask.index(best_anchor), int(box[1] * rows), int(box[0] * columns))
            learn(*place, label, box, fresh=place not in taken)
            taken.add(place)
    return delta


@pytest.mark.parametrize(("ignore", "sure"), [(0.7, 1.0), (0.5, 1.0)])
def test_the_gradient_is_darknets_delta(ignore: float, sure: float) -> None:
    targets, truth = random_truth(4, 15, CLASSES, seed=1)
    maps = random_maps(4, seed=2)
    found = gradients(build_head(ENTRY, {"ignore": ignore, "truth": sure}), maps, targets)
    for map, mask, gradient in zip(maps, MASKS, found, strict=True):
        for picture, one in enumerate(truth):
            expected = -deltas(map[picture].detach().numpy(), mask, one, IMAGE, ignore, sure) / 4
            assert np.allclose(gradient[picture].numpy(), expected, atol=1e-6)


def test_a_box_that_overlaps_enough_learns_the_object_too() -> None:
    """`truth` below 1: apart from places that an object has of its own, as darknet."""
    targets, truth = random_truth(3, 12, CLASSES, seed=4)
    maps = random_maps(3, seed=5)
    found = gradients(build_head(ENTRY, {"ignore": 0.3, "truth": 0.4}), maps, targets)
    plain = gradients(build_head(ENTRY, {"ignore": 0.3}), random_maps(3, seed=5), targets)
    more = 0
    for map, mask, gradient, without in zip(maps, MASKS, found, plain, strict=True):
        for picture, one in enumerate(truth):
            expected = -deltas(map[picture].detach().numpy(), mask, one, IMAGE, 0.3, 0.4) / 3
            assert np.allclose(gradient[picture].numpy(), expected, atol=1e-6)
            more += int((gradient[picture] != without[picture]).any())
    assert more > 0


def test_anchors_are_pixels_of_the_picture_that_is_trained_on() -> None:
    """Maps of twice the size come from a picture of twice the size."""
    targets, truth = random_truth(2, 6, CLASSES, seed=7)
    maps = random_maps(2, seed=3, grids=[(4, 6), (8, 12)])
    found = gradients(build_head(ENTRY, {}), maps, targets)
    expected = -deltas(maps[0][1].detach().numpy(), MASKS[0], truth[1], (128, 192), 0.7, 1.0) / 2
    assert np.allclose(found[0][1].numpy(), expected, atol=1e-6)


def test_a_perfect_output_gives_the_boxes_back() -> None:
    entry = {**ENTRY, "options": OPTIONS | {"score": 0.3, "nms": 0.95}}
    decode, head = build_decoder(entry), build_head(entry, {})
    _, truth = random_truth(6, 3, CLASSES, seed=8)
    for one in truth:
        maps = [np.full((2 * PER, *grid), -9, np.float32) for grid in GRIDS]
        places = {}
        for label, (x, y, w, h) in one:
            overlaps = [plain_iou((0, 0, w, h), (0, 0, a / IMAGE[1], b / IMAGE[0])) for a, b in ANCHORS]
            best = overlaps.index(max(overlaps))
            level = next(level for level, mask in enumerate(MASKS) if best in mask)
            rows, columns = GRIDS[level]
            places[level, MASKS[level].index(best), int(y * rows), int(x * columns)] = (label, (x, y, w, h))
        for (level, n, j, i), (label, (x, y, w, h)) in places.items():
            rows, columns = GRIDS[level]
            a, b = ANCHORS[MASKS[level][n]]
            inside = np.clip([x * columns - i, y * rows - j], 1e-6, 1 - 1e-6)
            cell = maps[level][n * PER : (n + 1) * PER, j, i]
            cell[:2] = np.log(inside / (1 - inside))
            cell[2:4] = np.log([w * IMAGE[1] / a, h * IMAGE[0] / b])
            cell[4], cell[5 + label] = 6, 6
        found = decode({"maps": maps})
        boxes, labels = corner_boxes(list(places.values()))
        assert len(found) == len(places)
        for box, label in zip(found.boxes, found.labels, strict=True):
            nearest = np.abs(boxes - box).max(axis=1)
            assert nearest.min() < 1e-4 and label in labels[nearest < 1e-4]
        again = head.decode([torch.from_numpy(map)[None] for map in maps])[0]
        assert np.array_equal(again.boxes, found.boxes) and np.array_equal(again.scores, found.scores)


def test_pictures_without_objects() -> None:
    maps = [map.requires_grad_(True) for map in random_maps(2, seed=3)]
    for targets in (torch.full((2, 3, 5), -1.0), torch.zeros(2, 0, 5)):
        terms = build_head(ENTRY, {}).loss(maps, targets)
        assert all(torch.isfinite(value) for value in terms.values())
        assert float(terms["noobj"].detach()) > 0 and float(terms["coord"].detach()) == 0


def test_shares_of_processes_add_up() -> None:
    targets, _ = random_truth(4, 5, CLASSES, seed=9)
    maps = random_maps(4, seed=3)
    whole = {name: float(value) for name, value in build_head(ENTRY, {}).loss(maps, targets).items()}
    parts = [([map[:1] for map in maps], targets[:1]), ([map[1:] for map in maps], targets[1:])]
    assert shared_out(lambda: build_head(ENTRY, {}), parts) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": [[2, 3], [0, 4]]}, "`masks` are not lists of numbers 0 .. 3"),
        ({"masks": [[2, 3]]}, "1 masks for 2 strides"),
        ({"strides": [32, 0]}, "`strides` is not"),
        ({"anchors": []}, "`anchors` are not given"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        build_decoder({**ENTRY, "options": OPTIONS | options})
