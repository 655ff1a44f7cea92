"""Which cells of a head without anchors have which object: what SimOTA and DSLA share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from detrt.heads.cells import Cells


class Places(NamedTuple):
    """Cells on the device of the outputs: `corner` [A, 2] and `stride` [A] in pixels; `canvas` [4]: width, height, width,
    height of the net's input.
    """

    corner: Tensor
    stride: Tensor
    canvas: Tensor

    @classmethod
    def of(cls, cells: Cells, device: torch.device) -> Places:
        corner, stride = (torch.tensor(a).to(device) for a in (cells.corner, cells.stride))
        return cls(corner, stride, torch.tensor(cells.canvas * 2, dtype=torch.float32).to(device))


class Assigned(NamedTuple):
    """`cells` int64 [k], rising: the cells that have an object; `objects` int64 [k]: which; `iou` float32 [k]: of the
    cell's predicted box with it.
    """

    cells: Tensor
    objects: Tensor
    iou: Tensor


class Matched(NamedTuple):
    """The cells with an object of a batch: `at` pictures and cells, int64 [k] each, to index outputs [n, A, ..] with;
    `boxes` [k, 4] corners in pixels, `labels` int64 [k] and `iou` [k] of the object.
    """

    at: tuple[Tensor, Tensor]
    boxes: Tensor
    labels: Tensor
    iou: Tensor


def dynamic_k(cost: Tensor, iou: Tensor, most: int) -> Assigned:
    """The assignment of candidate cells by `cost` [objects, candidates] and `iou` [objects, candidates]; `cells` count
    the candidates.

    An object gets as many cells as its `most` greatest IoUs sum up to, rounded down, at least one: those of least cost.
    A cell that several objects want goes to the one for which its cost is least of all objects. (Ge et al., YOLOX,
    2021, section 2.1; Megvii-BaseDetection/YOLOX@6ddff48, simota_matching; RangiLyu/nanodet@be9b4a9,
    dynamic_k_matching.)
    """
    if not cost.numel():
        nothing = torch.zeros(0, dtype=torch.int64, device=cost.device)
        return Assigned(nothing, nothing, iou.new_zeros(0))
    most = min(most, cost.shape[1])
    wanted = iou.topk(most, dim=1).values.sum(1).int().clamp(1, most)
    cheapest = cost.topk(most, dim=1, largest=False).indices
    within = torch.arange(most, device=cost.device) < wanted[:, None]
    taken = torch.zeros_like(cost, dtype=torch.bool).scatter_(1, cheapest, within)
    rivals = taken.sum(0)
    cells = rivals.nonzero()[:, 0]
    objects = torch.where(rivals > 1, cost.argmin(0), taken.int().argmax(0))[cells]
    return Assigned(cells, objects, iou[objects, cells])


def match(targets: Tensor, canvas: Tensor, assign: Callable[[int, Tensor, Tensor], Assigned]) -> Matched:
    """`assign(picture, boxes [G, 4] in pixels, labels [G])` over a batch of targets [n, G, 5]: rows (label, x1, y1, x2,
    y2 as shares of the picture), label -1 for no object. Pictures without an object are passed over.
    """
    found: list[tuple[Tensor, ...]] = []
    for picture, rows in enumerate(targets):
        rows = rows[rows[:, 0] >= 0]
        if len(rows):
            boxes, labels = rows[:, 1:] * canvas, rows[:, 0].long()
            cells, objects, iou = assign(picture, boxes, labels)
            found.append((torch.full_like(cells, picture), cells, boxes[objects], labels[objects], iou))
    if not found:
        nothing = torch.zeros(0, dtype=torch.int64, device=targets.device)
        return Matched((nothing, nothing), targets.new_zeros(0, 4), nothing, targets.new_zeros(0))
    pictures, cells, boxes, labels, iou = (torch.cat(column) for column in zip(*found, strict=True))
    return Matched((pictures, cells), boxes, labels, iou)


def flat(maps: Sequence[Tensor]) -> Tensor:
    """float32 [n, A, channels] of maps [n, channels, rows, columns]: a row a cell, in the order of Cells."""
    return torch.cat([one.float().flatten(2) for one in maps], 2).transpose(1, 2)
