"""TFLite's operators. Maps are [batch, height, width, channels], weights [out, rows, columns, in], depthwise ones
[1, rows, columns, out] (tensorflow/lite/kernels)."""

from __future__ import annotations

from typing import Any

from detc.importers.foreign import ForeignOp
from detc.importers.network.common_ops import (
    activation,
    added,
    divided,
    gelu,
    multiplied,
    passed_on,
    prelu,
    resized,
    subtracted,
    unary,
)
from detc.importers.network.drawing import Lazy
from detc.importers.network.translation import Handler, Translation
from detc.importers.network.values import Untranslatable
from detc.importers.network.views import View

PADDING = {"SAME": "same_upper", "VALID": "valid"}


def _pair(op: ForeignOp, height: str, width: str) -> tuple[int, int]:
    found = op.whole(height), op.whole(width)
    if min(found) < 1:
        raise Untranslatable(f"has a {height.rpartition('_')[0]} of {found[0]}x{found[1]}")
    return found


def _padding(op: ForeignOp) -> str:
    return PADDING[op.word("padding")]


def _fused(t: Translation, op: ForeignOp, made: Any) -> None:
    t.give(op, t.fused(made, op.word("fused_activation_function")))


def _bias(t: Translation, op: ForeignOp, channels: int) -> Lazy | None:
    bias = t.bias(op, 2, channels)
    return None if bias is None else lambda: bias.real().reshape(-1)


