"""SimOTA and the loss of a YOLOX head (Ge et al., YOLOX, 2021; Megvii-BaseDetection/YOLOX@6ddff48, yolo_head.py)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, one_hot

from detrt.heads.assigning import Assigned, Places, dynamic_k, match
from detrt.heads.overlap import iou
from detrt.heads.yolox_options import LossOptions

CANDIDATES = 10
"""Greatest IoUs of an object that are summed to the number of its cells."""
IOU_COST = 3.0
FAR_COST = 1e6
EPS = 1e-8


def decoded(raw: Tensor, cells: Places) -> Tensor:
    """Corner boxes [.., A, 4] in pixels from raw outputs: centre (xy + cell) * stride, size exp(wh) * stride."""
    stride = cells.stride[:, None]
    centre = raw[..., :2] * stride + cells.corner
    half = raw[..., 2:].exp() * stride / 2
    return torch.cat([centre - half, centre + half], -1)


@torch.no_grad()
def simota(
    boxes: Tensor, obj: Tensor, cls: Tensor, truth: Tensor, labels: Tensor, cells: Places, radius: float
) -> Assigned:
    """Which cells of one picture have which object: `boxes` [A, 4] pixels, `obj` [A, 1] and `cls` [A, C] logits, `truth`
    [G, 4] pixels, `labels` [G].

    Candidates are cells whose middle is nearer than `radius` strides to some object's middle, along both axes. The cost
    of an object is the cross entropy of sqrt(p(class) p(object)) + 3 * -log IoU + 1e6 where the cell is not near it.
    """
    middle = cells.corner + cells.stride[:, None] / 2
    away = (middle[None] - (truth[:, None, :2] + truth[:, None, 2:]) / 2).abs().amax(-1)
    near = away < radius * cells.stride
    candidates = near.any(0).nonzero()[:, 0]
    overlap = iou(boxes[candidates][None], truth[:, None])
    chance = (cls[candidates].sigmoid() * obj[candidates].sigmoid()).sqrt()
    # log as torch's cross entropy has it, at least -100; all classes as wrong ones, then the right one put right
    wrong, right = (-torch.log1p(-chance)).clamp_max(100), (-chance.log()).clamp_max(100)
    surprise = wrong.sum(1)[:, None] + (right - wrong)[:, labels]
    cost = surprise.T - IOU_COST * (overlap + EPS).log() + FAR_COST * ~near[:, candidates]
    found = dynamic_k(cost, overlap, CANDIDATES)
    return Assigned(candidates[found.cells], found.objects, found.iou)


def yolox_loss(
    raw: Tensor, obj: Tensor, cls: Tensor, targets: Tensor, cells: Places, options: LossOptions, l1: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted sums by name, not yet divided, and the number of cells with an object they are to be divided by.

    `raw` [n, A, 4], `obj` [n, A, 1], `cls` [n, A, C] float32 outputs; `targets` as `match` reads them. `l1` adds the term
    of the last epochs. The classes aim at the IoU that the cell's box had when it was assigned.
    """
    boxes = decoded(raw, cells)

    def assign(picture: int, truth: Tensor, labels: Tensor) -> Assigned:
        return simota(boxes[picture], obj[picture], cls[picture], truth, labels, cells, options.radius)

    matched = match(targets, cells.canvas, assign)
    at = matched.at
    has_object = torch.zeros_like(obj[..., 0])
    has_object[at] = 1
    classes = one_hot(matched.labels, cls.shape[2]) * matched.iou[:, None]
    sums = {
        "iou": options.iou * (1 - iou(boxes[at], matched.boxes).square()).sum(),
        "obj": options.obj * binary_cross_entropy_with_logits(obj[..., 0], has_object, reduction="sum"),
        "cls": options.cls * binary_cross_entropy_with_logits(cls[at], classes, reduction="sum"),
    }
    if l1:
        aims = raw_of(matched.boxes, cells.corner[at[1]], cells.stride[at[1], None])
        sums["l1"] = options.l1 * l1_loss(raw[at], aims, reduction="sum")
    return sums, has_object.sum()


def raw_of(truth: Tensor, corner: Tensor, stride: Tensor) -> Tensor:
    """The outputs [k, 4] that `decoded` turns into corner boxes [k, 4] at cells with `corner` [k, 2], `stride` [k, 1]."""
    centre = ((truth[:, :2] + truth[:, 2:]) / 2 - corner) / stride
    size = ((truth[:, 2:] - truth[:, :2]) / stride + EPS).log()
    return torch.cat([centre, size], 1)
