"""The SSD head against a plain reading of its facts, and what must hold beyond them."""

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
from detrt.heads.nms import iou_matrix
from detrt.heads.ssd import SsdHead
from detrt.heads.ssd_priors import read_priors

FULL = {
    "image": 300,
    "levels": [
        {"grid": grid, "step": step, "min": least, "max": most, "ratios": [2, 3]}
        for grid, step, least, most in (
            (19, 16, 60, 105),
            (10, 32, 105, 150),
            (5, 64, 150, 195),
            (3, 100, 195, 240),
            (2, 150, 240, 285),
            (1, 300, 285, 330),
        )
    ],
}
SMALL = {
    "image": 64,
    "levels": [
        {"grid": 4, "step": 16, "min": 12, "max": 20, "ratios": [2, 3]},
        {"grid": 2, "step": 32, "min": 24, "max": 40, "ratios": [2]},
    ],
}
PRIORS = 4 * 4 * 6 + 2 * 2 * 4


def head(loss: dict[str, Any] | None = None, classes: int = 3, **options: Any) -> SsdHead:
    given = {"classes": classes, "priors": SMALL, "image": [64, 64], **options}
    built = build_head({"kind": "ssd", "on": ["loc", "conf"], "options": given}, loss)
    assert isinstance(built, SsdHead)
    return built


def plain_priors(given: dict[str, Any]) -> list[list[float]]:
    rows = []
    for level in given["levels"]:
        for row in range(level["grid"]):
            for column in range(level["grid"]):
                x, y = ((i + 0.5) / (given["image"] / level["step"]) for i in (column, row))
                least = level["min"] / given["image"]
                sides = [(least, least), (math.sqrt(level["min"] * level["max"]) / given["image"],) * 2]
                for ratio in level["ratios"]:
                    sides.append((least * math.sqrt(ratio), least / math.sqrt(ratio)))
                    sides.append((least / math.sqrt(ratio), least * math.sqrt(ratio)))
                rows += [[min(max(v, 0.0), 1.0) for v in (x, y, w, h)] for w, h in sides]
    return rows


def test_the_priors_of_the_facts() -> None:
    own = read_priors(FULL).centred
    assert own.shape == (3000, 4)
    assert np.array_equal(own, np.array(plain_priors(FULL), np.float32))
    assert own[:2].tolist() == [
        pytest.approx([8 / 300, 8 / 300, 0.2, 0.2]),
        pytest.approx([8 / 300, 8 / 300, math.sqrt(60 * 105) / 300, math.sqrt(60 * 105) / 300]),
    ]
    assert own[-1].tolist() == pytest.approx([0.5, 0.5, 0.95 / math.sqrt(3), 1.0])  # 1.645 clamped, in centre form


def random_boxes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    corner = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(0.05, 0.6, (count, 2)), 1)], axis=1)
    return boxes.astype(np.float32), rng.integers(0, 3, count)


def plain_match(boxes: np.ndarray, labels: np.ndarray) -> tuple[list[int], list[int]]:
    """(label from 1 or 0, box or -1) of each prior, at IoU 0.5."""
    priors = np.array(plain_priors(SMALL), np.float32)  # priors inside a box overlap it equally: round as the head does
    half = priors[:, 2:] / np.float32(2)
    overlap = iou_matrix(np.concatenate([priors[:, :2] - half, priors[:, :2] + half], axis=1), boxes)
    which = [max(range(len(boxes)), key=lambda b: row[b]) for row in overlap]
    good = [row[which[p]] >= 0.5 for p, row in enumerate(overlap)]
    for box in range(len(boxes)):
        best = max(range(PRIORS), key=lambda p: overlap[p, box])
        which[best], good[best] = box, True
    return [int(labels[which[p]]) + 1 if good[p] else 0 for p in range(PRIORS)], which


def plain_offsets(box: np.ndarray, prior: list[float]) -> list[float]:
    x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
    return [
        (x - prior[0]) / prior[2] / 0.1,
        (y - prior[1]) / prior[3] / 0.1,
        math.log(w / prior[2]) / 0.2,
        math.log(h / prior[3]) / 0.2,
    ]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=30)
