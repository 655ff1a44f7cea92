"""Files of other tools' networks made by code: ONNX from lines of its text form, TFLite by a small writer of flatbuffers."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from detc.importers.tflite.schema import DTYPES, OPERATORS, OPTIONS, WORDS

# ---- ONNX -----------------------------------------------------------------------------------------------------------


def onnx_file(path: Path, body: str, shape: tuple[int, ...] = (1, 3, 12, 16), opset: int = 17, **weights: Any) -> Path:
    """A net from `x` to all that nothing reads; `body` has a node a line (`y = Relu(x)`), `weights` arrays, or
    shapes of arrays to be drawn."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(7)
    nodes = [onnx.parser.parse_node(line.strip()) for line in body.strip().splitlines()]
    initial = []
    for name, given in weights.items():
        array = given if isinstance(given, np.ndarray) else rng.normal(0, 0.5, given).astype(np.float32)
        initial.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
    read = {name for node in nodes for name in node.input}
    outputs = [name for node in nodes for name in node.output if name not in read]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        initial,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def onnx_outputs(path: Path, x: Any) -> list[Any]:
    """What onnxruntime gives for the one input, without changing the graph first."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})  # type: ignore[no-any-return]


# ---- TFLite ---------------------------------------------------------------------------------------------------------


UNIONS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 8, "ADD": 11, "MEAN": 27}
"""Which of the schema's option tables an operator has (union BuiltinOptions)."""


class Flat:
    """A flatbuffer, written from the front: a vtable, its table, then what the table points to."""

    def __init__(self) -> None:
        self.data = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def patch(self, at: int) -> None:
        """Lets the offset at `at` point here."""
        struct.pack_into("<I", self.data, at, len(self.data) - at)

    def align(self, size: int = 4) -> None:
        self.data += b"\0" * (-len(self.data) % size)

    def table(self, at: int, fields: dict[int, Any]) -> None:
        """A table for the offset at `at`. Fields by number: (kind, value) for a number, else what `value` writes."""
        self.align(8)
        places, body = {}, b""
        for number, field in sorted(fields.items()):
            size = struct.calcsize("<" + field[0]) if isinstance(field, tuple) else 4
            body += b"\0" * (-(len(body) + 4) % size)
            places[number] = 4 + len(body)
            body += struct.pack("<" + field[0], field[1]) if isinstance(field, tuple) else b"\0" * 4
        count = max(fields, default=-1) + 1
        slots = [places.get(number, 0) for number in range(count)]
        vtable = struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + len(body), *slots)
        vtable += b"\0" * (-len(vtable) % 8)
        start = len(self.data) + len(vtable)
        self.data += vtable + struct.pack("<i", len(vtable)) + body
        struct.pack_into("<I", self.data, at, start - at)
        for number, field in sorted(fields.items()):
            if not isinstance(field, tuple):
                self.value(start + places[number], field)

    def value(self, at: int, value: Any) -> None:
        """A string, bytes, an array of numbers, a table, or a list of tables."""
        self.align()
        if isinstance(value, dict):
            self.table(at, value)
            return
        if isinstance(value, np.ndarray):
            self.data += b"\0" * ((-len(self.data) - 4) % 8)  # so that the numbers are aligned
        self.patch(at)
        if isinstance(value, list):
            start = len(self.data) + 4
            self.data += struct.pack("<I", len(value)) + b"\0" * 4 * len(value)
            for number, one in enumerate(value):
                self.table(start + 4 * number, one)
        elif isinstance(value, np.ndarray):
            self.data += struct.pack("<I", value.size) + value.tobytes()
        else:
            content = value.encode() if isinstance(value, str) else value
            self.data += struct.pack("<I", len(content)) + content + b"\0"


