"""The lava YOLO head against plain loops: which anchors learn, the five terms with their gradients, clips, and decoding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from yolo_cases import gradients, plain_iou, random_truth, shared_out, sigmoid, softmax

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head
from detrt.heads.sdnn_target import assign

CLASSES = 3
PER = 5 + CLASSES
ANCHORS = [[(0.28, 0.22), (0.38, 0.48), (0.9, 0.78)], [(0.07, 0.15), (0.15, 0.11), (0.14, 0.29)]]
GRIDS = [(3, 4), (6, 8)]
OPTIONS: dict[str, Any] = {"anchors": ANCHORS, "classes": CLASSES, "image": [96, 128]}
ENTRY = {"kind": "yolo_sdnn", "on": ["p"], "options": OPTIONS}
LOSS = {"coord": 1.5, "noobj": 2.5, "obj": 1.8, "cls": 0.7, "iou": 2.25, "alpha_iou": 0.6, "label_smoothing": 0.03,
        "tgt_iou_thr": 0.25}  # fmt: skip


def random_maps(pictures: int, seed: int, steps: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tail = (steps,) if steps else ()
    return [torch.randn(pictures, 3 * PER, *grid, *tail, dtype=torch.float64, generator=generator) for grid in GRIDS]


def states(truth: list[Any], threshold: float) -> list[dict[tuple[int, int, int], Any]]:
    """For each map (anchor, row, column) -> -1, or (label, box in cells); what is missing has no object."""
    maps: list[dict[tuple[int, int, int], Any]] = [{} for _ in GRIDS]
    for label, (x, y, w, h) in truth:
        order = [(-plain_iou((0, 0, w, h), (0, 0, *pair)), level, n) for level, pairs in enumerate(ANCHORS)
                 for n, pair in enumerate(pairs)]  # fmt: skip
        served = set()
        for overlap, level, n in sorted(order):
            rows, columns = GRIDS[level]
            j, i = int(y * rows), int(x * columns)
            taken = (n, j, i) in maps[level]
            if not taken and level not in served:
                maps[level][n, j, i] = (label, (x * columns - i, y * rows - j, w * columns, h * rows))
                served.add(level)
            elif not (taken and -overlap > threshold):
                maps[level][n, j, i] = -1
    return maps


def plain_ciou(p: list[Tensor], t: tuple[float, ...]) -> Tensor:
    """Of two boxes given as centre and size; the weight of the shape takes no gradient."""
    low = [max(p[k] - p[k + 2] / 2, torch.tensor(t[k] - t[k + 2] / 2)) for k in (0, 1)]
    high = [min(p[k] + p[k + 2] / 2, torch.tensor(t[k] + t[k + 2] / 2)) for k in (0, 1)]
    inner = max(high[0] - low[0], torch.tensor(0.0)) * max(high[1] - low[1], torch.tensor(0.0))
    iou = inner / (p[2] * p[3] + t[2] * t[3] - inner)
    hull = [max(p[k] + p[k + 2] / 2, torch.tensor(t[k] + t[k + 2] / 2)) - min(p[k] - p[k + 2] / 2,
            torch.tensor(t[k] - t[k + 2] / 2)) for k in (0, 1)]  # fmt: skip
    apart = (p[0] - t[0]) ** 2 + (p[1] - t[1]) ** 2
    shape = 4 / math.pi**2 * (torch.atan(p[2] / p[3]) - math.atan(t[2] / t[3])) ** 2
    weight = (shape / (1 - iou + shape)).detach()
    return iou - apart / (hull[0] ** 2 + hull[1] ** 2) - weight * shape


def plain_terms(maps: list[Tensor], truth: list[list[Any]], clamp: float = 5.0) -> dict[str, Tensor]:
    """The terms of one step by loops."""
    total = dict.fromkeys(("coord", "obj", "noobj", "cls", "iou"), torch.zeros((), dtype=torch.float64))
    for level, map in enumerate(maps):
        rows, columns = GRIDS[level]
        terms: dict[str, list[Tensor]] = {name: [] for name in total}
        for picture, one in enumerate(truth):
            state = states(one, LOSS["tgt_iou_thr"])[level]
            for n in range(3):
                for j in range(rows):
                    for i in range(columns):
                        raw = map[picture, n * PER : (n + 1) * PER, j, i]
                        found = state.get((n, j, i))
                        if found is None:
                            terms["noobj"].append(torch.nn.functional.softplus(raw[4]))
                        if found is None or found == -1:
                            continue
                        label, box = found
                        anchor = ANCHORS[level][n]
                        xy = [torch.sigmoid(raw[0]), torch.sigmoid(raw[1])]
                        aims = (box[0], box[1], math.log(box[2] / anchor[0]), math.log(box[3] / anchor[1]))
                        off = [(v - a) ** 2 for v, a in zip([*xy, raw[2], raw[3]], aims, strict=True)]
                        terms["coord"].append(sum(off) / 4)
                        size = [torch.exp(torch.clamp(raw[2 + k], max=clamp)) * anchor[k] for k in (0, 1)]
                        ciou = plain_ciou([*xy, *size], box)
                        goal = 1 - LOSS["alpha_iou"] + LOSS["alpha_iou"] * max(0.0, float(ciou.detach()))
                        conf = torch.sigmoid(raw[4])
                        terms["obj"].append(-goal * torch.log(conf) - (1 - goal) * torch.log(1 - conf))
                        log = raw[5:] - torch.logsumexp(raw[5:], 0)
                        smooth = LOSS["label_smoothing"]
                        terms["cls"].append(-(1 - smooth) * log[label] - smooth * log.mean())
                        terms["iou"].append((1 - ciou) ** 2)
        for name, values in terms.items():
            if values:
                total[name] = total[name] + LOSS[name] * torch.stack(values).mean()
    return total


def test_terms_and_gradients_are_those_of_loops() -> None:
    targets, truth = random_truth(4, 6, CLASSES, seed=1)
    maps = random_maps(4, seed=2)
    head = build_head(ENTRY, LOSS)
    found = {name: float(value) for name, value in head.loss(maps, targets).items()}
    ours = gradients(head, maps, targets)
    copies = [map.detach().clone().requires_grad_(True) for map in maps]
    expected = plain_terms(copies, truth)
    assert found == pytest.approx({name: float(value.detach()) for name, value in expected.items()}, rel=1e-5)
    torch.stack(list(expected.values())).sum().backward()
    for one, copy in zip(ours, copies, strict=True):
        assert torch.allclose(one, copy.grad, atol=1e-6)


def test_a_clip_is_the_mean_of_its_steps() -> None:
    targets, truth = random_truth(3, 3, CLASSES, seed=3)
    maps = random_maps(3, seed=4, steps=3)
    expected = [plain_terms([map[..., t] for map in maps], truth) for t in range(3)]
    found = build_head(ENTRY, LOSS).loss(maps, targets)
    for name, value in found.items():
        assert float(value) == pytest.approx(sum(float(one[name]) for one in expected) / 3, rel=1e-5)


def test_each_step_may_have_a_truth_of_its_own() -> None:
    cases = [random_truth(3, 3, CLASSES, seed=seed) for seed in (5, 6)]
    targets = torch.stack([rows for rows, _ in cases], dim=1)
    maps = random_maps(3, seed=4, steps=2)
    expected = [plain_terms([map[..., t] for map in maps], truth) for t, (_, truth) in enumerate(cases)]
    found = build_head(ENTRY, LOSS).loss(maps, targets)
    for name, value in found.items():
        assert float(value) == pytest.approx(sum(float(one[name]) for one in expected) / 2, rel=1e-5)
    with pytest.raises(DetrtError, match="not those of 3 steps"):
        build_head(ENTRY, LOSS).loss(random_maps(3, seed=4, steps=3), targets)


def test_targets_are_upstreams() -> None:
    for seed in range(20):
        rows, truth = random_truth(2, 8, CLASSES, seed=seed)
        found = assign(rows.numpy(), GRIDS, [tuple(pairs) for pairs in ANCHORS], 0.3)
        for picture, one in enumerate(truth):
            for level, expected in enumerate(states(one, 0.3)):
                target = found[level]
                state = np.zeros((3, *GRIDS[level]), np.int8)
                for place, value in expected.items():
                    state[place] = -1 if value == -1 else 1
                assert np.array_equal(target.state[picture], state)
                mine = target.places[:, 0] == picture
                kept = {tuple(p[1:]): (int(number), b) for p, number, b in zip(target.places[mine], target.labels[mine],
                        target.boxes[mine], strict=True)}  # fmt: skip
                assert kept.keys() == {place for place, value in expected.items() if value != -1}
                for place, (label, box) in kept.items():
                    assert label == expected[place][0] and np.allclose(box, expected[place][1], atol=1e-5)


def test_on_one_map_the_other_anchors_of_the_cell_are_left_out() -> None:
    """The quirk of upstream's condition, kept."""
    rows = torch.tensor([[[1, 0.1, 0.1, 0.4, 0.35]]])
    (target,) = assign(rows.numpy(), GRIDS[:1], [tuple(ANCHORS[0])], 0.5)
    assert target.state[0, :, 0, 1].tolist() == [1, -1, -1]
    assert (target.state != 0).sum() == 3


