"""The YOLOv1 head against plain loops: darknet's deltas, its layout, and boxes that come back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from yolo_cases import corner_boxes, gradients, plain_iou, random_truth, shared_out

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head

ROWS, COLUMNS, BOXES, CLASSES = 3, 4, 2, 3
CELLS = ROWS * COLUMNS
OPTIONS = {"grid": [ROWS, COLUMNS], "boxes": BOXES, "classes": CLASSES, "image": [96, 128]}
ENTRY = {"kind": "yolo_v1", "on": ["flat"], "options": OPTIONS}


def deltas(flat: list[float], truth: list[Any], rescore: bool) -> list[float]:
    """darknet's deltas for one picture: what it adds to each output is minus the gradient."""
    delta = [0.0] * len(flat)
    cell_of: dict[int, Any] = {}
    for label, box in truth:
        cell_of.setdefault(int(box[1] * ROWS) * COLUMNS + int(box[0] * COLUMNS), (label, box))
    for cell in range(CELLS):
        first = CELLS * CLASSES + cell * BOXES
        for slot in range(BOXES):
            delta[first + slot] = 0.5 * (0 - flat[first + slot])
        if cell not in cell_of:
            continue
        label, box = cell_of[cell]
        for c in range(CLASSES):
            delta[cell * CLASSES + c] = (1.0 if c == label else 0.0) - flat[cell * CLASSES + c]
        best, best_iou, best_rmse = -1, 0.0, 20.0
        for slot in range(BOXES):
            at = CELLS * (CLASSES + BOXES) + (cell * BOXES + slot) * 4
            x, y, w, h = flat[at : at + 4]
            out = (x / COLUMNS, y / ROWS, w * w, h * h)
            aim = (box[0] - (cell % COLUMNS) / COLUMNS, box[1] - (cell // COLUMNS) / ROWS, box[2], box[3])
            iou = plain_iou(out, aim)
            rmse = math.sqrt(sum((a - b) ** 2 for a, b in zip(out, aim, strict=True)))
            if best_iou > 0 or iou > 0:
                if iou > best_iou:
                    best, best_iou = slot, iou
            elif rmse < best_rmse:
                best, best_rmse = slot, rmse
        delta[first + best] = 1.0 * ((best_iou if rescore else 1.0) - flat[first + best])
        at = CELLS * (CLASSES + BOXES) + (cell * BOXES + best) * 4
        aims = (
            box[0] * COLUMNS - cell % COLUMNS,
            box[1] * ROWS - cell // COLUMNS,
            math.sqrt(box[2]),
            math.sqrt(box[3]),
        )
        for k in range(4):
            delta[at + k] = 5.0 * (aims[k] - flat[at + k])
    return delta


@pytest.mark.parametrize("rescore", [True, False])
def test_the_gradient_is_darknets_delta(rescore: bool) -> None:
    _, truth = random_truth(4, 6, CLASSES, seed=1)
    head = build_head(ENTRY, {"rescore": rescore})
    targets = torch.stack([head.targets(*corner_boxes(one)) for one in truth])
    flat = (
        torch.randn(4, CELLS * (CLASSES + BOXES * 5), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        / 2
    )
    (found,) = gradients(head, flat, targets)
    for picture, one in enumerate(truth):
        expected = -torch.tensor(deltas(flat[picture].tolist(), one, rescore), dtype=torch.float64) / 4
        assert torch.allclose(found[picture], expected, atol=1e-6)


def test_terms_are_half_squared_errors() -> None:
    head = build_head(ENTRY, {})
    targets = head.targets(np.array([[0.3, 0.4, 0.5, 0.6]], np.float32), np.array([1]))[None]
    flat = torch.zeros(1, CELLS * (CLASSES + BOXES * 5), requires_grad=True)
    terms = {name: float(value.detach()) for name, value in head.loss(flat, targets).items()}
    # centre (0.4, 0.5) of cell (1, 1): 0.6 and 0.5 inside it; roots of 0.2 twice; nothing overlaps
    assert terms == pytest.approx({"coord": 2.5 * (0.6**2 + 0.5**2 + 0.2 + 0.2), "obj": 0.0, "noobj": 0.0, "cls": 0.5})
    batch = [head.targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))[None]]
    assert not any(torch.isnan(v) for v in head.loss(flat, batch[0]).values())


def test_a_perfect_output_gives_the_boxes_back() -> None:
    _, truth = random_truth(6, 4, CLASSES, seed=5)
    head = build_head(ENTRY, {})
    decode = build_decoder(ENTRY)
    for one in truth:
        boxes, labels = corner_boxes(one)
        target = head.targets(boxes, labels).numpy().reshape(CELLS, 5)
        flat = np.zeros(CELLS * (CLASSES + BOXES * 5), np.float32)
        kept = np.flatnonzero(target[:, 0] >= 0)
        flat[kept * CLASSES + target[kept, 0].astype(int)] = 1
        flat[CELLS * CLASSES + kept * BOXES] = 0.9
        slots = flat[CELLS * (CLASSES + BOXES) :].reshape(CELLS, BOXES, 4)
        slots[kept, 0] = np.concatenate([target[kept, 1:3], np.sqrt(target[kept, 3:])], axis=1)
        found = decode({"flat": [flat]})
        assert len(found) == len(kept) == head.matches(boxes, labels).sum()
        for box, label in zip(found.boxes, found.labels, strict=True):
            assert np.abs(boxes - box).max(axis=1).min() < 1e-5 and label in labels
        torch_found = head.decode(torch.from_numpy(flat)[None])[0]
        assert np.array_equal(torch_found.boxes, found.boxes)


def test_the_first_of_two_boxes_has_the_cell() -> None:
    head = build_head(ENTRY, {})
    boxes = np.array([[0.26, 0.4, 0.3, 0.5], [0.26, 0.4, 0.4, 0.6], [0.9, 0.9, 1.0, 1.0]], np.float32)
    assert head.matches(boxes, np.array([2, 0, 0])).tolist() == [1, 0, 1]


def test_shares_of_processes_add_up() -> None:
    _, truth = random_truth(4, 5, CLASSES, seed=9)
    head = build_head(ENTRY, {})
    targets = torch.stack([head.targets(*corner_boxes(one)) for one in truth])
    flat = torch.randn(4, CELLS * (CLASSES + BOXES * 5), generator=torch.Generator().manual_seed(3))
    whole = {name: float(value) for name, value in head.loss(flat, targets).items()}
    parts = [(flat[:1], targets[:1]), (flat[1:], targets[1:])]
    assert shared_out(lambda: build_head(ENTRY, {}), parts) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": [0, 4]}, "a yolo_v1 head needs a grid"),
        ({"boxes": 0}, "a yolo_v1 head needs a grid"),
        ({"classes": 0}, "0 classes"),
        ({"surprise": 1}, "no option `surprise`"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        build_decoder({**ENTRY, "options": OPTIONS | options})


def test_an_output_of_another_length_is_refused() -> None:
    with pytest.raises(DetrtError, match="expects 156 features, the model gives"):
        build_head(ENTRY, {}).loss(torch.zeros(1, 155), torch.zeros(1, ROWS, COLUMNS, 5))
    with pytest.raises(DetrtError, match="expects 156 features"):
        build_decoder(ENTRY)({"flat": [np.zeros(155, np.float32)]})
