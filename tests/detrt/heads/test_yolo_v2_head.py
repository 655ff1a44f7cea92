"""The YOLOv2 head against plain loops: darknet's deltas, ST's loss, and boxes that come back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from yolo_cases import Box, corner_boxes, gradients, plain_iou, random_truth, shared_out, sigmoid, softmax

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head

ROWS, COLUMNS, CLASSES = 4, 5, 3
ANCHORS = [(0.7, 0.9), (1.5, 1.2), (2.5, 3.0)]
OPTIONS: dict[str, Any] = {"anchors": [ANCHORS], "unit": "cells", "classes": CLASSES, "image": [64, 80]}
ENTRY = {"kind": "yolo_v2", "on": ["map"], "options": OPTIONS}
PER = 5 + CLASSES


def random_map(pictures: int, seed: int, scale: float = 0.7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(pictures, len(ANCHORS) * PER, ROWS, COLUMNS, dtype=torch.float64, generator=generator) * scale


def box_at(map: Any, a: int, j: int, i: int) -> Box:
    x, y, w, h = (float(map[a * PER + k, j, i]) for k in range(4))
    pw, ph = ANCHORS[a]
    return ((i + sigmoid(x)) / COLUMNS, (j + sigmoid(y)) / ROWS, math.exp(w) * pw / COLUMNS, math.exp(h) * ph / ROWS)


def responsible(truth: list[Any]) -> dict[tuple[int, int, int], tuple[int, Box]]:
    """(anchor, row, column) -> the object that has it: nearest shape, the last object wins."""
    places = {}
    for label, box in truth:
        shapes = [(0.0, 0.0, w / COLUMNS, h / ROWS) for w, h in ANCHORS]
        overlaps = [plain_iou((0.0, 0.0, box[2], box[3]), shape) for shape in shapes]
        place = (overlaps.index(max(overlaps)), int(box[1] * ROWS), int(box[0] * COLUMNS))
        places.pop(place, None)
        places[place] = (label, box)
    return places


def deltas(map: Any, truth: list[Any], rescore: bool, early: bool) -> np.ndarray:
    """darknet's deltas with respect to the raw outputs of one picture (its GPU form: gradients of the logistic included)."""
    delta = np.zeros(map.shape)
    for a in range(len(ANCHORS)):
        for j in range(ROWS):
            for i in range(COLUMNS):
                box = box_at(map, a, j, i)
                conf = sigmoid(float(map[a * PER + 4, j, i]))
                best = max((plain_iou(box, other) for _, other in truth), default=0.0)
                delta[a * PER + 4, j, i] = 0 if best > 0.6 else (0 - conf) * conf * (1 - conf)
                if early:
                    for k in (0, 1):
                        s = sigmoid(float(map[a * PER + k, j, i]))
                        delta[a * PER + k, j, i] = 0.01 * (0.5 - s) * s * (1 - s)
                        delta[a * PER + 2 + k, j, i] = 0.01 * (0 - float(map[a * PER + 2 + k, j, i]))
    for (a, j, i), (label, box) in responsible(truth).items():
        scale = 2 - box[2] * box[3]
        aims = (box[0] * COLUMNS - i, box[1] * ROWS - j, math.log(box[2] * COLUMNS / ANCHORS[a][0]),
                math.log(box[3] * ROWS / ANCHORS[a][1]))  # fmt: skip
        for k in range(4):
            value = float(map[a * PER + k, j, i])
            s = sigmoid(value)
            delta[a * PER + k, j, i] = scale * ((aims[k] - s) * s * (1 - s) if k < 2 else aims[k] - value)
        conf = sigmoid(float(map[a * PER + 4, j, i]))
        aim = plain_iou(box_at(map, a, j, i), box) if rescore else 1.0
        delta[a * PER + 4, j, i] = 5 * (aim - conf) * conf * (1 - conf)
        chances = softmax([float(v) for v in map[a * PER + 5 : (a + 1) * PER, j, i]])
        for c in range(CLASSES):
            delta[a * PER + 5 + c, j, i] = (1.0 if c == label else 0.0) - chances[c]
    return delta


@pytest.mark.parametrize(("rescore", "early"), [(False, False), (True, False), (False, True)])
def test_the_gradient_is_darknets_delta(rescore: bool, early: bool) -> None:
    targets, truth = random_truth(4, 20, CLASSES, seed=1)
    head = build_head(ENTRY, {"rescore": rescore, "prior_images": 100 if early else 0})
    map = random_map(4, seed=2)
    (found,) = gradients(head, map, targets)
    for picture, one in enumerate(truth):
        expected = -deltas(map[picture].detach().numpy(), one, rescore, early) / 4
        assert np.allclose(found[picture].numpy(), expected, atol=1e-6)


