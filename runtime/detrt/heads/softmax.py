"""The softmax head of a classifier: one probability a class for the whole picture, learned by cross entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from detrt.errors import DetrtError
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.detections import Detections
from detrt.heads.options import read_options
from detrt.heads.softmax_decode import PLACE, HeadOptions, decode_logits, read_head_options

NOTHING = -1
"""The target of a picture without a label; the loss passes over it."""


@dataclass(frozen=True, slots=True)
class LossOptions:
    """`label_smoothing`: the share of the target that is spread evenly over all classes (Szegedy et al., Rethinking
    the Inception Architecture, 2015, section 7).
    """

    label_smoothing: float = 0.0


class SoftmaxHead(Head):
    """Reads one vector of logits; the target is the picture's label."""

    kind = "softmax"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: HeadOptions = read_head_options(head.get("options") or {})
        self._loss = read_options(LossOptions, loss, "loss")
        if not 0 <= self._loss.label_smoothing < 1:
            raise DetrtError(
                f"`label_smoothing` is {self._loss.label_smoothing:g}", "loss.label_smoothing", "0 to below 1"
            )

    def targets(self, boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
        """The label of one picture, int64 [], or NOTHING if it has none. Where boxes are cut, the first label counts."""
        return torch.tensor(int(labels[0]) if len(labels) else NOTHING)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`cls`, the cross entropy in nats, divided by the labelled pictures of the global batch. `targets` int64 [n]."""
        ((logits,),) = maps_of(outputs, self.on)
        logits = logits.float().flatten(1)
        if logits.shape[1] != self.options.classes:
            raise DetrtError(
                f"the head expects {self.options.classes} values, the model gives {logits.shape[1]}", PLACE
            )
        total = cross_entropy(
            logits, targets, ignore_index=NOTHING, reduction="sum", label_smoothing=self._loss.label_smoothing
        )
        count = (targets != NOTHING).sum().to(total.dtype)
        return {"cls": total / (reduce(count) if reduce is not None else count).clamp_min(1)}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_logits(outputs[self.on[0]][0], options)
