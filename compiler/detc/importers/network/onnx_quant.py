"""ONNX's quantised operators: QuantizeLinear and DequantizeLinear around real ones, and the QLinear operators, both in one
(onnxruntime/docs/ContribOperators.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from detc.importers.foreign import ForeignOp
from detc.importers.network import onnx_ops
from detc.importers.network.common_ops import added, multiplied, passed_on
from detc.importers.network.drawing import Lazy
from detc.importers.network.translation import Handler, Translation
from detc.importers.network.values import Constant, Untranslatable, Value
from detc.importers.network.views import View


def scale_zero(t: Translation, scale: str, zero: str) -> tuple[tuple[float, ...], tuple[int, ...], str]:
    """Scales, zero points and the dtype of the numbers; without a zero point they are u8 around 0."""
    scales = tuple(float(v) for v in t.constant(scale).real().reshape(-1))
    if not zero:
        return scales, (0,) * len(scales), "u8"
    constant = t.constant(zero)
    zeros = tuple(int(v) for v in constant.stored().reshape(-1))
    if len(zeros) != len(scales) or not all(math.isfinite(scale) and scale > 0 for scale in scales) or not scales:
        raise Untranslatable(
            f"has {len(scales)} scales and {len(zeros)} zero points, or a scale that is zero or no number"
        )
    dtype = constant.tensor.dtype if constant.tensor is not None else "i8"
    return scales, zeros, dtype


def _at(op: ForeignOp, place: int) -> str:
    return op.inputs[place] if len(op.inputs) > place else ""


def measured(t: Translation, op: ForeignOp, value: Value | int, scale: str, zero: str) -> None:
    """Gives the value, and notes what its 8 bits reach from and to. Where they begin at zero, they hold the ReLU that exporters
    leave out for that reason."""
    scales, zeros, dtype = scale_zero(t, scale, zero)
    if len(scales) != 1 or dtype not in ("i8", "u8"):
        raise Untranslatable(f"has numbers of dtype {dtype}, or a scale a channel, where one of 8 bits can be taken")
    view = t.drawing.view(value) if isinstance(value, int) else value
    if isinstance(view, View) and view.whole and zeros[0] == (-128 if dtype == "i8" else 0):
        draft = t.draft(view.node)
        if not draft.positive and draft.inputs:
            view = t.drawing.after(view, t.drawing.add("relu", view.node))
    t.give(op, view)
    given = t.values[op.outputs[0]]
    views = (given,) if isinstance(given, View) else getattr(given, "views", ())
    for view in views:
        if view.whole:
            t.ranged(view.node, scales[0], zeros[0], dtype)


def read_by(t: Translation, names: Sequence[str], axis: int = 0) -> Constant:
    """A constant of whole numbers as the real ones that they stand for: its name, its scale and its zero."""
    name, scale, zero = names
    scales, zeros, _ = scale_zero(t, scale, zero)
    return t.constant(name).read_by(scales, zeros, axis)


def _quantize(t: Translation, op: ForeignOp) -> None:
    measured(t, op, t.value(op.inputs[0]), op.inputs[1], _at(op, 2))


def _conv(t: Translation, op: ForeignOp) -> None:
    """x, its scale and zero, w, its scale and zero, y's scale and zero, bias: whole numbers of scale x * w."""
    weight = read_by(t, op.inputs[3:6])
    plain = replace(op, inputs=(op.inputs[0], *op.inputs[3:]))
    bias = _whole_bias(t, op, 8, (1, 4), weight.shape[0] if weight.shape else 0)
    measured(t, op, onnx_ops.conv(t, plain, weight, bias), op.inputs[6], op.inputs[7])


def _whole_bias(t: Translation, op: ForeignOp, place: int, scales: tuple[int, int], channels: int) -> Lazy | None:
    """Whole numbers whose scale is the product of those that the inputs `scales` are."""
    bias = t.bias(op, place, channels)
    if bias is None:
        return None
    x, w = (t.constant(op.inputs[number]) for number in scales)
    return lambda: (bias.stored().reshape(-1) * x.real().reshape(-1) * w.real().reshape(-1)).astype("f4")


def _gemm(t: Translation, op: ForeignOp) -> None:
    """A, its scale and zero, B, its scale and zero, C, y's scale and zero."""
    turned = bool(op.real("transB"))
    if op.real("transA") or len(op.inputs) < 8:
        raise Untranslatable("turns the tensor that a picture gives, or gives no whole numbers")
    weight = read_by(t, op.inputs[3:6], axis=0 if turned else 1)
    features = weight.shape[0 if turned else -1] if weight.shape else 0
    bias = _whole_bias(t, op, 6, (1, 4), features)
    alpha = op.real("alpha", 1)
    measured(t, op, onnx_ops.dense(t, op, weight, turned, bias, alpha), op.inputs[7], _at(op, 8))


def _matmul(t: Translation, op: ForeignOp) -> None:
    weight = read_by(t, op.inputs[3:6], axis=1)
    measured(t, op, onnx_ops.dense(t, op, weight, False, None, 1), op.inputs[6], op.inputs[7])


def _pairs(work: Callable[[Translation, Sequence[str]], Value | int]) -> Handler:
    def handler(t: Translation, op: ForeignOp) -> None:
        """A, its scale and zero, B, its scale and zero, C's scale and zero."""
        names = []
        for place in (0, 3):
            name = op.inputs[place]
            if isinstance(t.value(name), Constant):
                name = f"{name}\0{op.outputs[0]}"
                t.values[name] = read_by(t, op.inputs[place : place + 3])
            names.append(name)
        measured(t, op, work(t, names), op.inputs[6], _at(op, 7))

    return handler


def _concat(t: Translation, op: ForeignOp) -> None:
    """y's scale and zero, then each tensor with its own."""
    value = t.concat(op.inputs[2::3], op.whole("axis", 1))
    measured(t, op, value, op.inputs[0], op.inputs[1])


def _wrapped(kind: str) -> Handler:
    """A real operator of one tensor: x, its scale and zero, y's scale and zero."""

    def handler(t: Translation, op: ForeignOp) -> None:
        if op.real("channels_last"):
            raise Untranslatable("has channels last")
        onnx_ops.HANDLERS[kind](t, replace(op, kind=kind, inputs=op.inputs[:1]))
        measured(t, op, t.values[op.outputs[0]], op.inputs[3], _at(op, 4))

    return handler


HANDLERS: dict[str, Handler] = {
    **onnx_ops.HANDLERS,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": passed_on,
    "QLinearConv": _conv,
    "QGemm": _gemm,
    "QLinearMatMul": _matmul,
    "QLinearAdd": _pairs(added),
    "QLinearMul": _pairs(multiplied),
    "QLinearConcat": _concat,
    **{
        f"QLinear{kind}": _wrapped(kind)
        for kind in ("AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax", "ReduceMean")
    },
}
