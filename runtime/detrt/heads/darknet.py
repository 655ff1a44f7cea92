"""What the losses of darknet's heads share: how a batch counts, how maps are laid out, which box belongs to which object
(pjreddie/darknet, src/region_layer.c and src/yolo_layer.c).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detrt.errors import DetrtError
from detrt.heads.base import Reduce
from detrt.heads.overlap import corners, iou

BLOCK = 16
"""Objects of a picture that are compared with all boxes at once."""
SMALLEST = 1e-6
"""Least side of an object as a share of the picture: its logarithm is asked for."""
LARGEST = 20.0
"""Bound of the exponent of a size where boxes are compared; beyond it nothing overlaps, and nothing overflows."""


def unweakened(outputs: Tensor) -> Tensor:
    """Outputs in float32, or in float64 if they are."""
    return outputs if outputs.dtype == torch.float64 else outputs.float()


def half_square(difference: Tensor) -> Tensor:
    """Half the sum of squares: its gradient is the difference itself, darknet's delta."""
    return 0.5 * difference.square().sum()


def pictures(targets: Tensor, reduce: Reduce | None) -> Tensor:
    """How many pictures the global batch has: darknet sums its loss over a batch and divides the learning rate by its size,
    which is the same as a mean over pictures.
    """
    count = torch.tensor(float(len(targets)), device=targets.device)
    return (reduce(count) if reduce is not None else count).clamp_min(1)


def laid_out(map: Tensor, anchors: int, classes: int, kind: str) -> Tensor:
    """[n, anchors, rows, columns, 5 + classes] of a map [n, anchors * (5 + classes), rows, columns]. Raises DetrtError."""
    channels = anchors * (5 + classes)
    if map.ndim != 4 or map.shape[1] != channels:
        raise DetrtError(
            f"the head expects {channels} channels, the model gives {tuple(map.shape[1:])}", f"model.heads.{kind}"
        )
    n, _, rows, columns = map.shape
    return unweakened(map).reshape(n, anchors, 5 + classes, rows, columns).permute(0, 1, 3, 4, 2)


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a batch in their order: `picture` int64 [k], `label` int64 [k], `box` [k, 4] centre x, y, width and
    height as shares of the picture.
    """

    picture: Tensor
    label: Tensor
    box: Tensor

    @classmethod
    def of(cls, targets: Tensor, dtype: torch.dtype) -> Objects:
        """From padded ground truth [n, G, 5]."""
        picture, row = (targets[..., 0] >= 0).nonzero(as_tuple=True)
        found = targets[picture, row].to(dtype)
        low, high = found[:, 1:3], found[:, 3:5]
        return cls(picture, found[:, 0].long(), torch.cat([(low + high) / 2, (high - low).clamp_min(SMALLEST)], 1))

    def take(self, which: Tensor) -> Objects:
        return Objects(self.picture[which], self.label[which], self.box[which])

    def cells(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Row and column of the cell that each centre lies in."""
        column = (self.box[:, 0] * columns).long().clamp(0, columns - 1)
        return (self.box[:, 1] * rows).long().clamp(0, rows - 1), column


def boxes_of(raw: Tensor, anchors: Tensor) -> Tensor:
    """Predicted boxes [n, A, rows, columns, 4], centre and size as shares of the picture, from raw outputs laid out;
    `anchors` [A, 2] as shares: centre (sigmoid + cell) / grid, size exp * anchor.
    """
    rows, columns = raw.shape[2:4]
    y = torch.arange(rows, device=raw.device, dtype=raw.dtype)[:, None]
    x = torch.arange(columns, device=raw.device, dtype=raw.dtype)
    centre = torch.stack([(raw[..., 0].sigmoid() + x) / columns, (raw[..., 1].sigmoid() + y) / rows], -1)
    size = raw[..., 2:4].clamp(-LARGEST, LARGEST).exp() * anchors[:, None, None]
    return torch.cat([centre, size], -1)


def best_overlap(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """For each predicted box [n, .., 4] the greatest IoU with an object of its picture, and the number of that object's row
    in `targets` [n, G, 5]: both [n, ..]; 0 and 0 where a picture has none.
    """
    flat = corners(boxes.reshape(len(boxes), -1, 4))
    best = flat.new_zeros(flat.shape[:2])
    which = torch.zeros_like(best, dtype=torch.int64)
    for start in range(0, targets.shape[1], BLOCK):
        block = targets[:, start : start + BLOCK].to(flat.dtype)
        overlap = iou(flat[:, :, None], block[:, None, :, 1:]) * (block[:, None, :, 0] >= 0)
        value, row = overlap.max(2)
        better = value > best
        best, which = torch.where(better, value, best), torch.where(better, row + start, which)
    return best.reshape(boxes.shape[:-1]), which.reshape(boxes.shape[:-1])


def nearest_shape(sizes: Tensor, anchors: Tensor) -> Tensor:
    """For each size [k, 2] the anchor [A, 2] that overlaps it most about one centre, the first of equals: int64 [k]."""
    inner = torch.minimum(sizes[:, None], anchors).prod(-1)
    overlap = inner / (sizes.prod(-1)[:, None] + anchors.prod(-1) - inner)
    return overlap.argmax(1)


def last_of_each(places: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """For each of k places (tensors int64 [k], one an axis of `sizes`) the number of the last equal one: int64 [k]. A later
    object takes the box of an earlier one.
    """
    index = torch.zeros_like(places[0])
    for place, size in zip(places, sizes, strict=True):
        index = index * size + place
    owner = torch.full((math.prod(sizes),), -1, dtype=torch.int64, device=index.device)
    owner.scatter_reduce_(0, index, torch.arange(len(index), device=index.device), "amax")
    return owner[index]
