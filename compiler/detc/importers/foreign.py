"""Another tool's network as its file has it: tensors and operators, none of them translated.

What readers give (`importers/tflite`, `importers/onnx`); what is made into our graph (`importers/network`), and what targets look
at that estimate how the other tool's own runtime would hold the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

Value = int | float | str | bool | bytes | None | tuple["Value", ...]
"""What an attribute can be."""

ELEMENT_BYTES = {
    "f16": 2, "bf16": 2, "f32": 4, "f64": 8, "bool": 1,
    "i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4, "i64": 8, "u64": 8,
}  # fmt: skip
"""Bytes of one element of each dtype that a reader gives; strings and the like are "other" and have none."""


@dataclass(frozen=True, slots=True)
class ForeignTensor:
    """`shape` as in the file, batch axis included (TFLite: NHWC, ONNX: NCHW); -1 where the file leaves a side open.

    `dtype` is a key of ELEMENT_BYTES, or "other". `data` holds the bytes of a constant, little endian, in the order of `shape`;
    None for what is computed. A quantised tensor's number q stands for (q - zero) * scale: `scales` and `zeros` have one
    value, or one for each place along `axis`; both are empty for real numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: bytes | None = field(default=None, repr=False)
    scales: tuple[float, ...] = ()
    zeros: tuple[int, ...] = ()
    axis: int = 0

    @property
    def elements(self) -> int:
        """Numbers in it; an open side counts as 1 (it is the batch)."""
        return prod(max(side, 1) if side < 0 else side for side in self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * ELEMENT_BYTES.get(self.dtype, 0)


@dataclass(frozen=True, slots=True)
class ForeignOp:
    """`kind` is the format's own name: TFLite's in capitals (CONV_2D), ONNX's as written (Conv); `name` the node's or "".

    `inputs` and `outputs` name tensors; an optional input that is left out is "". `attributes` are plain values: TFLite's
    options by the schema's field names (`stride_w`, `fused_activation_function` as a word: "RELU6"), ONNX's by theirs.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Value] = field(default_factory=dict)
    name: str = ""

    def real(self, name: str, default: float = 0.0) -> float:
        """An attribute that is one number; `default` where it is left out or something else."""
        value = self.attributes.get(name)
        return float(value) if isinstance(value, int | float) else default

    def whole(self, name: str, default: int = 0) -> int:
        value = self.attributes.get(name)
        return int(value) if isinstance(value, int | float) and abs(value) < 2**62 else default

    def wholes(self, name: str, default: Sequence[int] = ()) -> list[int]:
        """An attribute that is a list of whole numbers."""
        value = self.attributes.get(name)
        if isinstance(value, tuple) and all(isinstance(one, int) for one in value):
            return [one for one in value if isinstance(one, int)]
        return list(default)

    def word(self, name: str, default: str = "") -> str:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else default


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """`format` is "tflite" or "onnx"; `ops` in the file's order, each behind those whose results it reads.

    `inputs` and `outputs` name tensors. Every tensor that an op, an input or an output names is in `tensors`; names are unique
    (a reader that meets one twice makes others of it).
    """

    format: str
    tensors: Mapping[str, ForeignTensor]
    ops: tuple[ForeignOp, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