def test_nothing_to_learn_is_no_nan() -> None:
    maps = [map.requires_grad_(True) for map in random_maps(2, seed=3)]
    for targets in (torch.full((2, 3, 5), -1.0), torch.zeros(2, 0, 5)):
        terms = build_head(ENTRY, {}).loss(maps, targets)
        assert all(torch.isfinite(value) for value in terms.values())
        assert {name for name, value in terms.items() if float(value.detach())} == {"noobj"}


def test_shares_of_processes_add_up() -> None:
    targets, _ = random_truth(4, 5, CLASSES, seed=9)
    maps = random_maps(4, seed=3, steps=2)
    whole = {name: float(value) for name, value in build_head(ENTRY, LOSS).loss(maps, targets).items()}
    parts = [([map[:1] for map in maps], targets[:1]), ([map[1:] for map in maps], targets[1:])]
    assert shared_out(lambda: build_head(ENTRY, LOSS), parts) == pytest.approx(whole, rel=1e-6)


def test_terms_are_told_every_so_many_steps() -> None:
    targets, _ = random_truth(2, 3, CLASSES, seed=1)
    head = build_head(ENTRY, {"track_iter": 5})
    assert head.track(0) is None
    terms = head.loss(random_maps(2, seed=1), targets)
    head.loss(random_maps(2, seed=7), targets, update=False)  # validation is not what is told
    assert head.track(4) is None
    assert head.track(5) == {name: float(value) for name, value in terms.items()}
    assert build_head(ENTRY, {"track_iter": None}).track(0) is None