def test_some_boxes_are_left_out_for_their_overlap() -> None:
    """The case above would be blind without them."""
    _, truth = random_truth(4, 20, CLASSES, seed=1)
    map = random_map(4, seed=2).numpy()
    spots = [(a, j, i) for a in range(3) for j in range(ROWS) for i in range(COLUMNS)]
    overlaps = [
        max((plain_iou(box_at(map[p], *s), b) for _, b in one), default=0) for p, one in enumerate(truth) for s in spots
    ]
    assert 3 < sum(overlap > 0.6 for overlap in overlaps) < len(overlaps)


def test_st_loss_against_loops() -> None:
    targets, truth = random_truth(3, 4, CLASSES, seed=3)
    map = random_map(3, seed=4)
    sums = {"coord": 0.0, "object": 0.0, "noobject": 0.0, "cls": 0.0}
    for picture, one in enumerate(truth):
        m, places = map[picture], responsible(one)
        for a in range(len(ANCHORS)):
            for j in range(ROWS):
                for i in range(COLUMNS):
                    conf = sigmoid(float(m[a * PER + 4, j, i]))
                    if (a, j, i) not in places:
                        best = max((plain_iou(box_at(m, a, j, i), other) for _, other in one), default=0.0)
                        sums["noobject"] += 0.5 * conf**2 * (best <= 0.6)
                        continue
                    label, box = places[(a, j, i)]
                    aims = (box[0] * COLUMNS - i, box[1] * ROWS - j, math.log(box[2] * COLUMNS / ANCHORS[a][0]),
                            math.log(box[3] * ROWS / ANCHORS[a][1]))  # fmt: skip
                    values = [float(v) for v in m[a * PER : a * PER + 4, j, i]]
                    seen = [sigmoid(values[0]), sigmoid(values[1]), *values[2:]]
                    sums["coord"] += 0.5 * sum((s - t) ** 2 for s, t in zip(seen, aims, strict=True))
                    sums["object"] += 0.5 * 5 * (1 - conf) ** 2
                    chances = softmax([float(v) for v in m[a * PER + 5 : (a + 1) * PER, j, i]])
                    sums["cls"] += 0.5 * sum(((c == label) - p) ** 2 for c, p in enumerate(chances))
    found = build_head(ENTRY, {"target": "st"}).loss(map, targets)
    assert {name: float(v) for name, v in found.items()} == pytest.approx({k: v / 3 for k, v in sums.items()}, rel=1e-5)


