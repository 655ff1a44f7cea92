"""Normalisation and regularisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.ops.conv import needs_map
from detc.ir.types import TensorType


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch normalisation over channels; `momentum` in torch's sense (weight of the new batch)."""

    name: ClassVar[str] = "bn"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("eps", "float", 1e-5),
        Argument("momentum", "float", 0.1),
    )

    eps: float = 1e-5
    momentum: float = 0.1

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        return needs_map(inputs) or TensorType(inputs[0].shape)

    def params(self, inputs: Sequence[TensorType]) -> int:
        return 2 * inputs[0].channels

    def tensors(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((name, ("out",)) for name in ("weight", "bias", "running_mean", "running_var"))

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        args: list[tuple[str, Any]] = [("", inputs[0].channels)]
        if self.eps != 1e-5:
            args.append(("eps", self.eps))
        if self.momentum != 0.1:
            args.append(("momentum", self.momentum))
        return TorchCall("nn.BatchNorm2d", tuple(args))

    def row(self) -> dict[str, Any]:
        return {**super().row(), "bias": True}


@dataclass(frozen=True)
class Dropout(Op):
    """Zeroes a share `p` of the values while training."""

    name: ClassVar[str] = "dropout"
    channelwise: ClassVar[bool] = True
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("p", "float", 0.5, keyword=False),)

    p: float = 0.5

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if not 0 <= self.p < 1:
            return Problem(f"has p = {self.p:g}; a share lies in 0 .. 1")
        return TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.Dropout", (("", self.p),))


OPS = (BatchNorm, Dropout)