def test_decoding_against_loops() -> None:
    options = OPTIONS | {"conf": 0.6, "score": 0.05, "nms": 1.0, "max_detections": 1000}
    maps = [map[0].float().numpy() * 2 for map in random_maps(1, seed=12)]
    maps[0][2, 0, 0] = 30  # beyond the clamp
    maps[0][4, 0, 0] = 3
    expected = []
    for level, map in enumerate(maps):
        rows, columns = GRIDS[level]
        for n, (pw, ph) in enumerate(ANCHORS[level]):
            for j in range(rows):
                for i in range(columns):
                    raw = [float(v) for v in map[n * PER : (n + 1) * PER, j, i]]
                    chances = softmax(raw[5:])
                    score = sigmoid(raw[4]) * max(chances)
                    x, y = (sigmoid(raw[0]) + i) / columns, (sigmoid(raw[1]) + j) / rows
                    w, h = math.exp(min(raw[2], 5)) * pw / columns, math.exp(min(raw[3], 5)) * ph / rows
                    if sigmoid(raw[4]) > 0.6 and score > 0.05:
                        label = chances.index(max(chances))
                        expected.append((score, label, x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    expected.sort(key=lambda one: -one[0])
    found = build_decoder({**ENTRY, "options": options})({"p": maps})
    assert len(found) == len(expected) > 20
    assert np.allclose(found.scores, [one[0] for one in expected], rtol=1e-5)
    assert np.allclose(found.boxes, [one[2:] for one in expected], rtol=1e-4, atol=1e-5)
    assert found.labels.tolist() == [one[1] for one in expected]
    clip = [np.stack([np.zeros_like(map), map], axis=3) for map in maps]
    assert np.array_equal(build_decoder({**ENTRY, "options": options})({"p": clip}).boxes, found.boxes)
    tensors = [torch.from_numpy(map)[None] for map in clip]
    assert np.array_equal(build_head({**ENTRY, "options": options}, {}).decode(tensors)[0].boxes, found.boxes)


def test_a_perfect_output_gives_the_boxes_back() -> None:
    _, truth = random_truth(5, 3, CLASSES, seed=2)
    decode = build_decoder({**ENTRY, "options": OPTIONS | {"nms": 0.95}})
    for one in truth:
        maps = [np.full((3 * PER, *grid), -9, np.float32) for grid in GRIDS]
        wanted = []
        for level, places in enumerate(states(one, 0.5)):
            rows, columns = GRIDS[level]
            for (n, j, i), value in places.items():
                if value == -1:
                    continue
                label, (x, y, w, h) = value
                if max(w / ANCHORS[level][n][0], h / ANCHORS[level][n][1]) > math.exp(5):
                    continue
                inside = np.clip([x, y], 1e-6, 1 - 1e-6)
                cell = maps[level][n * PER : (n + 1) * PER, j, i]
                cell[:2] = np.log(inside / (1 - inside))
                cell[2:4] = np.log([w / ANCHORS[level][n][0], h / ANCHORS[level][n][1]])
                cell[4], cell[5 + label] = 6, 6
                wanted.append(
                    [(i + x) / columns - w / columns / 2, (j + y) / rows - h / rows / 2, w / columns, h / rows]
                )
        found = decode({"p": maps})
        assert bool(len(found)) == bool(wanted)
        for box in found.boxes:
            corner = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            assert np.abs(np.array(wanted) - corner).max(axis=1).min() < 1e-4


@pytest.mark.parametrize(
    ("options", "loss", "message"),
    [
        ({"clamp": 0}, {}, "`clamp` is 0"),
        ({"anchors": [[(1, -1)]]}, {}, "an anchor is"),
        ({}, {"label_smoothing": 1.0}, "are shares"),
        ({}, {"alpha_iou": 1.5}, "are shares"),
        ({}, {"track_iter": 0}, "`track_iter` is 0"),
        ({}, {"coord": -1}, "`coord` is -1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], loss: dict[str, Any], message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        build_head({**ENTRY, "options": OPTIONS | options}, loss)


@pytest.mark.parametrize("chosen", [[0], [1], [1, 0]])
def test_some_maps_train_and_find_as_a_head_that_has_only_these(chosen: list[int]) -> None:
    (truth, _), maps = random_truth(2, 3, CLASSES, seed=5), random_maps(2, 3)
    some = build_head({**ENTRY, "maps": chosen}, LOSS)
    alone = build_head({**ENTRY, "options": {**OPTIONS, "anchors": [ANCHORS[n] for n in chosen]}}, LOSS)
    given = [map.clone().requires_grad_() for map in maps]
    found = some.loss(given, truth)
    assert found == alone.loss([maps[n] for n in chosen], truth)
    sum(found.values()).backward()
    assert [map.grad is not None for map in given] == [n in chosen for n in range(len(maps))]
    for mine, theirs in zip(
        some.decode(maps, conf=0.3), alone.decode([maps[n] for n in chosen], conf=0.3), strict=True
    ):
        assert np.array_equal(mine.boxes, theirs.boxes) and np.array_equal(mine.scores, theirs.scores)


def test_maps_that_are_not_there_are_refused() -> None:
    with pytest.raises(DetrtError, match="no numbers of the 2 maps"):
        build_head({**ENTRY, "maps": [2]}, LOSS)
