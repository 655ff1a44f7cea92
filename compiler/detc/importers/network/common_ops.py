"""Operators that both formats have, and the functions that files write in several parts: silu, hard swish, hard sigmoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from detc.importers.foreign import ForeignOp
from detc.importers.network.drawing import Draft
from detc.importers.network.translation import Handler, Translation
from detc.importers.network.values import Constant, Untranslatable, Value
from detc.importers.network.views import View, order_of
from detc.ir.ops.activation import Relu

if TYPE_CHECKING:
    from detc.importers.network.values import Array


def passed_on(t: Translation, op: ForeignOp) -> None:
    """The same numbers, perhaps stored otherwise."""
    t.give(op, t.value(op.inputs[0]))


def unary(word: str, **given: Any) -> Handler:
    def handler(t: Translation, op: ForeignOp) -> None:
        t.give(op, t.act(op.inputs[0], word, **given))

    return handler


def activation(word: str) -> Handler:
    """A function of all channels of a place: the last axis of the file's tensor, or that which ONNX's `axis` names."""

    def handler(t: Translation, op: ForeignOp) -> None:
        value = t.value(op.inputs[0])
        if isinstance(value, View) and (order := order_of(value)) is not None:
            axis = op.whole("axis", -1)
            ours = ([-1] * value.batch + list(order))[axis]
            if ours == 0:
                t.give(op, t.act(op.inputs[0], word))
                return
        elif not isinstance(value, View):
            t.give(op, t.act(op.inputs[0], word))
            return
        raise Untranslatable(f"takes the {word} over another axis than the channels")

    return handler


def prelu(t: Translation, op: ForeignOp) -> None:
    """With one slope for all channels: a leaky ReLU."""
    slopes = t.constant(op.inputs[1]).real().reshape(-1)
    if not len(slopes) or (slopes != slopes[0]).any():
        raise Untranslatable("has a slope a channel; one for all could be taken (leaky)")
    t.give(op, t.act(op.inputs[0], "leaky", slope=float(f"{slopes[0]:.6g}")))


def gelu(t: Translation, op: ForeignOp) -> None:
    """By erf, as torch's; a file's approximation is not told apart."""
    if op.word("approximate", "none") != "none" or op.whole("approximate"):
        t.notes["its approximate GELUs are taken for exact ones, which differ by less than 0.0005"] = None
    t.give(op, t.act(op.inputs[0], "gelu"))


def resized(t: Translation, source: str, size: tuple[int, int], bilinear: bool) -> int:
    node = t.map(source)
    _, height, width = t.draft(node).type.shape
    if size[0] % height or size[1] % width:
        raise Untranslatable(f"makes {height}x{width} into {size[0]}x{size[1]}; only whole factors can be taken")
    factor = (size[0] // height, size[1] // width)
    return t.drawing.add("upsample", node, factor=factor, mode="bilinear" if bilinear else "nearest")


def added(t: Translation, sources: Sequence[str]) -> Value | int:
    """The sum of two tensors, one of which may be a constant."""
    values = [t.value(name) for name in sources]
    for mine, other in ((0, 1), (1, 0)):
        constant = values[other]
        if isinstance(constant, Constant):
            import numpy as np

            return t.affine(sources[mine], np.ones(1), constant.real())
    return _joined(t, "add", sources)


def subtracted(t: Translation, sources: Sequence[str]) -> Value | int:
    """A tensor less a constant, or a constant less a tensor."""
    import numpy as np

    a, b = (t.value(name) for name in sources)
    if isinstance(b, Constant):
        return t.affine(sources[0], np.ones(1), -b.real())
    if isinstance(a, Constant):
        return t.affine(sources[1], -np.ones(1), a.real())
    raise Untranslatable("takes one tensor from another")


def divided(t: Translation, sources: Sequence[str]) -> Value | int:
    other = t.value(sources[1])
    if not isinstance(other, Constant) or not other.real().all():
        raise Untranslatable("divides by what is no constant, or zero")
    return _times(t, sources[0], 1 / other.real())


def multiplied(t: Translation, sources: Sequence[str]) -> Value | int:
    values = [t.value(name) for name in sources]
    for mine, other in ((0, 1), (1, 0)):
        constant = values[other]
        if isinstance(constant, Constant):
            return _times(t, sources[mine], constant.real())
    for mine, other in ((0, 1), (1, 0)):
        a, b = values[mine], values[other]
        if isinstance(a, View) and isinstance(b, View) and (word := _gate(t, a.node, b.node)):
            return t.act(sources[mine], word)
    return _joined(t, "mul", sources)


def _joined(t: Translation, word: str, sources: Sequence[str]) -> Value | int:
    a, b = (t.view(name) for name in sources)
    orders = order_of(a), order_of(b)
    same = orders[0] is not None and orders[0] == orders[1] and a.sizes == b.sizes
    nodes = (a.node, b.node) if same else (t.drawing.map(a), t.drawing.map(b))
    made = t.drawing.add(word, *nodes)
    return t.drawing.after(a, made) if same else made


def _times(t: Translation, source: str, factor: Array) -> Value | int:
    import numpy as np

    found = scaled_product(t, source, factor)
    return t.affine(source, factor, np.zeros(1)) if found is None else found


# ---- functions in parts ---------------------------------------------------------------------------------------------


def _gate(t: Translation, x: int, gate: int) -> str:
    """The function that x times this gate is: silu, hswish; empty for none."""
    draft = t.draft(gate)
    known = {"sigmoid": "silu", "hsigmoid": "hswish"}
    return known.get(draft.op.name, "") if draft.inputs == (x,) else ""


def scaled_product(t: Translation, source: str, factor: Array) -> Value | int | None:
    """hard sigmoid as relu6(x + 3) / 6, and hard swish as x * relu6(x + 3) / 6; None for anything else."""
    view = t.view(source)
    if factor.size != 1 or abs(float(factor.reshape(-1)[0]) - 1 / 6) > 1e-6:
        return None
    draft = t.draft(view.node)
    if draft.op.name == "mul":
        for x, gate in (draft.inputs, draft.inputs[::-1]):
            if _is_sixth(t, gate, x):
                return t.drawing.after(view, t.drawing.add("hswish", x))
    if isinstance(draft.op, Relu) and draft.op.cap == 6 and _is_affine(before := t.draft(draft.inputs[0]), 1, 3):
        return t.drawing.after(view, t.drawing.add("hsigmoid", before.inputs[0]))
    return None


def _is_sixth(t: Translation, node: int, x: int) -> bool:
    """Whether a node is relu6(x + 3)."""
    draft = t.draft(node)
    if not isinstance(draft.op, Relu) or draft.op.cap != 6:
        return False
    before = t.draft(draft.inputs[0])
    return _is_affine(before, 1, 3) and before.inputs == (x,)


def _is_affine(draft: Draft, factor: float, summand: float) -> bool:
    if draft.affine is None:
        return False
    a, b = draft.affine
    return bool((abs(a - factor) < 1e-6).all() and (abs(b - summand) < 1e-6).all())
