"""An `.onnx` file as a ForeignModel: its graph, initialisers and constants. Numbers beside it only from its own folder."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from detc.importers.foreign import ELEMENT_BYTES, ForeignModel, ForeignOp, ForeignTensor, Value
from detc.importers.unreadable import (
    LONGEST_NAME,
    MOST_BYTES,
    MOST_OPS,
    MOST_TENSORS,
    Unreadable,
    checked_shape,
    short,
)

DTYPES = {
    1: "f32", 2: "u8", 3: "i8", 4: "u16", 5: "i16", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 11: "f64", 12: "u32", 13: "u64",
    16: "bf16",
}  # fmt: skip
"""TensorProto.DataType (onnx/onnx.proto)."""
DOMAINS = ("", "ai.onnx", "com.microsoft")
"""Those whose operators are known by their plain names; the last has onnxruntime's QLinear operators."""
MOST_VALUES = 4096
"""Of one attribute."""
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 6, 7, 8
_SOFTMAX_OF_ALL = 13
"""Opset from which softmax goes over its last axis unless told otherwise (onnx/docs/Changelog.md)."""


def read_onnx(path: Path) -> ForeignModel:
    """The file's graph. Raises Unreadable for damaged and hostile files, and without the package onnx; OSError."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise Unreadable("ONNX files are read with the package `onnx`", "pip install 'detc[export]'") from None
    try:
        proto = onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, RuntimeError, ValueError, RecursionError) as error:
        raise Unreadable(f"it is damaged or of another kind ({' '.join(str(error).split())[:80]})") from None
    if not proto.graph.node:
        raise Unreadable("it has no graph", "give an .onnx file that an exporter wrote")
    return _Reading(path, proto).model()


def _text(value: str | bytes) -> str:
    """A string of the file; protobuf gives one that is no UTF-8 as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