def _conv(t: Translation, op: ForeignOp) -> None:
    weight = t.constant(op.inputs[1])
    if len(weight.shape) != 4:
        raise Untranslatable(f"has weights of shape {list(weight.shape)}")
    out, rows, columns, per_group = weight.shape
    channels = t.draft(t.map(op.inputs[0])).type.channels
    made = t.conv(
        op.inputs[0], (out, per_group, rows, columns), lambda: weight.real().transpose(0, 3, 1, 2), _bias(t, op, out),
        op.inputs[1:], stride=_pair(op, "stride_h", "stride_w"), sides=_padding(op),
        dilation=_pair(op, "dilation_h_factor", "dilation_w_factor"), groups=max(1, channels // max(1, per_group)),
        steps=weight.steps(0),
    )  # fmt: skip
    _fused(t, op, made)


def _depthwise(t: Translation, op: ForeignOp) -> None:
    weight = t.constant(op.inputs[1])
    if len(weight.shape) != 4 or weight.shape[0] != 1:
        raise Untranslatable(f"has weights of shape {list(weight.shape)}")
    _, rows, columns, out = weight.shape
    made = t.conv(
        op.inputs[0], (out, 1, rows, columns), lambda: weight.real().transpose(3, 0, 1, 2), _bias(t, op, out), op.inputs[1:],
        stride=_pair(op, "stride_h", "stride_w"), sides=_padding(op),
        dilation=_pair(op, "dilation_h_factor", "dilation_w_factor"), groups=t.draft(t.map(op.inputs[0])).type.channels,
        steps=weight.steps(3),
    )  # fmt: skip
    _fused(t, op, made)


def _dense(t: Translation, op: ForeignOp) -> None:
    weight = t.constant(op.inputs[1])
    if len(weight.shape) != 2 or op.whole("weights_format"):
        raise Untranslatable(f"has weights of shape {list(weight.shape)}")
    features, inputs = weight.shape
    source = op.inputs[0]
    view = t.view(source)
    if len(view.axes) != 1:  # a fully connected layer takes all that there is of a picture
        t.values[source + "\0flat"] = t.reshape(source, (1, -1))
        source += "\0flat"
    bias, steps = _bias(t, op, features), weight.steps(0)
    _fused(t, op, t.dense(source, weight.real, features, inputs, bias, op.inputs[1:], steps))


def _max_pool(t: Translation, op: ForeignOp) -> None:
    made = t.drawing.add(
        "maxpool", t.map(op.inputs[0]), k=_pair(op, "filter_height", "filter_width"), s=_pair(op, "stride_h", "stride_w"),
        pad=_padding(op),
    )  # fmt: skip
    _fused(t, op, made)


def _average_pool(t: Translation, op: ForeignOp) -> None:
    """What pads does not count in TFLite, so only unpadded windows are the same here."""
    node = t.map(op.inputs[0])
    k, stride = _pair(op, "filter_height", "filter_width"), _pair(op, "stride_h", "stride_w")
    shape = t.draft(node).type.shape
    if k == shape[1:] and (_padding(op) == "valid" or stride == k):
        _fused(t, op, t.drawing.mean(node))
        return
    even = all(n % s == 0 and w == s for n, w, s in zip(shape[1:], k, stride, strict=True))
    if _padding(op) != "valid" and not even and k != (1, 1):
        raise Untranslatable("averages over windows that reach beyond the map, whose padding does not count")
    _fused(t, op, t.drawing.add("avgpool", node, k=k, s=stride))


def _mean(t: Translation, op: ForeignOp) -> None:
    view = t.view(op.inputs[0])
    axes = sorted(axis % len(view.sizes) for axis in t.constant(op.inputs[1]).numbers())
    if len(view.sizes) != 4 or axes != [1, 2]:
        raise Untranslatable(f"takes the mean over axes {axes}; over rows and columns it could be taken")
    node = t.drawing.mean(t.drawing.map(view))
    made = t.drawing.view(node)
    t.give(op, made if op.whole("keep_dims") else View(node, made.shape, made.axes[2:], made.starts))


def _pad(t: Translation, op: ForeignOp) -> None:
    rows = t.constant(op.inputs[1]).numbers()
    if len(rows) != 8 or any(rows[:2]) or any(rows[6:]):
        raise Untranslatable("pads other axes than rows and columns")
    if len(op.inputs) > 2 and t.constant(op.inputs[2]).real().any():
        raise Untranslatable("pads with a number other than zero")
    sides = (rows[2], rows[4], rows[3], rows[5])
    t.give(op, t.drawing.add("pad", t.map(op.inputs[0]), sides=sides))


def _concat(t: Translation, op: ForeignOp) -> None:
    _fused(t, op, t.concat(op.inputs, op.whole("axis")))


def _reshape(t: Translation, op: ForeignOp) -> None:
    shape = [max(side, 1) if side < 0 else side for side in t.model.tensors[op.outputs[0]].shape]
    if len(op.inputs) > 1 and op.inputs[1]:
        wanted = t.constant(op.inputs[1])
        shape = wanted.numbers() if wanted.known else shape
    t.give(op, t.reshape(op.inputs[0], shape))


def _transpose(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.transpose(op.inputs[0], t.constant(op.inputs[1]).numbers()))


def _resize(bilinear: bool) -> Handler:
    def handler(t: Translation, op: ForeignOp) -> None:
        if op.whole("align_corners") or (bilinear and not op.whole("half_pixel_centers")):
            raise Untranslatable("resizes with aligned corners, or without half pixel centres")
        height, width = t.constant(op.inputs[1]).numbers()[:2]
        t.give(op, resized(t, op.inputs[0], (height, width), bilinear))

    return handler


def _split(t: Translation, op: ForeignOp) -> None:
    axis = t.constant(op.inputs[0]).numbers()[0]
    size = t.view(op.inputs[1]).sizes[axis]
    _give_slices(t, op, op.inputs[1], axis, [size // len(op.outputs)] * len(op.outputs))


def _split_v(t: Translation, op: ForeignOp) -> None:
    axis = t.constant(op.inputs[2]).numbers()[0]
    _give_slices(t, op, op.inputs[0], axis, t.constant(op.inputs[1]).numbers())


def _give_slices(t: Translation, op: ForeignOp, source: str, axis: int, counts: list[int]) -> None:
    axis %= len(t.view(source).sizes)
    start = 0
    for number, count in enumerate(counts[: len(op.outputs)]):
        t.give(op, t.slice(source, axis, start, count), number)
        start += count


def _slice(t: Translation, op: ForeignOp) -> None:
    view = t.view(op.inputs[0])
    begin, size = (t.constant(name).numbers() for name in op.inputs[1:3])
    for axis, (start, count) in enumerate(zip(begin, size, strict=True)):
        t.values[op.outputs[0]] = view
        view = t.slice(op.outputs[0], axis, start, view.sizes[axis] - start if count == -1 else count)
    t.give(op, view)


def _strided_slice(t: Translation, op: ForeignOp) -> None:
    if any(op.whole(f"{word}_mask") for word in ("ellipsis", "new_axis", "shrink_axis")):
        raise Untranslatable("takes a slice that adds or drops axes")
    view = t.view(op.inputs[0])
    begin, end, steps = (t.constant(name).numbers() for name in op.inputs[1:4])
    first, last = op.whole("begin_mask"), op.whole("end_mask")
    for axis, step in enumerate(steps):
        size = view.sizes[axis]
        if step < 1:
            raise Untranslatable("takes a slice backwards")
        places = range(size)[
            slice(None if first >> axis & 1 else begin[axis], None if last >> axis & 1 else end[axis], step)
        ]
        t.values[op.outputs[0]] = view
        view = t.slice(op.outputs[0], axis, places.start, len(places), step)
    t.give(op, view)


def _leaky(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.act(op.inputs[0], "leaky", slope=op.real("alpha")))


def _add(t: Translation, op: ForeignOp) -> None:
    _fused(t, op, added(t, op.inputs))


def _sub(t: Translation, op: ForeignOp) -> None:
    _fused(t, op, subtracted(t, op.inputs))


def _div(t: Translation, op: ForeignOp) -> None:
    _fused(t, op, divided(t, op.inputs))


def _mul(t: Translation, op: ForeignOp) -> None:
    _fused(t, op, multiplied(t, op.inputs))


def _space_to_depth(t: Translation, op: ForeignOp) -> None:
    made = t.drawing.add("space_to_depth", t.map(op.inputs[0]), block=op.whole("block_size"), order="rows")
    t.give(op, made)


HANDLERS: dict[str, Handler] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "MEAN": _mean,
    "PAD": _pad,
    "PADV2": _pad,
    "CONCATENATION": _concat,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": lambda t, op: t.give(op, t.reshape(op.inputs[0], _own_shape(t, op))),
    "TRANSPOSE": _transpose,
    "RESIZE_BILINEAR": _resize(True),
    "RESIZE_NEAREST_NEIGHBOR": _resize(False),
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "LEAKY_RELU": _leaky,
    "PRELU": prelu,
    "ADD": _add,
    "SUB": _sub,
    "MUL": _mul,
    "DIV": _div,
    "QUANTIZE": passed_on,
    "DEQUANTIZE": passed_on,
    "SOFTMAX": activation("softmax"), "GELU": gelu,
    **{
        kind: unary(word)
        for kind, word in (
            ("RELU", "relu"), ("RELU6", "relu6"), ("LOGISTIC", "sigmoid"), ("TANH", "tanh"), ("HARD_SWISH", "hswish"),
        )
    },
}  # fmt: skip


def _own_shape(t: Translation, op: ForeignOp) -> list[int]:
    return [max(side, 1) if side < 0 else side for side in t.model.tensors[op.outputs[0]].shape]
