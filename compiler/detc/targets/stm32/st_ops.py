"""A network as ST's tools see it: operators on channels-last int8 tensors, constants told apart from what is computed.

Made of our graph (`st_graph.py`) or of a foreign file (`st_foreign.py`); read by the estimates of `ram_st.py` and `weights.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from detc.diagnostics import Span

Pair = tuple[int, int]
Shape = tuple[int, ...]

KINDS = (
    "conv",
    "depthwise",
    "transposed",
    "dense",
    "pool",
    "elementwise",
    "activation",
    "dequantize",
    "softmax",
    "pad",
    "other",
    "alias",
    "constant",
)
"""What the rules tell apart: `elementwise` is ADD, MUL and SUB; `activation` a function of each value alone; `alias` gives its
input another shape; `constant` is what gives the same values for every picture; `other` is everything that keeps its inputs and
output side by side."""

MULTIPLYING = ("conv", "depthwise", "transposed", "dense")


@dataclass(frozen=True, slots=True)
class StTensor:
    """`shape` without the batch axis, (height, width, channels) for maps. `element` is the bytes of one value."""

    name: str
    shape: Shape
    element: int = 1
    constant: bool = False

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Unaligned and unpadded, as the rules count."""
        return self.elements * self.element

    @property
    def width(self) -> int:
        return self.shape[-2] if len(self.shape) > 1 else 1

    @property
    def height(self) -> int:
        return self.shape[-3] if len(self.shape) > 2 else 1

    @property
    def channels(self) -> int:
        return self.shape[-1] if self.shape else 1


@dataclass(frozen=True, slots=True)
class StOp:
    """One operator: `inputs` are the tensors that it computes on, `constants` its weights, bias and other fixed operands.

    `kernel` and `padding` are (rows, columns), padding on both sides together. `groups` as in a convolution. `pool` is the
    window of a pool that became part of it; `pool_width` is the width and `computed` the values of the map before that pool.
    `padded` is the bytes of a PAD that became part of it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[str, ...] = ()
    kernel: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    word: str = ""
    span: Span | None = None
    via: tuple[Span, ...] = ()
    padded: int = 0
    pool: Pair | None = None
    pool_width: int = 0
    computed: int = 0

    @property
    def pointwise(self) -> bool:
        return self.kind == "conv" and self.kernel == (1, 1)


@dataclass(frozen=True, slots=True)
class StModel:
    """Operators in the order in which they run. Every tensor that they name is in `tensors`."""

    tensors: dict[str, StTensor]
    ops: tuple[StOp, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def readers(self) -> dict[str, list[StOp]]:
        """The operators that compute on each tensor, in order."""
        found: dict[str, list[StOp]] = {}
        for op in self.ops:
            for name in dict.fromkeys(op.inputs):
                found.setdefault(name, []).append(op)
        return found


@dataclass(slots=True)
class Prepared:
    """A model after steps 1 to 3 of the rules: no constant operator, no alias, pads and pools merged into their convs.

    `storage` maps a tensor to the one whose bytes it has. `constant_outputs` are outputs of the model that never change.
    """

    model: StModel
    storage: dict[str, str] = field(default_factory=dict)
    constant_outputs: tuple[str, ...] = ()


def prepare(model: StModel) -> Prepared:
    """Steps 1 to 3 of the estimate: drop constants, follow aliases, merge."""
    fixed = {name for name, tensor in model.tensors.items() if tensor.constant}
    kept: list[StOp] = []
    for op in model.ops:
        if op.kind == "constant" or (op.inputs and all(name in fixed for name in op.inputs)):
            fixed.update(op.outputs)
        else:
            kept.append(op)
    storage: dict[str, str] = {}
    ops: list[StOp] = []
    for op in kept:
        inputs = tuple(storage.get(name, name) for name in op.inputs if name not in fixed)
        if op.kind == "alias" and inputs:
            storage.update(dict.fromkeys(op.outputs, inputs[0]))
        else:
            extra = tuple(name for name in op.inputs if name in fixed and name in model.tensors)
            ops.append(replace(op, inputs=inputs, constants=(*op.constants, *extra)))
    outputs = tuple(storage.get(name, name) for name in model.outputs if name not in fixed)
    constant = tuple(name for name in model.outputs if name in fixed)
    plain = StModel(model.tensors, tuple(ops), model.inputs, outputs)
    return Prepared(replace(plain, ops=tuple(_merged(plain))), storage, constant)


def _merged(model: StModel) -> list[StOp]:
    """Step 3: what becomes part of a convolution. A PAD that only it reads, if it has a window; the activation that alone reads
    it; and of a conv that is no depthwise the pool that alone reads it (and its activation)."""
    readers = model.readers()
    ops: dict[str, StOp] = {}
    """By the first tensor that each writes."""
    pads: dict[str, StOp] = {}
    for op in model.ops:
        read = op.inputs[0] if op.inputs else ""
        alone = len(readers.get(read, ())) == 1 and read not in model.outputs
        if op.kind == "pad" and op.outputs[0] not in model.outputs:
            users = readers.get(op.outputs[0], [])
            if len(users) == 1 and _windowed(users[0]) and users[0].inputs[0] == op.outputs[0]:
                pads[op.outputs[0]] = op
                continue
        if read in pads:
            op = replace(op, inputs=(pads[read].inputs[0], *op.inputs[1:]), padded=model.tensors[read].bytes)
        before = ops.get(read)
        if before is not None and alone and op.kind == "activation" and before.kind in ("conv", "depthwise", "dense"):
            del ops[read]
            ops[op.outputs[0]] = replace(before, outputs=op.outputs)
        elif before is not None and alone and op.kind == "pool" and before.kind == "conv" and before.pool is None:
            del ops[read]
            map_ = model.tensors[read]
            ops[op.outputs[0]] = replace(
                before, outputs=op.outputs, pool=op.kernel, pool_width=map_.width, computed=map_.elements
            )
        else:
            ops[op.outputs[0]] = op
    return list(ops.values())


def _windowed(op: StOp) -> bool:
    return op.kind == "depthwise" or (op.kind == "conv" and op.kernel != (1, 1))
