"""The GNetDet head: a grid whose cells each hold a few boxes and one class distribution (GNetDet MDK)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from detrt.errors import DetrtError
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.detections import Detections
from detrt.heads.gnetdet_loss import GnetdetLoss
from detrt.heads.gnetdet_options import HeadOptions, read_head_options, read_loss_options
from detrt.heads.gnetdet_target import decode_map, encode
from detrt.heads.revive import revive


class GnetdetHead(Head):
    """Targets, loss and decoding of `lock["model"]["heads"][i]` with the loss options of a stage.

    For the loss option `dead` the entry also has `nodes`: the last node of each output in `on`.
    """

    kind = "gnetdet"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: HeadOptions = read_head_options(head.get("options") or {})
        self._loss = GnetdetLoss(self.options, read_loss_options(loss, self.options.classes))

    def targets(self, boxes: NDArray[np.float32] | Tensor, labels: NDArray[np.int64] | Tensor) -> Tensor:
        """float32 [rows, columns, channels] of one picture; boxes [n, 4] x1 y1 x2 y2 as shares of the picture,
        labels [n] from 0.
        """
        return torch.from_numpy(
            encode(np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(labels, np.int64), self.options)
        )

    def matches(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many boxes of each class have a place of their own in the target: int64 [classes]; the rest
        shares a cell with a later box.
        """
        bits = encode(boxes, labels, self.options)[..., self.options.boxes * 5 :]
        return np.asarray(bits.sum(axis=(0, 1)), np.int64)

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """Weighted, normalised terms by name; their sum over terms and processes is the loss of the global batch.

        `outputs` as the model returns them, [n, channels, rows, columns]; `targets` [n, rows, columns,
        channels]. See GnetdetLoss.
        """
        grid = self.grid_of(outputs)
        if self._loss.norm.device != grid.device:
            self._loss.to(grid.device)
        terms: dict[str, Tensor] = self._loss(grid.permute(0, 2, 3, 1), targets, reduce, update)
        return terms

    def attach(self, model: nn.Module) -> RemovableHandle | None:
        """Does the loss option `dead`: hooks the ReLU behind which this head reads, so that outputs it holds at 0 can
        learn again.

        Call it on the model that is trained, after a quantised stage has swapped its layers. None where the option is
        0. Raises DetrtError where the head's output does not come from a layer of the model.
        """
        weight = self._loss.options.dead
        if not weight:
            return None
        modules = dict(model.named_modules())
        node = next(iter(self.nodes), "")
        if node not in modules:
            raise DetrtError(f"`dead` needs the ReLU that the head reads; the model has no layer `{node}`", "loss.dead")
        return revive(modules[node], weight)

    def grid_of(self, outputs: Any) -> Tensor:
        """The output that this head reads. Raises DetrtError if its shape is not the head's."""
        grid = maps_of(outputs, self.on)[0][0] if isinstance(outputs, Mapping) else outputs
        expected = (self.options.channels, *self.options.grid)
        if not isinstance(grid, Tensor) or tuple(grid.shape[1:]) != expected:
            found = tuple(grid.shape[1:]) if isinstance(grid, Tensor) else type(grid).__name__
            raise DetrtError(
                f"the head expects an output of {expected}, the model gives {found}", "model.heads.gnetdet"
            )
        return grid

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_map(outputs[self.on[0]][0], options)

    def state_dict(self) -> dict[str, Tensor]:
        """The moving normaliser of the loss."""
        return {"norm": self._loss.norm.detach().clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores `state_dict()`. Raises DetrtError for a foreign state."""
        if set(state) != {"norm"} or state["norm"].shape != self._loss.norm.shape:
            raise DetrtError(f"the state of the loss has {sorted(state)}, expected norm")
        self._loss.norm.copy_(state["norm"])
