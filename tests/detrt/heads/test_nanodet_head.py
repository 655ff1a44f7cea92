"""The NanoDet-Plus head against a plain reading of its facts, and what must hold beyond them."""

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
from detrt.heads.assigning import Places
from detrt.heads.cells import cells_of
from detrt.heads.nanodet import NanodetHead
from detrt.heads.nanodet_loss import decoded, distribution_focal, dsla
from detrt.heads.overlap import giou

IMAGE = (72, 72)
STRIDES = (8, 16, 32)
GRIDS = ((9, 9), (5, 5), (3, 3))
CLASSES = 3
BINS = 8
CELLS = [(x * s, y * s, s) for (h, w), s in zip(GRIDS, STRIDES, strict=True) for y in range(h) for x in range(w)]
PLACES = Places.of(cells_of(GRIDS, STRIDES, IMAGE), torch.device("cpu"))


def head(loss: dict[str, Any] | None = None, **options: Any) -> NanodetHead:
    given = {"classes": CLASSES, "strides": list(STRIDES), "image": list(IMAGE), "reg_max": 7, **options}
    built = build_head({"kind": "nanodet", "on": ["maps"], "options": given}, loss)
    assert isinstance(built, NanodetHead)
    return built


def random_boxes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    corner = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(0.05, 0.5, (count, 2)), 1)], axis=1)
    return boxes.astype(np.float32), rng.integers(0, CLASSES, count)


