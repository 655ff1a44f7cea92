"""The SSD head: prior boxes on several maps, each moved onto an object of a class or left to the background (Liu et al.,
SSD, 2016), as qfgaohao/pytorch-ssd and ST's model zoo have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.detections import Detections
from detrt.heads.ssd_decode import check_maps, decode_maps
from detrt.heads.ssd_loss import ssd_loss
from detrt.heads.ssd_options import HeadOptions, read_head_options, read_loss_options
from detrt.heads.ssd_priors import match, offsets, read_priors


class SsdHead(Head):
    """Reads two outputs: offsets (4 a prior) and class logits (classes + 1 a prior, background first), a map a level."""

    kind = "ssd"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: HeadOptions = read_head_options(head.get("options") or {})
        self.priors = read_priors(self.options.priors)
        self._loss = read_loss_options(loss)

    def targets(self, boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
        """float32 [P, 6] of one picture: of each prior the class number from 1 and the IoU of its box (2 for the best prior
        of a box; 0, 0 without boxes), then the box as offsets. From which IoU a prior is positive is the loss's choice.
        """
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        rows = np.zeros((len(self.priors), 6), np.float32)
        if len(boxes):
            which, best = match(boxes, self.priors)
            rows[:, 0] = np.asarray(labels)[which] + 1
            rows[:, 1] = best
            rows[:, 2:] = offsets(boxes[which], self.priors.centred, self.options.variance)
        return torch.from_numpy(rows)

    def matches(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many boxes of each class have a positive prior: int64 [classes]; the rest lost theirs to a later box."""
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        if not len(boxes):
            return np.zeros(self.options.classes, np.int64)
        which, best = match(boxes, self.priors)
        found = np.unique(which[best >= self._loss.iou])
        return np.bincount(np.asarray(labels)[found], minlength=self.options.classes)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`cls` and `loc`, summed and divided by the positive priors of the global batch; see ssd_loss."""
        loc, conf = maps_of(outputs, self.on)
        with torch.autocast(targets.device.type, enabled=False):
            sums, count = ssd_loss(self._rows(loc, 0), self._rows(conf, 1), targets, self._loss)
            count = count.to(torch.float32)
            norm = (reduce(count) if reduce is not None else count).clamp_min(1)
            return {name: value / norm for name, value in sums.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        loc, conf = (outputs[name] for name in self.on)
        return decode_maps(loc, conf, self.priors, options)

    def _rows(self, maps: list[Tensor], output: int) -> Tensor:
        """float32 [n, P, 4 or classes + 1] of the maps of an output. Raises DetrtError where their shapes are not the head's."""
        each = (4, self.options.classes + 1)[output]
        check_maps([tuple(one.shape[1:]) for one in maps], self.on[output], self.priors, each)
        rows = [one.float().permute(0, 2, 3, 1).reshape(len(one), -1, each) for one in maps]
        return torch.cat(rows, 1)
