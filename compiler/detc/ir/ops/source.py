"""Where tensors come from: the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from detc.ir.op import Op
from detc.ir.types import TensorType

CHANNELS = {"bgr": 3, "rgb": 3, "ycrcb": 3, "grayscale": 1, "rgba": 4}
"""Orders in which pictures enter, and the channels of each; the alpha of rgba is 255 everywhere."""


@dataclass(frozen=True)
class Input(Op):
    """The picture that enters: written `input frame: u8[3, 448, 448] = camera(..)`, not called by name.

    With `steps` it is a clip of so many: `frames(..)`, or `events(..)` of an event camera (order "events": 2 channels,
    how often each pixel became brighter and darker in the step). Time is no axis of the shape: the net is run once a step.

    `order` is one of CHANNELS. Pictures are encoded as (x / scale + offset - mean) / std, mean and std a value a
    channel, unless the target has an input step of its own.

    How a picture of another size comes to this one: `resize` stretch, letterbox (whole, its sides in proportion, the
    rest grey `pad`) or crop (its middle, or its top left corner, fills the input), with `interpolation`; `place` says
    where a letterboxed or cropped picture lies.
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
    offset: float = 0.0
    resize: str = "stretch"
    interpolation: str = "bilinear"
    pad: int = 114
    place: str = "center"

    def infer(self, inputs: Sequence[TensorType]) -> TensorType:
        return TensorType(self.shape, self.dtype)
