"""The YOLOX head against a plain reading of its facts, and what must hold beyond them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head
from detrt.heads.assigning import Places, dynamic_k
from detrt.heads.cells import cells_of
from detrt.heads.yolox import YoloxHead
from detrt.heads.yolox_loss import decoded, raw_of, simota

GRIDS = ((8, 8), (4, 4), (2, 2))
STRIDES = (8, 16, 32)
IMAGE = (64, 64)
CLASSES = 3
CELLS = [(x * s, y * s, s) for (h, w), s in zip(GRIDS, STRIDES, strict=True) for y in range(h) for x in range(w)]
PLACES = Places.of(cells_of(GRIDS, STRIDES, IMAGE), torch.device("cpu"))


def head(loss: dict[str, Any] | None = None, **options: Any) -> YoloxHead:
    given = {"classes": CLASSES, "strides": list(STRIDES), "image": list(IMAGE), **options}
    built = build_head({"kind": "yolox", "on": ["box", "obj", "cls"], "options": given}, loss)
    assert isinstance(built, YoloxHead)
    return built


def random_boxes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    corner = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(0.05, 0.5, (count, 2)), 1)], axis=1)
    return boxes.astype(np.float32), rng.integers(0, CLASSES, count)


def maps_of(rows: torch.Tensor, grids: tuple[tuple[int, int], ...] = GRIDS) -> list[torch.Tensor]:
    """[n, A, k] as the model gives it: a map [n, k, rows, columns] a level."""
    levels = rows.split([h * w for h, w in grids], dim=1)
    return [level.permute(0, 2, 1).reshape(len(rows), -1, h, w) for level, (h, w) in zip(levels, grids, strict=True)]


def outputs_of(raw: torch.Tensor, obj: torch.Tensor, cls: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    return {"box": maps_of(raw), "obj": maps_of(obj), "cls": maps_of(cls)}


def random_case(seed: int, pictures: int = 3) -> tuple[list[torch.Tensor], torch.Tensor]:
    rng = np.random.default_rng(seed)
    targets = torch.full((pictures, 5, 5), -1.0)
    for picture in range(pictures):
        rows = head().targets(*random_boxes(rng, int(rng.integers(0, 5))))
        targets[picture, : len(rows)] = rows
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(pictures, len(CELLS), k, generator=generator) for k in (4, 1, CLASSES)], targets


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def plain_box(raw: list[float], cell: tuple[int, int, int]) -> list[float]:
    x, y = (raw[i] * cell[2] + cell[i] for i in (0, 1))
    w, h = (math.exp(raw[i]) * cell[2] for i in (2, 3))
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def plain_iou(a: list[float], b: list[float]) -> float:
    width, height = (max(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0) for i in (0, 1))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


def plain_simota(
    boxes: list[list[float]], obj: list[float], cls: list[list[float]], truth: list[list[float]], labels: list[int]
) -> dict[int, tuple[int, float]]:
    """Cell -> (object, IoU)."""

    def near(cell: tuple[int, int, int], box: list[float]) -> bool:
        return all(abs(cell[i] + cell[2] / 2 - (box[i] + box[i + 2]) / 2) < 1.5 * cell[2] for i in (0, 1))

    candidates = [a for a, cell in enumerate(CELLS) if any(near(cell, box) for box in truth)]
    overlap = {(g, a): plain_iou(boxes[a], box) for g, box in enumerate(truth) for a in candidates}
    cost = {}
    for g, box in enumerate(truth):
        for a in candidates:
            surprise = 0.0
            for c in range(CLASSES):
                chance = math.sqrt(sigmoid(cls[a][c]) * sigmoid(obj[a]))
                surprise -= math.log(chance) if c == labels[g] else math.log(1 - chance)
            far = 0 if near(CELLS[a], box) else 1e6
            cost[g, a] = surprise - 3 * math.log(overlap[g, a] + 1e-8) + far
    wanted: dict[int, list[int]] = {}
    for g in range(len(truth)):
        k = max(int(sum(sorted((overlap[g, a] for a in candidates), reverse=True)[:10])), 1)
        for a in sorted(candidates, key=lambda a: cost[g, a])[:k]:
            wanted.setdefault(a, []).append(g)
    chosen = {}
    for a, rivals in wanted.items():
        g = rivals[0] if len(rivals) == 1 else min(range(len(truth)), key=lambda g: cost[g, a])
        chosen[a] = (g, overlap[g, a])
    return chosen


def plain_loss(outputs: list[torch.Tensor], targets: torch.Tensor, l1: bool) -> dict[str, float]:
    sums = dict.fromkeys(("iou", "obj", "cls", "l1"), 0.0)
    count = 0

    def entropy(logit: float, aim: float) -> float:
        return max(logit, 0) - logit * aim + math.log1p(math.exp(-abs(logit)))

    for picture in range(len(targets)):
        raw, obj, cls = (output[picture].double().tolist() for output in outputs)
        rows = [row for row in targets[picture].double().tolist() if row[0] >= 0]
        truth = [[v * 64 for v in row[1:]] for row in rows]
        labels = [int(row[0]) for row in rows]
        boxes = [plain_box(r, cell) for r, cell in zip(raw, CELLS, strict=True)]
        chosen = plain_simota(boxes, [o[0] for o in obj], cls, truth, labels) if truth else {}
        count += len(chosen)
        for a, cell in enumerate(CELLS):
            sums["obj"] += entropy(obj[a][0], float(a in chosen))
            if a not in chosen:
                continue
            g, overlap = chosen[a]
            sums["iou"] += 5 * (1 - overlap**2)
            sums["cls"] += sum(entropy(cls[a][c], overlap if c == labels[g] else 0.0) for c in range(CLASSES))
            box = truth[g]
            aims = [((box[i] + box[i + 2]) / 2 - cell[i]) / cell[2] for i in (0, 1)]
            aims += [math.log((box[i + 2] - box[i]) / cell[2] + 1e-8) for i in (0, 1)]
            sums["l1"] += sum(abs(r - aim) for r, aim in zip(raw[a], aims, strict=True))
    return {name: value / max(count, 1) for name, value in sums.items() if l1 or name != "l1"}


@pytest.mark.parametrize(("seed", "l1"), [(0, False), (1, True), (2, True), (3, False)])
def test_the_loss_equals_a_plain_reading(seed: int, l1: bool) -> None:
    outputs, targets = random_case(seed)
    own = head()
    own.begin_epoch(9, 10, l1)
    terms = own.loss(outputs_of(*outputs), targets)
    expected = plain_loss(outputs, targets, l1)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-4)


def test_l1_ends_with_the_epochs_that_ask_for_it() -> None:
    outputs, targets = random_case(1)
    own = head()
    seen = []
    for no_aug in (False, True, False):
        own.begin_epoch(0, 3, no_aug)
        seen.append("l1" in own.loss(outputs_of(*outputs), targets))
    assert seen == [False, True, False]


def test_the_gradient_is_that_of_the_loss() -> None:
    outputs, targets = random_case(2)
    own = head()
    own.begin_epoch(0, 1, True)
    leaves = [output.requires_grad_() for output in outputs]
    sum(own.loss(outputs_of(*leaves), targets).values()).backward()
    rng = np.random.default_rng(0)
    held = own.loss(outputs_of(*leaves), targets)
    for number, leaf in enumerate(leaves):
        assert leaf.grad is not None
        for _ in range(4):
            step = torch.from_numpy(rng.normal(size=leaf.shape)).float() * 1e-4
            sides = []
            for sign in (1, -1):
                moved = [o.detach() + sign * step if i == number else o.detach() for i, o in enumerate(leaves)]
                terms = own.loss(outputs_of(*moved), targets)
                # classes aim at the IoU of the moment, which has no gradient: hold it by leaving `cls` out for boxes
                sides.append(float(sum(v for name, v in terms.items() if number != 0 or name != "cls")))
            assert (sides[0] - sides[1]) / 2 == pytest.approx(float((leaf.grad * step).sum()), rel=0.1, abs=3e-4)
    assert held.keys() == {"iou", "obj", "cls", "l1"}


def test_shares_of_processes_add_up_to_the_global_loss() -> None:
    outputs, targets = random_case(4, pictures=4)
    counts: list[torch.Tensor] = []

    def note(count: torch.Tensor) -> torch.Tensor:
        counts.append(count)
        return count

    shares = [slice(0, 1), slice(1, 4)]
    whole = sum(head().loss(outputs_of(*outputs), targets).values())
    for s in shares:
        head().loss(outputs_of(*(o[s] for o in outputs)), targets[s], note)
    everything = torch.stack(counts).sum(0)
    parts = [
        sum(head().loss(outputs_of(*(o[s] for o in outputs)), targets[s], lambda _: everything).values())
        for s in shares
    ]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-5)


def test_pictures_without_objects_teach_that_nothing_is_there() -> None:
    outputs, targets = random_case(5)
    leaves = [output.requires_grad_() for output in outputs]
    for empty in (torch.full_like(targets, -1), targets[:, :0]):
        own = head()
        own.begin_epoch(0, 1, True)
        terms = own.loss(outputs_of(*leaves), empty)
        sum(terms.values()).backward()
        assert all(math.isfinite(v.item()) for v in terms.values())
        assert terms["obj"] > 0 and terms["iou"] == terms["cls"] == terms["l1"] == 0
        assert all(leaf.grad is not None and torch.isfinite(leaf.grad).all() for leaf in leaves)


def test_half_precision_outputs_give_the_loss_of_full_ones() -> None:
    outputs, targets = random_case(6)
    halves = [output.bfloat16() for output in outputs]
    expected = sum(head().loss(outputs_of(*(h.float() for h in halves)), targets).values())
    with torch.autocast("cpu", torch.bfloat16):
        found = sum(head().loss(outputs_of(*halves), targets).values())
    assert found.dtype == torch.float32 and float(found) == float(expected)


def test_values_that_are_not_finite_are_no_crash() -> None:
    outputs, targets = random_case(1)
    for value in (math.nan, math.inf, -math.inf):
        broken = outputs_of(*(torch.full_like(o, value) for o in outputs))
        assert not math.isfinite(float(sum(head().loss(broken, targets).values())))
        assert all(len(found) == 0 for found in head().decode(broken))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=40)
def test_what_an_assignment_must_keep(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, labels = random_boxes(rng, count)
    (raw, obj, cls), _ = random_case(seed % 1000, pictures=1)
    truth = torch.from_numpy(boxes) * 64
    found = simota(decoded(raw, PLACES)[0], obj[0], cls[0], truth, torch.from_numpy(labels), PLACES, 1.5)
    assert len(set(found.cells.tolist())) == len(found.cells)  # a cell has at most one object
    middles = (truth[:, :2] + truth[:, 2:]) / 2
    for cell, iou in zip(found.cells.tolist(), found.iou.tolist(), strict=True):
        x, y, stride = CELLS[cell]
        away = (middles - torch.tensor([x + stride / 2, y + stride / 2])).abs().amax(1)
        assert (away < 1.5 * stride).any() and 0 <= iou <= 1
    apart = [
        g for g in range(count) if all((middles[g] - middles[o]).abs().amax() > 96 for o in range(count) if o != g)
    ]
    assert set(apart) <= set(found.objects.tolist())  # whose cells nobody else wants has one at least


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 20))
@settings(max_examples=50)
def test_an_object_that_is_alone_gets_the_cells_its_overlaps_add_up_to(seed: int, objects: int, cells: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cost, iou = torch.rand(objects, cells, generator=generator), torch.rand(objects, cells, generator=generator)
    for g in range(objects):
        found = dynamic_k(cost[g : g + 1], iou[g : g + 1], 10)
        k = min(max(int(iou[g].sort(descending=True).values[:10].sum()), 1), cells, 10)
        assert found.cells.tolist() == sorted(cost[g].argsort()[:k].tolist())
    found = dynamic_k(cost, iou, 10)
    assert torch.equal(found.iou, iou[found.objects, found.cells])
    assert len(found.cells.unique()) == len(found.cells) and objects * min(cells, 10) >= len(found.cells) >= 1


@given(st.integers(0, 2**32 - 1))
def test_raw_values_decode_to_their_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = torch.from_numpy(random_boxes(rng, 5)[0]) * 64
    at = torch.from_numpy(rng.integers(0, len(CELLS), 5))
    corner, stride = PLACES.corner[at], PLACES.stride[at]
    back = decoded(raw_of(boxes, corner, stride[:, None]), Places(corner, stride, PLACES.canvas))
    torch.testing.assert_close(back, boxes, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("side", ["torch", "numpy"])
def test_decoding_equals_a_plain_reading(side: str) -> None:
    outputs, _ = random_case(7, pictures=1)
    given = {"classes": CLASSES, "strides": list(STRIDES), "image": list(IMAGE), "score": 0.3, "nms": 1.0}
    maps = outputs_of(*outputs)
    if side == "torch":
        found = head(**given).decode(maps)[0]
    else:
        decode = build_decoder({"kind": "yolox", "on": ["box", "obj", "cls"], "options": given})
        found = decode({name: [one[0].numpy() for one in each] for name, each in maps.items()})
    raw, obj, cls = (output[0].double().tolist() for output in outputs)
    expected = []
    for a, cell in enumerate(CELLS):
        label = max(range(CLASSES), key=lambda c: cls[a][c])
        score = sigmoid(obj[a][0]) * sigmoid(cls[a][label])
        if score > 0.3:
            expected.append((score, label, [v / 64 for v in plain_box(raw[a], cell)]))
    expected.sort(key=lambda row: -row[0])
    expected = expected[:100]
    np.testing.assert_allclose(found.scores, [row[0] for row in expected], rtol=1e-5)
    assert found.labels.tolist() == [row[1] for row in expected]
    np.testing.assert_allclose(found.boxes, [row[2] for row in expected], rtol=1e-4, atol=1e-5)


def test_grids_come_from_the_outputs() -> None:
    """Boxes are shares of the canvas that the maps say, also at another size than that of the options."""
    grids = ((12, 16), (6, 8), (3, 4))
    rows = torch.zeros(1, 12 * 16 + 6 * 8 + 3 * 4, 4)
    obj, cls = torch.full_like(rows[..., :1], -20.0), torch.full((1, rows.shape[1], CLASSES), 20.0)
    obj[0, 12 * 16] = 20.0  # the first cell of stride 16
    found = head().decode({"box": maps_of(rows, grids), "obj": maps_of(obj, grids), "cls": maps_of(cls, grids)})[0]
    np.testing.assert_allclose(found.boxes[0], [-8 / 128, -8 / 96, 8 / 128, 8 / 96], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"classes": 0}, {}),
        ({"strides": []}, {}),
        ({"strides": [8, 16, 0]}, {}),
        ({"anchors": 3}, {}),
        ({"soft": "hard"}, {}),
        ({}, {"focal": 2}),
        ({}, {"radius": 0.0}),
        ({}, {"iou": -1.0}),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], loss: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        head(loss, **options)


def test_maps_of_another_shape_are_named() -> None:
    outputs, _ = random_case(8)
    maps = outputs_of(*outputs)
    with pytest.raises(DetrtError, match=r"cls\[0\]"):
        head(classes=4).decode(maps)
    with pytest.raises(DetrtError, match="strides"):
        head().decode({name: each[:2] for name, each in maps.items()})
    with pytest.raises(DetrtError, match="obj"):
        head().decode({**maps, "obj": maps["obj"][:2]})
