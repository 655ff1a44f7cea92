"""Where tensors come from: the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from detc.ir.op import Op
from detc.ir.types import TensorType


@dataclass(frozen=True)
class Input(Op):
    """The picture that enters: written `input frame: u8[3, 448, 448] = camera(..)`, not called by name.

    With `steps` it is a clip of so many: `frames(..)`, or `events(..)` of an event camera (order "events": 2 channels,
    how often each pixel became brighter and darker in the step). Time is no axis of the shape: the net is run once a step.

    `order` is bgr, rgb or ycrcb. Pictures are encoded as (x / scale - mean) / std, a value a channel, unless the
    target has an input
    step of its own.
    """

    name: ClassVar[str] = "input"
    arity: ClassVar[int | None] = 0

    shape: tuple[int, ...] = ()
    dtype: str = "u8"
    order: str = "bgr"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    scale: float = 1.0
    steps: int | None = None

    def infer(self, inputs: Sequence[TensorType]) -> TensorType:
        return TensorType(self.shape, self.dtype)