def test_the_gradient_of_st_is_that_of_its_values() -> None:
    targets, _ = random_truth(2, 3, CLASSES, seed=6)
    head = build_head(ENTRY, {"target": "st"})

    def total(map: Tensor) -> Tensor:
        return torch.stack(list(head.loss(map, targets, update=False).values())).sum()

    map = random_map(2, seed=7).requires_grad_(True)
    assert torch.autograd.gradcheck(total, (map,), atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("unit", ["cells", "image"])
def test_a_perfect_output_gives_the_boxes_back(unit: str) -> None:
    pairs = [[w / COLUMNS, h / ROWS] for w, h in ANCHORS] if unit == "image" else ANCHORS
    entry = {**ENTRY, "options": OPTIONS | {"anchors": [pairs], "unit": unit, "score": 0.3}}
    decode, head = build_decoder(entry), build_head(entry, {})
    _, truth = random_truth(6, 4, CLASSES, seed=8)
    for one in truth:
        map = np.full((len(ANCHORS) * PER, ROWS, COLUMNS), -9, np.float32)
        places = responsible(one)
        for (a, j, i), (label, (x, y, w, h)) in places.items():
            inside = np.clip([x * COLUMNS - i, y * ROWS - j], 1e-6, 1 - 1e-6)
            map[a * PER : a * PER + 2, j, i] = np.log(inside / (1 - inside))
            map[a * PER + 2 : a * PER + 4, j, i] = np.log([w * COLUMNS / ANCHORS[a][0], h * ROWS / ANCHORS[a][1]])
            map[a * PER + 4, j, i] = 5
            map[a * PER + 5 + label, j, i] = 9
        found = decode(map)
        boxes, _ = corner_boxes(list(places.values()))
        assert len(found) <= len(places)
        for box in found.boxes:
            assert np.abs(boxes - box).max(axis=1).min() < 1e-4
        assert np.array_equal(head.decode(torch.from_numpy(map)[None])[0].boxes, found.boxes)


def test_every_box_with_every_class() -> None:
    """As darknet lists them: a box may be found as two classes."""
    map = np.full((len(ANCHORS) * PER, ROWS, COLUMNS), -9, np.float32)
    map[:7, 1, 1] = [0, 0, 0, 0, 9, 1, 1]
    found = build_decoder({**ENTRY, "options": OPTIONS | {"score": 0.3}})(map)
    assert found.labels.tolist() == [0, 1]
    assert np.array_equal(found.boxes[0], found.boxes[1])


def test_each_of_several_maps_learns_all_objects() -> None:
    options = OPTIONS | {"anchors": [[(0.5, 0.5)], [(0.5, 0.5)]], "unit": "image"}
    entry = {**ENTRY, "options": options}
    targets, _ = random_truth(3, 3, CLASSES, seed=11)
    maps = [random_map(3, seed=1)[:, :PER], torch.randn(3, PER, 2, 2, dtype=torch.float64)]
    both = build_head(entry, {"target": "st"}).loss(maps, targets)
    single = {**ENTRY, "options": OPTIONS | {"anchors": [[(0.5, 0.5)]], "unit": "image"}}
    alone = [build_head(single, {"target": "st"}).loss(map, targets) for map in maps]
    for name, value in both.items():
        assert float(value) == pytest.approx(float(alone[0][name] + alone[1][name]))
    found = build_decoder(entry)({"map": [map[0].float().numpy() for map in maps]})
    assert len(found) > 0


def test_pictures_are_counted_and_the_pull_ends() -> None:
    targets, _ = random_truth(4, 3, CLASSES, seed=1)
    head = build_head(ENTRY, {"prior_images": 8})
    map = random_map(4, seed=3)
    assert head.loss(map, targets)["prior"] > 0
    assert head.loss(map, targets, update=False)["prior"] == 0
    other = build_head(ENTRY, {"prior_images": 8})
    other.load_state_dict(head.state_dict())
    for each in (head, other):
        assert each.loss(map, targets)["prior"] > 0
        assert each.loss(map, targets)["prior"] == 0  # and there still: an epoch's terms are always the same
    assert "prior" not in build_head(ENTRY, {"prior_images": 0}).loss(map, targets)
    with pytest.raises(DetrtError, match="expected seen"):
        head.load_state_dict({"norm": torch.zeros(1)})


def test_pictures_without_objects() -> None:
    map = random_map(2, seed=3).requires_grad_(True)
    for targets in (torch.full((2, 3, 5), -1.0), torch.zeros(2, 0, 5)):
        terms = build_head(ENTRY, {}).loss(map, targets)
        assert all(torch.isfinite(value) for value in terms.values())
        assert float(terms["noobject"].detach()) > 0 and float(terms["coord"].detach()) == 0


def test_shares_of_processes_add_up() -> None:
    targets, _ = random_truth(4, 5, CLASSES, seed=9)
    map = random_map(4, seed=3)
    whole = {name: float(value) for name, value in build_head(ENTRY, {}).loss(map, targets).items()}
    parts = [(map[:1], targets[:1]), (map[1:], targets[1:])]
    assert shared_out(lambda: build_head(ENTRY, {}), parts) == pytest.approx(whole, rel=1e-6)


def test_values_beyond_reason_give_no_box_and_no_nan() -> None:
    map = np.zeros((len(ANCHORS) * PER, ROWS, COLUMNS), np.float32)
    map[2::PER] = 200
    map[4::PER] = 200
    assert len(build_decoder(ENTRY)(map)) == 0
    targets, _ = random_truth(1, 2, CLASSES, seed=1)
    terms = build_head(ENTRY, {"rescore": True}).loss(torch.from_numpy(map)[None], targets)
    assert all(torch.isfinite(value) for value in terms.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anchors": []}, "`anchors` are not given"),
        ({"anchors": [[(1, 0)]]}, "an anchor is"),
        ({"anchors": [["a"]]}, "an anchor is"),
        ({"unit": "pixels"}, "no unit `pixels`"),
        ({"nms": "much"}, "`nms` is 'much', not a number"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        build_decoder({**ENTRY, "options": OPTIONS | options})


def test_maps_that_are_not_the_heads_are_refused() -> None:
    with pytest.raises(DetrtError, match="expects 24 channels"):
        build_head(ENTRY, {}).loss(torch.zeros(1, 23, 4, 5), torch.zeros(1, 0, 5))
    with pytest.raises(DetrtError, match="expects 1 maps, the model gives 2"):
        build_head(ENTRY, {}).loss([torch.zeros(1, 24, 4, 5)] * 2, torch.zeros(1, 0, 5))