def maps_of(rows: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """[n, A, classes + 4 * 8] as the model gives it: a map a level."""
    levels = rows.split([h * w for h, w in GRIDS], dim=1)
    maps = [level.permute(0, 2, 1).reshape(len(rows), -1, h, w) for level, (h, w) in zip(levels, GRIDS, strict=True)]
    return {"maps": maps}


def random_case(seed: int, pictures: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    targets = torch.full((pictures, 5, 5), -1.0)
    for picture in range(pictures):
        rows = head().targets(*random_boxes(rng, int(rng.integers(0, 5))))
        targets[picture, : len(rows)] = rows
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(pictures, len(CELLS), CLASSES + 4 * BINS, generator=generator), targets


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def entropy(logit: float, aim: float) -> float:
    return max(logit, 0) - logit * aim + math.log1p(math.exp(-abs(logit)))


def shares(bins: list[float]) -> list[float]:
    powers = [math.exp(b - max(bins)) for b in bins]
    return [p / sum(powers) for p in powers]


def plain_box(row: list[float], cell: tuple[int, int, int]) -> list[float]:
    sides = [row[CLASSES + 8 * i : CLASSES + 8 * i + 8] for i in range(4)]
    left, top, right, bottom = (sum(k * p for k, p in enumerate(shares(bins))) * cell[2] for bins in sides)
    return [cell[0] - left, cell[1] - top, cell[0] + right, cell[1] + bottom]


def plain_area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def plain_overlap(a: list[float], b: list[float]) -> tuple[float, float]:
    """IoU and GIoU."""
    width, height = (max(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0) for i in (0, 1))
    union = plain_area(a) + plain_area(b) - width * height
    hull = plain_area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
    return width * height / union, width * height / union - (hull - union) / hull


def plain_dsla(rows: list[list[float]], truth: list[list[float]], labels: list[int]) -> dict[int, tuple[int, float]]:
    """Cell -> (object, IoU)."""
    candidates = [
        a for a, (x, y, _) in enumerate(CELLS) if any(box[0] < x < box[2] and box[1] < y < box[3] for box in truth)
    ]
    cost, overlap = {}, {}
    for a in candidates:
        box = plain_box(rows[a], CELLS[a])
        for g, wanted in enumerate(truth):
            overlap[g, a] = plain_overlap(box, wanted)[0]
            surprise = 0.0
            for c in range(CLASSES):
                aim = overlap[g, a] if c == labels[g] else 0.0
                surprise += entropy(rows[a][c], aim) * abs(aim - sigmoid(rows[a][c])) ** 2
            cost[g, a] = surprise - 3 * math.log(overlap[g, a] + 1e-7)
    wanted_by: dict[int, list[int]] = {}
    for g in range(len(truth)):
        k = max(int(sum(sorted((overlap[g, a] for a in candidates), reverse=True)[:13])), 1)
        for a in sorted(candidates, key=lambda a: cost[g, a])[:k]:
            wanted_by.setdefault(a, []).append(g)
    chosen = {}
    for a, rivals in wanted_by.items():
        g = rivals[0] if len(rivals) == 1 else min(range(len(truth)), key=lambda g: cost[g, a])
        chosen[a] = (g, overlap[g, a])
    return chosen


def plain_loss(outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    sums = dict.fromkeys(("qfl", "dfl", "giou"), 0.0)
    count, weights = 0, 0.0
    for picture in range(len(targets)):
        values = outputs[picture].double().tolist()
        rows = [row for row in targets[picture].double().tolist() if row[0] >= 0]
        truth, labels = [[v * 72 for v in row[1:]] for row in rows], [int(row[0]) for row in rows]
        chosen = plain_dsla(values, truth, labels) if truth else {}
        count += len(chosen)
        for a, cell in enumerate(CELLS):
            g, overlap = chosen.get(a, (-1, 0.0))
            for c in range(CLASSES):
                aim = overlap if g >= 0 and c == labels[g] else 0.0
                sums["qfl"] += entropy(values[a][c], aim) * abs(aim - sigmoid(values[a][c])) ** 2
            if g < 0:
                continue
            weight = max(sigmoid(v) for v in values[a][:CLASSES])
            weights += weight
            sums["giou"] += 2 * weight * (1 - plain_overlap(plain_box(values[a], cell), truth[g])[1])
            box = truth[g]
            away = [cell[0] - box[0], cell[1] - box[1], box[2] - cell[0], box[3] - cell[1]]
            for side in range(4):
                distance = min(max(away[side] / cell[2], 0), 6.9)
                chances = shares(values[a][CLASSES + 8 * side : CLASSES + 8 * side + 8])
                low = int(distance)
                found = -math.log(chances[low]) * (low + 1 - distance) - math.log(chances[low + 1]) * (distance - low)
                sums["dfl"] += 0.25 * weight * found / 4
    norms = {"qfl": max(count, 1), "dfl": max(weights, 1), "giou": max(weights, 1)}
    return {name: value / norms[name] for name, value in sums.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_equals_a_plain_reading(seed: int) -> None:
    outputs, targets = random_case(seed)
    terms = head().loss(maps_of(outputs), targets)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(plain_loss(outputs, targets), rel=1e-4)


def test_the_gradient_is_that_of_the_loss() -> None:
    outputs, targets = random_case(2)
    leaf = outputs.requires_grad_()
    # boxes: what classes aim at and are weighted by is held, so only the terms of the boxes may be compared
    for columns, names in ((slice(CLASSES, None), ("dfl", "giou")), (slice(0, CLASSES), ("qfl",))):
        leaf.grad = None
        terms = head().loss(maps_of(leaf), targets)
        sum(terms[name] for name in names).backward()
        assert leaf.grad is not None
        rng = np.random.default_rng(0)
        for _ in range(5):
            step = torch.zeros_like(leaf)
            step[..., columns] = torch.from_numpy(rng.normal(size=step[..., columns].shape)).float() * 1e-4
            sides = []
            for sign in (1, -1):
                moved = head().loss(maps_of(leaf.detach() + sign * step), targets)
                sides.append(float(sum(moved[name] for name in names)))
            assert (sides[0] - sides[1]) / 2 == pytest.approx(float((leaf.grad * step).sum()), rel=0.1, abs=1e-4)


def test_shares_of_processes_add_up_to_the_global_loss() -> None:
    outputs, targets = random_case(4, pictures=4)
    norms: list[torch.Tensor] = []

    def note(norm: torch.Tensor) -> torch.Tensor:
        norms.append(norm)
        return norm

    shares_of = [slice(0, 1), slice(1, 4)]
    whole = sum(head().loss(maps_of(outputs), targets).values())
    for s in shares_of:
        head().loss(maps_of(outputs[s]), targets[s], note)
    everything = torch.stack(norms).sum(0)
    parts = [sum(head().loss(maps_of(outputs[s]), targets[s], lambda _: everything).values()) for s in shares_of]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-5)


def test_pictures_without_objects_teach_that_nothing_is_there() -> None:
    outputs, targets = random_case(5)
    leaf = outputs.requires_grad_()
    for empty in (torch.full_like(targets, -1), targets[:, :0]):
        terms = head().loss(maps_of(leaf), empty)
        sum(terms.values()).backward()
        assert terms["qfl"] > 0 and terms["dfl"] == terms["giou"] == 0
        assert leaf.grad is not None and torch.isfinite(leaf.grad).all()


def test_half_precision_outputs_give_the_loss_of_full_ones() -> None:
    outputs, targets = random_case(6)
    half = outputs.bfloat16()
    expected = sum(head().loss(maps_of(half.float()), targets).values())
    with torch.autocast("cpu", torch.bfloat16):
        found = sum(head().loss(maps_of(half), targets).values())
    assert found.dtype == torch.float32 and float(found) == float(expected)


def test_values_that_are_not_finite_are_no_crash() -> None:
    outputs, targets = random_case(1)
    for value in (math.nan, math.inf):
        broken = maps_of(torch.full_like(outputs, value))
        assert not math.isfinite(float(sum(head().loss(broken, targets).values())))
        assert all(len(found) == 0 for found in head().decode(broken))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=40)
def test_what_an_assignment_must_keep(seed: int, count: int) -> None:
    boxes, labels = random_boxes(np.random.default_rng(seed), count)
    outputs, _ = random_case(seed % 1000, pictures=1)
    truth = torch.from_numpy(boxes) * 72
    sides = outputs[..., CLASSES:].reshape(1, -1, 4, BINS)
    own = torch.from_numpy(labels)
    found = dsla(decoded(sides, PLACES)[0], outputs[0, :, :CLASSES], truth, own, PLACES)
    assert len(found.cells.unique()) == len(found.cells)  # a cell has at most one object
    for cell in found.cells.tolist():
        x, y, _ = CELLS[cell]
        assert ((truth[:, 0] < x) & (x < truth[:, 2]) & (truth[:, 1] < y) & (y < truth[:, 3])).any()
    alone = dsla(decoded(sides, PLACES)[0], outputs[0, :, :CLASSES], truth[:1], own[:1], PLACES)
    inside = [a for a, (x, y, _) in enumerate(CELLS) if truth[0, 0] < x < truth[0, 2] and truth[0, 1] < y < truth[0, 3]]
    assert bool(len(alone.cells)) is bool(inside)


@given(st.integers(0, 2**32 - 1))
def test_a_distance_split_over_two_bins_is_its_own_mean(seed: int) -> None:
    """The distribution that distribution focal loss asks for decodes to the distance."""
    rng = np.random.default_rng(seed)
    at = torch.from_numpy(rng.integers(0, len(CELLS), 4))
    distances = torch.from_numpy(rng.uniform(0, 6.9, (4, 4))).float()
    low = distances.floor().long()
    chances = torch.zeros(4, 4, BINS).scatter_(2, low[..., None], (1 - (distances - low))[..., None])
    chances.scatter_(2, low[..., None] + 1, (distances - low)[..., None])
    logits = (chances + 1e-12).log()
    corner, stride = PLACES.corner[at], PLACES.stride[at]
    boxes = decoded(logits, Places(corner, stride, PLACES.canvas))
    back = torch.cat([corner - boxes[:, :2], boxes[:, 2:] - corner], 1) / stride[:, None]
    torch.testing.assert_close(back, distances, rtol=1e-4, atol=1e-4)
    rest = torch.randn(4, 4, BINS, generator=torch.Generator().manual_seed(seed % 2**32))
    assert (distribution_focal(logits, distances) <= distribution_focal(rest, distances) + 1e-4).all()


def test_giou_of_known_boxes() -> None:
    a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 1, 1]])
    b = torch.tensor([[1.0, 1, 3, 3], [0, 0, 1, 1], [2, 0, 3, 1]])
    torch.testing.assert_close(giou(a, b), torch.tensor([1 / 7 - 2 / 9, 1.0, -1 / 3]))


