"""DSLA and the losses of a NanoDet-Plus head (RangiLyu/nanodet@be9b4a9; Li et al., Generalized Focal Loss, 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from detrt.heads.assigning import Assigned, Places, dynamic_k, match
from detrt.heads.nanodet_options import LossOptions
from detrt.heads.overlap import giou, iou

CANDIDATES = 13
"""Greatest IoUs of an object that are summed to the number of its cells."""
IOU_COST = 3.0
EPS = 1e-7
SHORT = 0.1
"""How far the greatest distance that is aimed at stays below reg_max strides (nanodet_plus_head.py)."""


def decoded(sides: Tensor, cells: Places) -> Tensor:
    """Corner boxes [.., A, 4] in pixels from side logits [.., A, 4, reg_max + 1] in the order left, top, right, bottom.

    A side's distance from the cell's corner is the mean of its bins in strides; a NanoDet cell has no half added.
    """
    bins = torch.arange(sides.shape[-1], dtype=sides.dtype, device=sides.device)
    distance = (sides.softmax(-1) * bins).sum(-1) * cells.stride[:, None]
    return torch.cat([cells.corner - distance[..., :2], cells.corner + distance[..., 2:]], -1)


@torch.no_grad()
def dsla(boxes: Tensor, cls: Tensor, truth: Tensor, labels: Tensor, cells: Places) -> Assigned:
    """Which cells of one picture have which object: `boxes` [A, 4] pixels, `cls` [A, C] logits, `truth` [G, 4] pixels,
    `labels` [G].

    Candidates are cells whose corner lies inside some object. The cost of an object is the quality focal loss
    (exponent 2) of the classes against the IoU at its own + 3 * -log IoU (nanodet, dsl_assigner.py).
    """
    low, high = cells.corner[None] - truth[:, None, :2], truth[:, None, 2:] - cells.corner[None]
    inside = torch.minimum(low, high).amin(-1) > 0
    candidates = inside.any(0).nonzero()[:, 0]
    overlap = iou(boxes[candidates][None], truth[:, None])
    logits = cls[candidates]
    # all classes aim at 0, then the object's own is put right
    wrong = focal(logits, torch.zeros_like(logits), 2.0)
    own = logits[:, labels].T
    surprise = wrong.sum(1)[None] - wrong[:, labels].T + focal(own, overlap, 2.0)
    found = dynamic_k(surprise - IOU_COST * (overlap + EPS).log(), overlap, CANDIDATES)
    return Assigned(candidates[found.cells], found.objects, found.iou)


def focal(logits: Tensor, aims: Tensor, beta: float) -> Tensor:
    """Quality focal loss, each value: cross entropy with `aims`, times the distance from it to the power `beta`."""
    away = (aims - logits.sigmoid()).abs()
    return binary_cross_entropy_with_logits(logits, aims, reduction="none") * away.pow(beta)


def distribution_focal(sides: Tensor, distances: Tensor) -> Tensor:
    """[k, 4] from logits [k, 4, reg_max + 1] and distances [k, 4] in strides, at least 0 and below reg_max: cross
    entropy with the two bins around the distance, each by its nearness.
    """
    left = distances.floor().long()
    share = distances - left
    flat = sides.reshape(-1, sides.shape[-1])
    lower = cross_entropy(flat, left.reshape(-1), reduction="none").reshape(distances.shape)
    upper = cross_entropy(flat, left.reshape(-1) + 1, reduction="none").reshape(distances.shape)
    return lower * (1 - share) + upper * share


def nanodet_loss(
    cls: Tensor, sides: Tensor, targets: Tensor, cells: Places, options: LossOptions
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted sums by name, not yet divided, and what they are to be divided by: [2], the number of cells with an
    object (qfl) and the sum of their weights (giou, dfl).

    `cls` [n, A, C], `sides` [n, A, 4, reg_max + 1] float32 outputs; `targets` as `match` reads them. A cell's weight is
    its greatest class score.
    """
    boxes = decoded(sides, cells)

    def assign(picture: int, truth: Tensor, labels: Tensor) -> Assigned:
        return dsla(boxes[picture], cls[picture], truth, labels, cells)

    matched = match(targets, cells.canvas, assign)
    at = matched.at
    quality = torch.zeros_like(cls)
    quality[(*at, matched.labels)] = matched.iou
    weight = cls[at].detach().sigmoid().amax(-1)
    corner, stride = cells.corner[at[1]], cells.stride[at[1], None]
    distances = torch.cat([corner - matched.boxes[:, :2], matched.boxes[:, 2:] - corner], 1) / stride
    spread = distribution_focal(sides[at], distances.clamp(0, sides.shape[-1] - 1 - SHORT)).mean(1)
    sums = {
        "qfl": options.qfl * focal(cls, quality, options.beta).sum(),
        "dfl": options.dfl * (spread * weight).sum(),
        "giou": options.giou * ((1 - giou(boxes[at], matched.boxes)) * weight).sum(),
    }
    return sums, torch.stack([weight.new_tensor(len(weight)), weight.sum()])
