"""A TFLite file as ST's tools see it: its own operators in its own order."""

from __future__ import annotations

from dataclasses import replace

from detc.importers.foreign import ELEMENT_BYTES, ForeignModel, ForeignOp, ForeignTensor
from detc.targets.stm32.st_ops import StModel, StOp, StTensor

_KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "transposed",
    "FULLY_CONNECTED": "dense",
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), "pool"),
    **dict.fromkeys(("ADD", "MUL", "SUB", "DIV", "MAXIMUM", "MINIMUM"), "elementwise"),
    **dict.fromkeys(
        ("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU", "ELU", "GELU", "LOGISTIC", "TANH", "HARD_SWISH"),
        "activation",
    ),
    "DEQUANTIZE": "dequantize",
    "SOFTMAX": "softmax",
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), "pad"),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), "alias"),
    "SHAPE": "constant",
}

_OPERANDS = {"TRANSPOSE_CONV": (2, (1, 3))}
"""Where an operator's map and its weights and bias stand among its inputs; elsewhere first the map, then those two."""


def of_foreign(foreign: ForeignModel) -> StModel:
    """The model of a TFLite file. A file of real numbers counts as it will be quantised: one byte a value."""
    quantised = any(tensor.scales for tensor in foreign.tensors.values())
    tensors = {name: _tensor(tensor, quantised) for name, tensor in foreign.tensors.items()}
    ops = tuple(_operator(op, number, foreign, tensors) for number, op in enumerate(foreign.ops))
    return StModel(tensors, ops, foreign.inputs, foreign.outputs)


def _tensor(tensor: ForeignTensor, quantised: bool) -> StTensor:
    constant = tensor.data is not None
    shape = tensor.shape if constant or len(tensor.shape) < 2 else tensor.shape[1:]
    element = ELEMENT_BYTES.get(tensor.dtype, 1)
    if not quantised and tensor.dtype == "f32":
        element = 1
    return StTensor(tensor.name, tuple(max(side, 1) for side in shape), element, constant)


def _operator(op: ForeignOp, number: int, foreign: ForeignModel, tensors: dict[str, StTensor]) -> StOp:
    name = op.name or f"{op.kind.lower()} {number}"
    named = tuple(name for name in op.inputs if name)
    made = StOp(name, _KINDS.get(op.kind, "other"), named, op.outputs, word=op.kind)
    if op.kind == "QUANTIZE":
        same = tensors[op.inputs[0]].bytes == tensors[op.outputs[0]].bytes
        return replace(made, kind="alias" if same else "other")
    if made.kind == "pool":
        window = (_whole(op, "filter_height"), _whole(op, "filter_width"))
        return replace(made, kernel=window)
    if made.kind in ("conv", "depthwise", "dense", "transposed"):
        return _multiplying(op, made, foreign)
    return made


def _multiplying(op: ForeignOp, made: StOp, foreign: ForeignModel) -> StOp:
    """A layer with weights; one whose weights are computed is nothing that the rules know."""
    source, operands = _OPERANDS.get(op.kind, (0, (1, 2)))
    constants = tuple(op.inputs[place] for place in operands if place < len(op.inputs) and op.inputs[place])
    if not constants or source >= len(op.inputs):
        return replace(made, kind="other")
    made = replace(made, inputs=(op.inputs[source],), constants=constants)
    shape = foreign.tensors[constants[0]].shape
    if made.kind == "dense" or len(shape) != 4:
        return made
    kernel = (shape[1], shape[2])
    same = op.attributes.get("padding") == "SAME"
    padding = (kernel[0] - 1, kernel[1] - 1) if same else (0, 0)
    groups = shape[3] if made.kind == "depthwise" else max(foreign.tensors[op.inputs[source]].shape[-1] // shape[3], 1)
    return replace(made, kernel=kernel, padding=padding, groups=groups)


def _whole(op: ForeignOp, attribute: str) -> int:
    value = op.attributes.get(attribute)
    return value if isinstance(value, int) else 1