def test_targets_equal_a_plain_reading(seed: int, count: int) -> None:
    boxes, labels = random_boxes(np.random.default_rng(seed), count)
    own = head().targets(boxes, labels).numpy()
    expected, which = plain_match(boxes, labels)
    positive = own[:, 1] >= 0.5
    assert np.where(positive, own[:, 0], 0).tolist() == expected
    for prior in np.flatnonzero(positive):
        aims = plain_offsets(boxes[which[prior]], plain_priors(SMALL)[prior])
        np.testing.assert_allclose(own[prior, 2:], aims, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_every_box_that_shares_no_best_prior_has_a_prior(seed: int, count: int) -> None:
    boxes, labels = random_boxes(np.random.default_rng(seed), count)
    wanted = iou_matrix(read_priors(SMALL).corners, boxes).argmax(axis=0)
    counts = head().matches(boxes, labels)
    assert counts.sum() >= len(set(wanted.tolist()))
    assert (counts <= np.bincount(labels, minlength=3)).all()


def maps_of_rows(rows: torch.Tensor) -> list[torch.Tensor]:
    """[n, P, k] as the model gives it: a map a level, [n, priors * k, rows, columns]."""
    n, _, k = rows.shape
    first, second = rows.split([4 * 4 * 6, 2 * 2 * 4], dim=1)
    return [
        first.reshape(n, 4, 4, 6 * k).permute(0, 3, 1, 2).contiguous(),
        second.reshape(n, 2, 2, 4 * k).permute(0, 3, 1, 2).contiguous(),
    ]


def outputs_of(loc: torch.Tensor, conf: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    return {"loc": maps_of_rows(loc), "conf": maps_of_rows(conf)}


def random_case(seed: int, pictures: int = 4, dtype: torch.dtype = torch.float32) -> tuple[Any, Any, torch.Tensor]:
    rng = np.random.default_rng(seed)
    targets = torch.stack([head().targets(*random_boxes(rng, int(rng.integers(0, 5)))) for _ in range(pictures)])
    generator = torch.Generator().manual_seed(seed)
    loc, conf = (torch.randn(pictures, PRIORS, k, generator=generator, dtype=dtype) for k in (4, 4))
    return loc.requires_grad_(), conf.requires_grad_(), targets


def plain_loss(loc: torch.Tensor, conf: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    cls = place = 0.0
    positives = 0
    for picture in range(len(loc)):
        chances = conf[picture].double().softmax(-1)
        positive = [p for p in range(PRIORS) if targets[picture, p, 1] >= 0.5]
        others = sorted((p for p in range(PRIORS) if p not in positive), key=lambda p: float(chances[p, 0]))
        positives += len(positive)
        for p in positive:
            cls -= math.log(chances[p, int(targets[picture, p, 0])])
            for value, wanted in zip(loc[picture, p].tolist(), targets[picture, p, 2:].tolist(), strict=True):
                away = abs(value - wanted)
                place += 0.5 * away * away if away < 1 else away - 0.5
        for p in others[: 3 * len(positive)]:
            cls -= math.log(chances[p, 0])
    return {"cls": cls / max(positives, 1), "loc": place / max(positives, 1)}


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_equals_a_plain_reading(seed: int) -> None:
    loc, conf, targets = random_case(seed)
    terms = head().loss(outputs_of(loc, conf), targets)
    expected = plain_loss(loc.detach(), conf.detach(), targets)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_that_of_the_loss() -> None:
    loc, conf, targets = random_case(3, pictures=2)
    total = sum(head().loss(outputs_of(loc, conf), targets).values())
    total.backward()
    rng = np.random.default_rng(0)
    for leaf in (loc, conf):
        assert leaf.grad is not None
        for _ in range(5):
            step = torch.from_numpy(rng.normal(size=leaf.shape)).float() * 1e-3
            sides = []
            for sign in (1, -1):
                moved = [leaf.detach() + sign * step if other is leaf else other.detach() for other in (loc, conf)]
                sides.append(float(sum(head().loss(outputs_of(*moved), targets).values())))
            assert (sides[0] - sides[1]) / 2 == pytest.approx(float((leaf.grad * step).sum()), rel=0.05, abs=2e-4)


def test_shares_of_processes_add_up_to_the_global_loss() -> None:
    loc, conf, targets = random_case(5)
    positives = (targets[..., 1] >= 0.5).sum()
    whole = sum(head().loss(outputs_of(loc, conf), targets).values())
    parts = [
        sum(head().loss(outputs_of(loc[s], conf[s]), targets[s], lambda count: positives.to(count.dtype)).values())
        for s in (slice(0, 1), slice(1, 4))
    ]
    assert float(sum(parts).detach()) == pytest.approx(float(whole.detach()), rel=1e-6)


def test_pictures_without_objects_are_finite_and_dense_ones_too() -> None:
    empty = head().targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    flat = head().targets(np.array([[0.2, 0.2, 0.2, 0.5], [0, 0, 1, 1]], np.float32), np.array([0, 1]))
    for targets in (torch.stack([empty, empty]), torch.stack([flat, empty])):
        loc, conf, _ = random_case(6, pictures=2)
        total = sum(head().loss(outputs_of(loc, conf), targets).values())
        total.backward()
        assert torch.isfinite(total) and torch.isfinite(loc.grad).all() and torch.isfinite(conf.grad).all()


def test_the_options_of_a_stage_count() -> None:
    loc, conf, targets = random_case(7)
    plain = head().loss(outputs_of(loc, conf), targets)
    more = head({"cls": 2.0, "loc": 0.5}).loss(outputs_of(loc, conf), targets)
    assert more["cls"].item() == pytest.approx(2 * plain["cls"].item())
    assert more["loc"].item() == pytest.approx(plain["loc"].item() / 2)
    assert head({"neg_ratio": 0.0}).loss(outputs_of(loc, conf), targets)["cls"].item() != plain["cls"].item()
    strict = head({"iou": 0.9}).loss(outputs_of(loc, conf), targets)
    assert strict["loc"].item() != plain["loc"].item()


@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
@settings(max_examples=40)
def test_a_target_decodes_to_its_own_boxes(seed: int, count: int) -> None:
    boxes, labels = random_boxes(np.random.default_rng(seed), count)
    own = head(nms=0.999, score=0.5, max_detections=500)
    target = own.targets(boxes, labels)
    positive = target[:, 1] >= 0.5
    conf = torch.nn.functional.one_hot(torch.where(positive, target[:, 0], 0).long(), 4).float() * 40
    found = own.decode(outputs_of(target[None, :, 2:], conf[None]))[0]
    assert len(found) >= len({tuple(row) for row in target[positive, 0:1].tolist()})
    if count:
        nearest = np.abs(found.boxes[:, None] - boxes[None]).max(axis=2)
        assert (nearest.min(axis=1) < 1e-4).all()
        assert (labels[nearest.argmin(axis=1)] == found.labels).all()


def test_decoding_needs_no_torch_and_takes_every_class_above_the_score() -> None:
    conf = np.full((1, PRIORS, 4), 0.0, np.float32)
    conf[..., 0] = 20
    conf[0, 7] = np.log([0.2, 0.5, 0.26, 0.04])
    maps = outputs_of(torch.zeros(1, PRIORS, 4), torch.from_numpy(conf))
    given = {"classes": 3, "priors": SMALL, "image": [64, 64], "score": 0.1, "variance": [0.1, 0.2]}
    decode = build_decoder({"kind": "ssd", "on": ["loc", "conf"], "options": given})
    found = decode({name: [one[0].numpy() for one in each] for name, each in maps.items()})
    assert found.scores.tolist() == pytest.approx([0.5, 0.26])
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.boxes[0], read_priors(SMALL).corners[7], atol=1e-6)


def test_values_that_are_not_finite_are_no_crash() -> None:
    loc, conf, targets = random_case(8)
    for value in (math.nan, math.inf):
        broken = outputs_of(torch.full_like(loc, value), torch.full_like(conf, value))
        assert not math.isfinite(float(sum(head().loss(broken, targets).values())))
        assert all(len(found) == 0 for found in head().decode(broken))


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"classes": 0}, {}),
        ({"names": ["a"]}, {}),
        ({"anchors": 3}, {}),
        ({"priors": {"image": 64}}, {}),
        ({"priors": {"image": 64, "levels": []}}, {}),
        ({"priors": {"image": 0, "levels": SMALL["levels"]}}, {}),
        ({"priors": {"image": 64, "levels": [{"grid": 1000, "step": 1, "min": 1, "max": 2, "ratios": [2]}]}}, {}),
        ({"variance": [0.1]}, {}),
        ({"variance": [0.1, 0.0]}, {}),
        ({"soft": "hard"}, {}),
        ({}, {"focal": 2}),
        ({}, {"neg_ratio": -1.0}),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], loss: dict[str, Any]) -> None:
    with pytest.raises(DetrtError):
        head(loss, **options)


def test_maps_of_another_shape_are_named() -> None:
    loc, conf, _ = random_case(9)
    maps = outputs_of(loc, conf)
    with pytest.raises(DetrtError, match=r"conf\[0\]"):
        head(classes=4).decode(maps)
    with pytest.raises(DetrtError, match="loc"):
        head().decode({"loc": maps["loc"][:1], "conf": maps["conf"]})
