"""What all heads have in common: their outputs by name, padded ground truth, names of classes, and defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detrt.errors import DetrtError
from detrt.heads.detections import Detections

Reduce = Callable[[Tensor], Tensor]


def maps_of(outputs: Any, on: Sequence[str]) -> list[list[Tensor]]:
    """For each output in `on` its tensors. `outputs` are what the model returns: one tensor or a list for a head on one
    output, or a dict of them. Raises DetrtError for an output that is not there.
    """
    if not isinstance(outputs, Mapping):
        if len(on) != 1:
            raise DetrtError(f"the head reads {', '.join(on)}, the model gives one output", "model.heads")
        outputs = {on[0]: outputs}
    missing = [name for name in on if name not in outputs]
    if missing:
        raise DetrtError(f"the model gives no output `{missing[0]}`", "model.heads", f"it gives {', '.join(outputs)}")
    return [list(outputs[name]) if isinstance(outputs[name], (list, tuple)) else [outputs[name]] for name in on]


def ground_truth(boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
    """float32 [G, 5] rows (label, x1, y1, x2, y2) from boxes [G, 4] as shares of the picture and labels [G] from 0.

    A batch is filled up with rows of -1: label -1 is no object.
    """
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    return torch.from_numpy(np.concatenate([np.asarray(labels, np.float32).reshape(-1, 1), corners], axis=1))


class Head:
    """Targets, loss and decoding of `lock["model"]["heads"][i]` with the loss options of a stage; a family fills in
    `options`, `loss` and `decode_one`, and where its target is not the ground truth, `targets` and `matches`.
    """

    kind = ""
    options: Any

    def __init__(self, head: Mapping[str, Any]) -> None:
        self.on = [str(name) for name in head.get("on") or []]
        self.nodes = [str(name) for name in head.get("nodes") or []]

    def targets(self, boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
        """The padded ground truth of one picture, float32 [G, 5]; boxes [G, 4] as shares of it, labels [G] from 0."""
        return ground_truth(boxes, labels)

    def matches(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many boxes of each class have a place of their own in the target: int64 [classes]."""
        return np.bincount(np.asarray(labels, np.int64), minlength=self.options.classes)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """Weighted, normalised terms by name; their sum over terms and processes is the loss of the global batch."""
        raise NotImplementedError

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        """The detections of one picture; float32 arrays by the name of the output."""
        raise NotImplementedError

    def decode(
        self,
        outputs: Any,
        conf: float | None = None,
        score: float | None = None,
        nms: float | None = None,
        max_detections: int | None = None,
    ) -> list[Detections]:
        """Detections of each picture, best first; thresholds that are not given are the head's."""
        given = {"conf": conf, "score": score, "nms": nms, "max_detections": max_detections}
        asked = {k: v for k, v in given.items() if v is not None and hasattr(self.options, k)}
        options = replace(self.options, **asked)
        arrays = [
            [m.detach().to("cpu", torch.float32).numpy() if isinstance(m, Tensor) else m for m in maps]
            for maps in maps_of(outputs, self.on)
        ]
        count = len(arrays[0][0]) if arrays and arrays[0] else 0
        return [
            self.decode_one({name: [m[i] for m in maps] for name, maps in zip(self.on, arrays, strict=True)}, options)
            for i in range(count)
        ]

    def attach(self, model: nn.Module) -> Any:
        """Nothing to hook."""
        return None

    def begin_epoch(self, epoch: int, epochs: int, no_aug: bool) -> None:
        """Told before each epoch, from 0; `no_aug`: one of the last, without augmentation."""

    def track(self, step: int) -> dict[str, float] | None:
        """Figures of this process to be written down after `step` steps of the stage; they add up over processes."""
        return None

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Raises DetrtError for the state of another kind of head."""
        if state:
            raise DetrtError(f"the state of the loss has {sorted(state)}, a {self.kind} head has none")

    def class_names(self, data_classes: Sequence[str]) -> tuple[str, ...]:
        """The head's own names, else those of the data. Raises DetrtError where the counts differ."""
        names = self.options.names or tuple(data_classes)
        if len(names) != self.options.classes:
            raise DetrtError(
                f"the head has {self.options.classes} classes, the data {len(names)}",
                f"model.heads.{self.kind}.classes",
                f"--set classes={len(names)}",
            )
        return tuple(names)
