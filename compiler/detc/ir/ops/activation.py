"""Activations: one value in, one value out; the shape stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from detc.ir.op import Argument, Op, Problem, TorchCall
from detc.ir.types import TensorType


@dataclass(frozen=True)
class Activation(Op):
    """Base of the elementwise functions; `callee` is torch's module."""

    callee: ClassVar[str] = ""
    channelwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        return TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall(self.callee)

    def fused(self) -> tuple[Any, ...]:
        """How it stands in `Conv.activation`: its name and its values."""
        return (self.name, *self.attributes().values())


@dataclass(frozen=True)
class Relu(Activation):
    """max(x, 0), or clipped at `cap` where one is given."""

    name: ClassVar[str] = "relu"
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("cap", "float", None),)

    cap: float | None = None

    def infer(self, inputs: Sequence[TensorType]) -> TensorType | Problem:
        if self.cap is not None and self.cap <= 0:
            return Problem(f"has cap = {self.cap:g}; a cap lies above 0")
        return TensorType(inputs[0].shape)

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        if self.cap is None:
            return TorchCall("nn.ReLU")
        if self.cap == 6:
            return TorchCall("nn.ReLU6")
        return TorchCall("nn.Hardtanh", (("", 0.0), ("", float(self.cap))))


@dataclass(frozen=True)
class Relu6(Op):
    """`relu6`: a spelling of `relu(cap = 6)`."""

    name: ClassVar[str] = "relu6"

    @classmethod
    def make(cls, inputs: Sequence[TensorType], given: dict[str, Any]) -> Op | Problem:
        return Relu(6)


@dataclass(frozen=True)
class Leaky(Activation):
    """x above 0, `slope` * x below."""

    name: ClassVar[str] = "leaky"
    arguments: ClassVar[tuple[Argument, ...]] = (Argument("slope", "float", 0.1, keyword=False),)

    slope: float = 0.1

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.LeakyReLU", (("", self.slope),))


@dataclass(frozen=True)
class Silu(Activation):
    name: ClassVar[str] = "silu"
    callee: ClassVar[str] = "nn.SiLU"


@dataclass(frozen=True)
class Hswish(Activation):
    name: ClassVar[str] = "hswish"
    callee: ClassVar[str] = "nn.Hardswish"


@dataclass(frozen=True)
class Hsigmoid(Activation):
    name: ClassVar[str] = "hsigmoid"
    callee: ClassVar[str] = "nn.Hardsigmoid"


@dataclass(frozen=True)
class Sigmoid(Activation):
    name: ClassVar[str] = "sigmoid"
    callee: ClassVar[str] = "nn.Sigmoid"


@dataclass(frozen=True)
class Tanh(Activation):
    name: ClassVar[str] = "tanh"
    callee: ClassVar[str] = "nn.Tanh"


@dataclass(frozen=True)
class Gelu(Activation):
    name: ClassVar[str] = "gelu"
    callee: ClassVar[str] = "nn.GELU"


@dataclass(frozen=True)
class Softmax(Activation):
    """Softmax over channels."""

    name: ClassVar[str] = "softmax"
    channelwise: ClassVar[bool] = False

    def torch(self, inputs: Sequence[TensorType]) -> TorchCall:
        return TorchCall("nn.Softmax", (("dim", 1),))


OPS = (Relu, Relu6, Leaky, Silu, Hswish, Hsigmoid, Sigmoid, Tanh, Gelu, Softmax)