class _Reading:
    def __init__(self, path: Path, proto: Any) -> None:
        self.path, self.graph = path, proto.graph
        self.opset = max((entry.version for entry in proto.opset_import if entry.domain in DOMAINS[:2]), default=0)
        self.tensors: dict[str, ForeignTensor] = {}
        self.left = MOST_BYTES

    def model(self) -> ForeignModel:
        graph = self.graph
        if len(graph.node) > MOST_OPS:
            raise Unreadable(f"it has {len(graph.node):,} operators, at most {MOST_OPS:,} are read")
        if len(graph.initializer) + sum(len(node.output) for node in graph.node) > MOST_TENSORS:
            raise Unreadable(f"it has more than {MOST_TENSORS:,} tensors")
        for tensor in graph.initializer:
            self.constant(_text(tensor.name), tensor)
        for info in (*graph.input, *graph.output, *graph.value_info):
            if _text(info.name) not in self.tensors:
                self.tensors[_text(info.name)] = self.described(info)
        ops = tuple(op for node in graph.node if (op := self.op(node)) is not None)
        for name in (name for op in ops for name in (*op.inputs, *op.outputs) if name):
            self.tensors.setdefault(name, ForeignTensor(name, (), "other"))
        inputs, outputs = (tuple(_text(one.name) for one in given) for given in (graph.input, graph.output))
        inputs = tuple(name for name in inputs if self.tensors[name].data is None)
        return ForeignModel("onnx", self.tensors, ops, inputs, outputs, _text(graph.name)[:LONGEST_NAME])

    def described(self, info: Any) -> ForeignTensor:
        """A tensor whose type the file states; an open side, or one without a number, is -1."""
        kind = info.type.tensor_type
        sides = tuple(side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim)
        name = _text(info.name)
        return ForeignTensor(name, checked_shape(sides, name), DTYPES.get(kind.elem_type, "other"))

    def op(self, node: Any) -> ForeignOp | None:
        """An operator; a Constant becomes a tensor instead."""
        kind, domain = _text(node.op_type), _text(node.domain)
        kind = kind if domain in DOMAINS else f"{domain}:{kind}"
        read, made = (tuple(map(_text, names)) for names in (node.input, node.output))
        attributes: dict[str, Value] = {}
        for attribute in node.attribute:
            if kind == "Constant" and attribute.type == _TENSOR and attribute.name == "value" and len(made) == 1:
                self.constant(made[0], attribute.t)
                return None
            attributes[_text(attribute.name)] = self.value(attribute, kind)
        if kind == "Constant" and len(made) == 1 and self.listed(made[0], attributes):
            return None
        if kind in ("Softmax", "LogSoftmax"):
            attributes.setdefault("axis", -1 if self.opset >= _SOFTMAX_OF_ALL else 1)
        return ForeignOp(short(kind), read, made, attributes, _text(node.name)[:LONGEST_NAME])

    def value(self, attribute: Any, kind: str) -> Value:
        """A plain value; None for graphs, tensors and types."""
        values = {_FLOATS: attribute.floats, _INTS: attribute.ints, _STRINGS: attribute.strings}.get(attribute.type, ())
        if len(values) > MOST_VALUES:
            raise Unreadable(
                f"an attribute of a {short(kind)} has {len(values):,} values, at most {MOST_VALUES:,} are read"
            )
        if attribute.type == _STRING:
            return str(attribute.s[:LONGEST_NAME].decode("utf-8", "replace"))
        if attribute.type == _STRINGS:
            return tuple(text[:LONGEST_NAME].decode("utf-8", "replace") for text in values)
        if attribute.type in (_FLOATS, _INTS):
            return tuple(values)
        if attribute.type == _TENSOR and kind == "ConstantOfShape":
            return self.single(attribute.t)
        return {_FLOAT: attribute.f, _INT: attribute.i}.get(attribute.type)

    def single(self, tensor: Any) -> Value:
        """The only number of a tensor."""
        from onnx import numpy_helper

        if tuple(tensor.dims) not in ((), (1,)) or tensor.data_location or DTYPES.get(tensor.data_type) is None:
            return None
        try:
            return numpy_helper.to_array(tensor).reshape(-1)[0].item()  # type: ignore[no-any-return]
        except (ValueError, TypeError, IndexError):
            return None

    def listed(self, name: str, attributes: dict[str, Value]) -> bool:
        """A Constant whose numbers stand in its attributes."""
        import numpy as np

        for key, kind in (("value_int", "i64"), ("value_ints", "i64"), ("value_float", "f32"), ("value_floats", "f32")):
            if key in attributes:
                array = np.array(attributes[key], "<i8" if kind == "i64" else "<f4")
                self.tensors[name] = ForeignTensor(name, tuple(array.shape), kind, array.tobytes())
                return True
        return False

    # ---- constants --------------------------------------------------------------------------------------------------

    def constant(self, name: str, tensor: Any) -> None:
        """Takes in an initialiser. Raises Unreadable where its numbers do not fit its shape."""
        shape = checked_shape(tuple(tensor.dims), name)
        dtype = DTYPES.get(tensor.data_type, "other")
        if dtype == "other" or any(side < 0 for side in shape):
            raise Unreadable(f"constant `{short(name)}` has an open side, or numbers of a kind that is not read")
        if name in self.tensors:
            raise Unreadable(f"`{short(name)}` is made twice")
        size = prod(shape) * ELEMENT_BYTES[dtype]
        self.left -= size
        if self.left < 0:
            raise Unreadable(f"its constants take more than {MOST_BYTES:,} bytes")
        data = self.numbers(name, tensor, size, prod(shape))
        if len(data) != size:
            raise Unreadable(f"constant `{short(name)}` has {len(data):,} bytes of data, its shape asks for {size:,}")
        self.tensors[name] = ForeignTensor(name, shape, dtype, data)

    def numbers(self, name: str, tensor: Any, size: int, count: int) -> bytes:
        if tensor.data_location == 1:
            return self.outside(name, tensor, size)
        if tensor.raw_data:
            return bytes(tensor.raw_data)
        fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
        given = next((field for field in fields if len(field)), ())
        if len(given) != count:
            raise Unreadable(f"constant `{short(name)}` has {len(given):,} numbers, its shape asks for {count:,}")
        if not count:
            return b""
        from onnx import numpy_helper

        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            raise Unreadable(f"constant `{short(name)}` is damaged ({str(error)[:60]})") from None
        return bytes(array.tobytes())

    def outside(self, name: str, tensor: Any, size: int) -> bytes:
        """Numbers in a file beside. Raises Unreadable where that is not below the model's folder, or too short."""
        about = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
        location = about.get("location", "")
        folder = self.path.parent.resolve()
        try:
            file = (folder / location).resolve()
            inside = bool(location) and file.is_relative_to(folder) and file.is_file()
            offset, length = int(about.get("offset") or 0), int(about.get("length") or size)
        except (OSError, ValueError, RuntimeError):
            inside, offset, length = False, 0, 0
        if not inside:
            where = (
                f"the data of `{short(name)}` are in `{short(location)}`, which is no file in the folder of the model"
            )
            raise Unreadable(where, "put the model and its data into one folder")
        if offset < 0 or length != size or offset + length > file.stat().st_size:
            raise Unreadable(f"the data of `{short(name)}` do not stand in `{short(location)}` as the file says")
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)