class Lite:
    """A TFLite net under construction. Every call gives the number of a tensor; `quant` is (scales, zeros, axis)."""

    def __init__(self) -> None:
        self.tensors: list[dict[int, Any]] = []
        self.buffers: list[dict[int, Any]] = [{}]
        self.codes: list[str] = []
        self.ops: list[dict[int, Any]] = []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str = "f32",
        data: Any = None,
        quant: tuple[Any, Any, int] | None = None,
    ) -> int:
        fields: dict[int, Any] = {0: np.array(shape, "<i4"), 1: ("b", DTYPES.index(dtype)), 3: name}
        if data is not None:
            fields[2] = ("I", len(self.buffers))
            self.buffers.append({0: np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)})
        if quant is not None:
            scales, zeros, axis = quant
            fields[4] = {2: np.array(scales, "<f4"), 3: np.array(zeros, "<i8"), 6: ("i", axis)}
        self.tensors.append(fields)
        return len(self.tensors) - 1

    def constant(self, name: str, array: Any, quant: tuple[Any, Any, int] | None = None) -> int:
        dtype = {"float32": "f32", "int8": "i8", "int32": "i32", "uint8": "u8"}[array.dtype.name]
        return self.tensor(name, array.shape, dtype, array, quant)

    def op(self, kind: str, inputs: list[int], output: int, **options: Any) -> int:
        if kind not in self.codes:
            self.codes.append(kind)
        fields = {}
        for number, field in enumerate(OPTIONS.get(kind, ())):
            if field is not None and field[0] in options:
                name, of, _ = field
                value = options[name]
                fields[number] = (of, WORDS[name].index(value) if name in WORDS else value)
        index = ("I", self.codes.index(kind))
        self.ops.append(
            {
                0: index,
                1: np.array(inputs, "<i4"),
                2: np.array([output], "<i4"),
                3: ("B", UNIONS.get(kind, 0)),
                4: fields,
            }
        )
        return output

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        codes = [{0: ("b", min(OPERATORS.index(k), 127)), 3: ("i", OPERATORS.index(k))} for k in self.codes]
        graph = {0: self.tensors, 1: np.array(inputs, "<i4"), 2: np.array(outputs, "<i4"), 3: self.ops, 4: "main"}
        flat = Flat()
        flat.value(0, {0: ("I", 3), 1: codes, 2: [graph], 4: self.buffers})
        return bytes(flat.data)


def lite_net(quantised: bool = True) -> bytes:
    """A conv 3x3 at stride 2 (SAME) with ReLU6, a depthwise one, an addition, a mean and a dense layer; u8 pictures of 8x8
    where it is quantised."""
    rng = np.random.default_rng(3)
    net = Lite()

    def act(name: str, shape: tuple[int, ...], scale: float, zero: int) -> int:
        return net.tensor(
            name, shape, "i8" if quantised else "f32", None, ((scale,), (zero,), 0) if quantised else None
        )

    def weights(name: str, shape: tuple[int, ...], axis: int, scale_in: float) -> list[int]:
        q = rng.integers(-127, 128, shape).astype(np.int8)
        q[(0,) * len(shape)] = 127
        scales = rng.uniform(0.002, 0.01, shape[axis]).astype(np.float32)
        bias = rng.integers(-500, 500, shape[axis]).astype(np.int32)
        sides = [1] * len(shape)
        sides[axis] = -1
        if quantised:
            w = net.constant(f"{name}/w", q, (scales, np.zeros(shape[axis]), axis))
            return [w, net.constant(f"{name}/b", bias, (scales * scale_in, np.zeros(shape[axis]), 0))]
        real = (q * scales.reshape(sides)).astype(np.float32)
        return [
            net.constant(f"{name}/w", real),
            net.constant(f"{name}/b", (bias * scales * scale_in).astype(np.float32)),
        ]

    window = {"stride_w": 2, "stride_h": 2, "padding": "SAME"}
    picture = net.tensor(
        "picture", (1, 8, 8, 3), "u8" if quantised else "f32", None, ((1 / 255,), (0,), 0) if quantised else None
    )
    x = net.op("QUANTIZE", [picture], act("picture_q", (1, 8, 8, 3), 1 / 255, -128)) if quantised else picture
    a = act("net/stem_relu/Relu6;net/stem/Conv2D", (1, 4, 4, 4), 6 / 255, -128)
    net.op("CONV_2D", [x, *weights("stem", (4, 3, 3, 3), 0, 1 / 255)], a, fused_activation_function="RELU6", **window)
    b = act("net/filter/depthwise", (1, 4, 4, 4), 0.1, 3)
    once = {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, "padding": "SAME"}
    net.op("DEPTHWISE_CONV_2D", [a, *weights("filter", (1, 3, 3, 4), 3, 6 / 255)], b, **once)
    c = net.op("ADD", [a, b], act("net/both/add", (1, 4, 4, 4), 0.12, 1))
    mean = net.op("MEAN", [c, net.constant("axes", np.array([1, 2], np.int32))], act("net/mean", (1, 4), 0.1, 0))
    out = act("net/logits/MatMul", (1, 5), 0.05, 2)
    net.op("FULLY_CONNECTED", [mean, *weights("logits", (5, 4), 0, 0.1)], out)
    return net.bytes([picture], [out])
