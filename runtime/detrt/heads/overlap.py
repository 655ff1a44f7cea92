"""Overlap of boxes in torch, of every pair or of each with its own; corners x1 y1 x2 y2 in any one unit, float32."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-16


def corners(boxes: Tensor) -> Tensor:
    """Corner boxes [.., 4] of boxes given as centre x, y, width, height."""
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)


def area(boxes: Tensor) -> Tensor:
    """[..] of boxes [.., 4]."""
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes [.., 4] whose leading shapes broadcast; 0 where both are empty."""
    inner = _inner(a, b)
    return inner / (area(a) + area(b) - inner + TINY)


def giou(a: Tensor, b: Tensor, eps: float = 1e-6) -> Tensor:
    """IoU less the share of the smallest enclosing box that neither covers, -1 .. 1 (Rezatofighi et al., GIoU, 2019)."""
    inner = _inner(a, b)
    union = (area(a) + area(b) - inner).clamp_min(eps)
    hull = torch.cat([torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])], -1)
    around = area(hull).clamp_min(eps)
    return inner / union - (around - union) / around


def ciou(a: Tensor, b: Tensor, eps: float = 1e-7) -> Tensor:
    """IoU less the squared distance of the centres over the squared diagonal of the enclosing box, less a term for the
    difference of the aspect ratios, whose weight takes no gradient (Zheng et al., Distance-IoU Loss, 2020).
    """
    inner = _inner(a, b)
    overlap = inner / (area(a) + area(b) - inner + eps)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]).square().sum(-1) / 4
    angle = [torch.atan2(*(boxes[..., 2:] - boxes[..., :2]).clamp_min(eps).unbind(-1)) for boxes in (a, b)]
    shape = 4 / torch.pi**2 * (angle[0] - angle[1]).square()
    with torch.no_grad():
        weight = shape / (1 - overlap + shape + eps)
    return overlap - apart / (hull.square().sum(-1) + eps) - weight * shape


def _inner(a: Tensor, b: Tensor) -> Tensor:
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    return (high - low).clamp_min(0).prod(-1)