@pytest.mark.parametrize("side", ["torch", "numpy"])
def test_decoding_equals_a_plain_reading(side: str) -> None:
    outputs, _ = random_case(7, pictures=1)
    given = {"classes": CLASSES, "strides": list(STRIDES), "image": list(IMAGE), "score": 0.6, "nms": 1.0}
    if side == "torch":
        found = head(**given).decode(maps_of(outputs))[0]
    else:
        decode = build_decoder({"kind": "nanodet", "on": ["maps"], "options": given})
        found = decode({"maps": [one[0].numpy() for one in maps_of(outputs)["maps"]]})
    expected = []
    for row, cell in zip(outputs[0].double().tolist(), CELLS, strict=True):
        box = [min(max(v, 0), 72) / 72 for v in plain_box(row, cell)]
        expected += [(sigmoid(row[c]), c, box) for c in range(CLASSES) if sigmoid(row[c]) > 0.6]
    expected.sort(key=lambda one: -one[0])
    expected = expected[:100]
    np.testing.assert_allclose(found.scores, [one[0] for one in expected], rtol=1e-5)
    assert found.labels.tolist() == [one[1] for one in expected]
    np.testing.assert_allclose(found.boxes, [one[2] for one in expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"classes": 0}, {}),
        ({"strides": [8, 16, -1]}, {}),
        ({"reg_max": 0}, {}),
        ({"reg_max": 10**9}, {}),
        ({"anchors": 3}, {}),
        ({}, {"focal": 2}),
        ({}, {"qfl": -1.0}),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], loss: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        head(loss, **options)


def test_maps_of_another_shape_are_named() -> None:
    outputs, _ = random_case(8)
    with pytest.raises(DetrtError, match=r"maps\[0\]"):
        head(classes=4).decode(maps_of(outputs))
    with pytest.raises(DetrtError, match="strides"):
        head().decode({"maps": maps_of(outputs)["maps"][:2]})


def test_a_box_without_a_cell_has_no_match() -> None:
    boxes = np.array([[9, 9, 15, 15], [7, 7, 9, 9], [0, 0, 72, 72]], np.float32) / 72
    assert head().matches(boxes, np.array([0, 1, 1])).tolist() == [0, 2, 0]
    assert head().matches(boxes[:0], np.zeros(0, np.int64)).tolist() == [0, 0, 0]
