"""A `.tflite` file as a ForeignModel: the first subgraph, its tensors and operators."""

from __future__ import annotations

import math
from collections.abc import Mapping

from detc.importers.foreign import ELEMENT_BYTES, ForeignModel, ForeignOp, ForeignTensor, Value
from detc.importers.tflite.flatbuffer import Buffer, Table
from detc.importers.tflite.schema import DTYPES, OPERATORS, OPTIONS, WORDS
from detc.importers.unreadable import LONGEST_NAME, MOST_OPS, MOST_TENSORS, Unreadable, checked_shape, short

IDENTIFIER = b"TFL3"
"""Bytes 4 .. 7 of every TFLite file."""
_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS, _GRAPH_NAME = range(5)
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME, _TENSOR_QUANTIZATION = range(5)
_TENSOR_SIGNATURE = 7
_QUANT_SCALE, _QUANT_ZERO, _QUANT_AXIS = 2, 3, 6
_OP_CODE, _OP_INPUTS, _OP_OUTPUTS, _OP_OPTIONS = 0, 1, 2, 4
_CUSTOM = OPERATORS.index("CUSTOM")


def read_tflite(content: bytes) -> ForeignModel:
    """The first subgraph (others are bodies of control flow). Raises Unreadable for damaged and hostile files."""
    if content[4:8] != IDENTIFIER:
        raise Unreadable("it does not begin as a TFLite file does", "give a .tflite file")
    model = Buffer(content).root()
    kinds = [_operator(code) for code in model.tables(_MODEL_CODES, MOST_OPS, "kinds of operators")]
    buffers = _buffers(model, len(content))
    graphs = model.tables(_MODEL_SUBGRAPHS, 1000, "subgraphs")
    if not graphs:
        raise Unreadable("it has no graph")
    graph = graphs[0]
    tensors: dict[str, ForeignTensor] = {}
    names: list[str] = []
    for number, table in enumerate(graph.tables(_GRAPH_TENSORS, MOST_TENSORS, "tensors")):
        name = table.text(_TENSOR_NAME)
        names.append(name if name and name not in tensors else f"{name[: LONGEST_NAME - 12]}#{number}")
        tensors[names[-1]] = _tensor(names[-1], table, buffers)

    def named(numbers: tuple[int, ...]) -> tuple[str, ...]:
        if any(not -1 <= number < len(names) for number in numbers):
            raise Unreadable("an operator reads or writes a tensor that is not there")
        return tuple(names[number] if number >= 0 else "" for number in numbers)

    ops = []
    for table in graph.tables(_GRAPH_OPERATORS, MOST_OPS, "operators"):
        index = table.number(_OP_CODE, "I")
        if index >= len(kinds):
            raise Unreadable("an operator is of a kind that is not in its list")
        inputs, outputs = named(table.numbers(_OP_INPUTS, "i")), named(table.numbers(_OP_OUTPUTS, "i"))
        ops.append(ForeignOp(kinds[index], inputs, outputs, _options(kinds[index], table)))
    inputs, outputs = named(graph.numbers(_GRAPH_INPUTS, "i")), named(graph.numbers(_GRAPH_OUTPUTS, "i"))
    if "" in inputs + outputs:
        raise Unreadable("an input or output of the graph is no tensor")
    return ForeignModel("tflite", tensors, tuple(ops), inputs, outputs, graph.text(_GRAPH_NAME))


def _operator(code: Table) -> str:
    """The larger of the old (8 bits) and the new number of an operator, as its name."""
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number == _CUSTOM:
        return f"CUSTOM:{short(code.text(1))}"
    return OPERATORS[number] if 0 <= number < len(OPERATORS) else f"BUILTIN_{number}"


def _buffers(model: Table, size: int) -> list[bytes | None]:
    """The bytes of each buffer, once; tensors share them. None for one that is empty."""
    found: list[bytes | None] = [
        table.bytes(0) or None for table in model.tables(_MODEL_BUFFERS, MOST_TENSORS, "buffers")
    ]
    if sum(len(data) for data in found if data) > size:
        raise Unreadable("its buffers overlap")
    return found


def _tensor(name: str, table: Table, buffers: list[bytes | None]) -> ForeignTensor:
    shape = checked_shape(tuple(table.numbers(_TENSOR_SHAPE, "i")), name)
    signature = tuple(table.numbers(_TENSOR_SIGNATURE, "i"))
    code, number = table.number(_TENSOR_TYPE, "b"), table.number(_TENSOR_BUFFER, "I")
    dtype = DTYPES[code] if 0 <= code < len(DTYPES) else "other"
    if number >= len(buffers):
        raise Unreadable(f"the data of tensor `{short(name)}` are not there")
    data = buffers[number]
    if len(signature) == len(shape) and data is None:
        shape = tuple(-1 if open < 0 and side == 1 else side for side, open in zip(shape, signature, strict=True))
    scales: tuple[float, ...] = ()
    zeros: tuple[int, ...] = ()
    axis = 0
    if quant := table.table(_TENSOR_QUANTIZATION):
        scales, zeros = tuple(quant.numbers(_QUANT_SCALE, "f")), tuple(quant.numbers(_QUANT_ZERO, "q"))
        axis = quant.number(_QUANT_AXIS, "i")
    tensor = ForeignTensor(name, shape, dtype, data, scales, zeros or (0,) * len(scales), axis)
    _check(tensor)
    return tensor


def _check(tensor: ForeignTensor) -> None:
    """Whether the data and the quantisation fit the shape."""
    name = short(tensor.name)
    if tensor.data is not None and tensor.dtype in ELEMENT_BYTES and len(tensor.data) != tensor.bytes:
        raise Unreadable(f"tensor `{name}` has {len(tensor.data):,} bytes of data, its shape asks for {tensor.bytes:,}")
    if not tensor.scales:
        return
    if len(tensor.scales) != len(tensor.zeros):
        raise Unreadable(f"tensor `{name}` has {len(tensor.scales)} scales and {len(tensor.zeros)} zero points")
    if tensor.data is not None and not all(math.isfinite(scale) and scale > 0 for scale in tensor.scales):
        raise Unreadable(f"tensor `{name}` has a scale that is zero, negative or no number")
    if len(tensor.scales) > 1:
        inside = 0 <= tensor.axis < len(tensor.shape)
        if not inside or len(tensor.scales) != tensor.shape[tensor.axis]:
            raise Unreadable(f"tensor `{name}` has {len(tensor.scales)} scales, which no axis of it has")


def _options(kind: str, op: Table) -> Mapping[str, Value]:
    """The options that `schema.OPTIONS` lists, as numbers and words."""
    fields = OPTIONS.get(kind, ())
    table = op.table(_OP_OPTIONS)
    found: dict[str, Value] = {}
    for number, field in enumerate(fields):
        if field is None:
            continue
        name, kind_of, default = field
        value = table.number(number, kind_of, default) if table else default
        words = WORDS.get(name)
        if words is not None:
            if not 0 <= value < len(words):
                raise Unreadable(f"an operator {kind} has the {name} {value}, which is none")
            value = words[value]
        found[name] = bool(value) if kind_of == "?" else value
    return found
