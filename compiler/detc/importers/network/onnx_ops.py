"""ONNX's operators that compute (onnx/docs/Operators.md). Maps are [batch, channels, height, width], weights
[out, in / groups, rows, columns]."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
from detc.importers.network.onnx_places import PLACES
from detc.importers.network.translation import Handler, Sides, Translation
from detc.importers.network.values import Constant, Untranslatable, Value
from detc.importers.network.views import View

if TYPE_CHECKING:
    from detc.importers.network.values import Array

_AUTO = {"SAME_UPPER": "same_upper", "VALID": "valid"}


def pair(op: ForeignOp, name: str) -> tuple[int, int]:
    found = op.wholes(name, (1, 1))
    if len(found) != 2:
        raise Untranslatable(f"has {name} {found}; layers here have two axes")
    return found[0], found[1]


def sides(op: ForeignOp) -> Sides | str:
    """Padding; ONNX has it as all beginnings, then all ends."""
    auto = op.word("auto_pad", "NOTSET")
    if auto in _AUTO:
        return _AUTO[auto]
    pads = op.wholes("pads", (0, 0, 0, 0))
    if auto != "NOTSET" or len(pads) != 4:
        raise Untranslatable(f"pads {auto if auto != 'NOTSET' else pads}")
    return pads[0], pads[1], pads[2], pads[3]


# ---- layers ---------------------------------------------------------------------------------------------------------


def conv(t: Translation, op: ForeignOp, weight: Constant, bias: Lazy | None) -> int:
    if len(weight.shape) != 4:
        raise Untranslatable(f"has weights of shape {list(weight.shape)}; convolutions here have two axes")
    out, per_group, rows, columns = weight.shape
    return t.conv(
        op.inputs[0], (out, per_group, rows, columns), weight.real, bias, op.inputs[1:], stride=pair(op, "strides"),
        sides=sides(op), dilation=pair(op, "dilations"), groups=op.whole("group", 1), steps=weight.steps(0),
    )  # fmt: skip


def _conv(t: Translation, op: ForeignOp) -> None:
    weight = t.constant(op.inputs[1])
    bias = t.bias(op, 2, weight.shape[0] if weight.shape else 0)
    lazy = None if bias is None else lambda: bias.real().reshape(-1)
    t.give(op, conv(t, op, weight, lazy))


def dense(t: Translation, op: ForeignOp, weight: Constant, transposed: bool, bias: Lazy | None, alpha: float) -> int:
    """`weight` [in, out], or [out, in] where it is `transposed`."""
    if len(weight.shape) != 2:
        raise Untranslatable(f"multiplies with a constant of shape {list(weight.shape)}")
    features, inputs = weight.shape if transposed else weight.shape[::-1]

    def read() -> Array:
        array = weight.real() if transposed else weight.real().T
        return array if alpha == 1 else array * alpha

    steps = weight.steps(0 if transposed else 1) if alpha == 1 else None
    return t.dense(op.inputs[0], read, features, inputs, bias, (*op.inputs[1:], transposed, alpha), steps)


def _gemm(t: Translation, op: ForeignOp) -> None:
    if op.real("transA"):
        raise Untranslatable("turns the tensor that a picture gives")
    beta, bias = op.real("beta", 1), t.optional(op, 2)
    weight, transposed = t.constant(op.inputs[1]), bool(op.real("transB"))
    features = weight.shape[0 if transposed else -1] if weight.shape else 0
    if bias is not None and math.prod(bias.shape) not in (1, features):
        raise Untranslatable(f"has a bias of shape {list(bias.shape)} for {features} features")
    lazy = None if bias is None else lambda: _bias(bias, features, beta)
    t.give(op, dense(t, op, weight, transposed, lazy, op.real("alpha", 1)))


def _bias(bias: Constant, features: int, beta: float) -> Array:
    import numpy as np

    return np.broadcast_to(bias.real().reshape(-1) * beta, (features,)).astype(np.float32)


def _matmul(t: Translation, op: ForeignOp) -> None:
    t.give(op, dense(t, op, t.constant(op.inputs[1]), False, None, 1))


def _norm(t: Translation, op: ForeignOp) -> None:
    source, constants = op.inputs[0], [t.constant(name) for name in op.inputs[1:5]]
    channels = t.draft(t.map(source)).type.channels
    if len(constants) != 4 or any(math.prod(c.shape) != channels for c in constants):
        raise Untranslatable("has statistics of another number of channels")
    momentum = 1 - op.real("momentum", 0.9)
    made = t.drawing.add("bn", t.map(source), eps=_plain(op.real("epsilon", 1e-5)), momentum=_plain(momentum))
    for name, constant in zip(("weight", "bias", "running_mean", "running_var"), constants, strict=True):
        t.draft(made).weights[name] = lambda constant=constant: constant.real().reshape(-1)  # type: ignore[misc]
    t.give(op, made)


def _plain(value: float) -> float:
    """A float32 attribute as its author wrote it."""
    return float(f"{value:.6g}")


def _clip(t: Translation, op: ForeignOp) -> None:
    low, high = op.real("min", -math.inf), op.real("max", math.inf)
    if (given := t.optional(op, 1)) is not None:
        low = float(given.real().reshape(-1)[0])
    if (given := t.optional(op, 2)) is not None:
        high = float(given.real().reshape(-1)[0])
    if low != 0 or high <= 0:
        raise Untranslatable(f"clips to {low:g} .. {high:g}; only from zero upwards can be taken")
    cap = {} if high > 1e30 else {"cap": int(high) if high == int(high) else _plain(high)}
    t.give(op, t.act(op.inputs[0], "relu", **cap))


def _hard_sigmoid(t: Translation, op: ForeignOp) -> None:
    alpha, beta = op.real("alpha", 0.2), op.real("beta", 0.5)
    if abs(alpha - 1 / 6) > 1e-4 or abs(beta - 0.5) > 1e-6:
        raise Untranslatable(f"has alpha {alpha:g} and beta {beta:g}; torch's hard sigmoid has 1/6 and 0.5")
    t.give(op, t.act(op.inputs[0], "hsigmoid"))


def _leaky(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.act(op.inputs[0], "leaky", slope=_plain(op.real("alpha", 0.01))))


# ---- pools ----------------------------------------------------------------------------------------------------------


def _max_pool(t: Translation, op: ForeignOp) -> None:
    if (len(op.outputs) > 1 and op.outputs[1]) or pair(op, "dilations") != (1, 1):
        raise Untranslatable("gives indices, or has gaps in its windows")
    pad = sides(op)
    k, stride = pair(op, "kernel_shape"), pair(op, "strides")
    before = t.draft(t.view(op.inputs[0]).node)
    if before.lowest and pad in ("valid", (0, 0, 0, 0)):
        node, pad = before.inputs[0], before.op.attributes()["sides"]
    else:
        node = t.map(op.inputs[0])
    if isinstance(pad, tuple) and pad[:2] == pad[2:]:
        pad = pad[:2]  # type: ignore[assignment]
    ceil = bool(op.real("ceil_mode"))
    t.give(op, t.drawing.add("maxpool", node, k=k, s=stride, pad=pad, ceil=ceil))


def _average_pool(t: Translation, op: ForeignOp) -> None:
    node, pad = t.map(op.inputs[0]), sides(op)
    k, stride = pair(op, "kernel_shape"), pair(op, "strides")
    size = t.draft(node).type.shape[1:]
    padded = isinstance(pad, tuple) and any(pad)
    if pad == "same_upper" or (padded and (not op.real("count_include_pad") or pad[:2] != pad[2:])):
        raise Untranslatable("averages over windows that reach beyond the map, whose padding does not count")
    if op.real("ceil_mode") and any((n - w) % s for n, w, s in zip(size, k, stride, strict=True)):
        raise Untranslatable("averages over windows that are cut off at the end of the map")
    if k == size and not padded:
        t.give(op, t.drawing.mean(node))
        return
    t.give(op, t.drawing.add("avgpool", node, k=k, s=stride, pad=pad[:2] if isinstance(pad, tuple) else 0))


def _global_pool(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.drawing.mean(t.map(op.inputs[0])))


def _reduce_mean(t: Translation, op: ForeignOp) -> None:
    view = t.view(op.inputs[0])
    given = t.optional(op, 1)
    axes = sorted(axis % len(view.sizes) for axis in (given.numbers() if given is not None else op.wholes("axes")))
    if len(view.sizes) != 4 or axes != [2, 3]:
        raise Untranslatable(f"takes the mean over axes {axes}; over rows and columns it could be taken")
    made = t.drawing.view(t.drawing.mean(t.drawing.map(view)))
    t.give(op, made if op.real("keepdims", 1) else View(made.node, made.shape, made.axes[:1], made.starts))


def _pad(t: Translation, op: ForeignOp) -> None:
    given, value, axes = (t.optional(op, number) for number in (1, 2, 3))
    pads = given.numbers() if given is not None else op.wholes("pads")
    rank = len(t.view(op.inputs[0]).sizes)
    if axes is not None:
        spread = [0] * 2 * rank
        for place, axis in enumerate(axes.numbers()):
            spread[axis % rank], spread[rank + axis % rank] = pads[place], pads[place + len(pads) // 2]
        pads = spread
    fill = float(value.real().reshape(-1)[0]) if value is not None and value.shape != (0,) else op.real("value")
    lowest = fill < -1e30
    if op.word("mode", "constant") != "constant" or (fill and not lowest):
        raise Untranslatable("pads with something other than zeros")
    if len(pads) != 8 or any(pads[:2]) or any(pads[4:6]) or min(pads) < 0:
        raise Untranslatable("pads other axes than rows and columns, or cuts them")
    if not any(pads):
        passed_on(t, op)
        return
    made = t.drawing.add("pad", t.map(op.inputs[0]), sides=(pads[2], pads[3], pads[6], pads[7]))
    t.draft(made).lowest = lowest
    t.give(op, made)


def _resize(t: Translation, op: ForeignOp) -> None:
    mode = op.word("mode", "nearest")
    places = op.word("coordinate_transformation_mode", "half_pixel")
    linear = mode == "linear"
    if mode not in ("nearest", "linear") or (linear and places not in ("half_pixel", "pytorch_half_pixel")):
        raise Untranslatable(f"resizes {mode} with {places} coordinates")
    if not linear and (places not in ("half_pixel", "asymmetric", "pytorch_half_pixel") or _rounds_up(op, places)):
        raise Untranslatable(f"resizes {mode} with {places} coordinates, rounded {op.word('nearest_mode')}")
    _, _, height, width = t.view(op.inputs[0]).sizes if len(t.view(op.inputs[0]).sizes) == 4 else (0, 0, 0, 0)
    wanted = t.optional(op, 3)
    scales = t.optional(op, 1 if op.kind == "Upsample" else 2)
    if wanted is not None and wanted.shape != (0,):
        size = wanted.numbers()[-2:]
    elif scales is not None and math.prod(scales.shape) == 4:
        size = [math.floor(n * float(s)) for n, s in zip((height, width), scales.real().reshape(-1)[2:], strict=True)]
    else:
        raise Untranslatable("resizes by factors that the file does not hold")
    if not height or min(size) < 1:
        raise Untranslatable("resizes what is no map")
    t.give(op, resized(t, op.inputs[0], (size[0], size[1]), linear))


def _rounds_up(op: ForeignOp, places: str) -> bool:
    """Whether a whole factor would not repeat each number evenly."""
    nearest = op.word("nearest_mode", "round_prefer_floor")
    return op.kind == "Resize" and places == "asymmetric" and nearest != "floor"


# ---- numbers --------------------------------------------------------------------------------------------------------


def _two(work: object) -> Handler:
    def handler(t: Translation, op: ForeignOp) -> None:
        t.give(op, work(t, op.inputs[:2]))  # type: ignore[operator]

    return handler


def _sum(t: Translation, op: ForeignOp) -> None:
    value: Value | int = t.value(op.inputs[0])
    for place, name in enumerate(op.inputs[1:]):
        held = f"{op.outputs[0]}\0{place}"
        t.values[held] = t.drawing.view(value) if isinstance(value, int) else value
        t.readers[held] = 2
        value = added(t, (held, name))
    t.give(op, value)


HANDLERS: dict[str, Handler] = {
    "Conv": _conv, "Gemm": _gemm, "MatMul": _matmul, "BatchNormalization": _norm, "Clip": _clip, "LeakyRelu": _leaky,
    "HardSigmoid": _hard_sigmoid, "Softmax": activation("softmax"), "MaxPool": _max_pool, "AveragePool": _average_pool,
    "GlobalAveragePool": _global_pool, "ReduceMean": _reduce_mean, "Pad": _pad, "Resize": _resize, "Upsample": _resize,
    "PRelu": prelu, "Gelu": gelu, "Add": _two(added), "Sub": _two(subtracted),
    "Mul": _two(multiplied), "Div": _two(divided), "Sum": _sum, "Identity": passed_on, "Dropout": passed_on,
    "Cast": passed_on, **PLACES,
    **{
        kind: unary(word)
        for kind, word in (
            ("Relu", "relu"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("HardSwish", "hswish"), ("Swish", "silu"),
        )
    },
}  # fmt: skip
