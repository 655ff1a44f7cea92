"""ONNX's operators that only move numbers: reshapes, transposes, concatenations, slices (onnx/docs/Operators.md)."""

from __future__ import annotations

import math

from detc.importers.foreign import ForeignOp
from detc.importers.network.translation import Handler, Translation
from detc.importers.network.values import Constant, Untranslatable


def _reshape(t: Translation, op: ForeignOp) -> None:
    shape = t.constant(op.inputs[1]).numbers()
    value = t.value(op.inputs[0])
    sizes = () if isinstance(value, Constant) else getattr(value, "sizes", ())
    if not op.real("allowzero"):
        shape = [sizes[n] if side == 0 and n < len(sizes) else side for n, side in enumerate(shape)]
    t.give(op, t.reshape(op.inputs[0], shape))


def _flatten(t: Translation, op: ForeignOp) -> None:
    sizes = t.view(op.inputs[0]).sizes
    axis = op.whole("axis", 1) % max(1, len(sizes))
    t.give(op, t.reshape(op.inputs[0], (math.prod(sizes[:axis]), -1)))


def _transpose(t: Translation, op: ForeignOp) -> None:
    rank = len(getattr(t.value(op.inputs[0]), "sizes", ()))
    t.give(op, t.transpose(op.inputs[0], op.wholes("perm", range(rank)[::-1])))


def _axes(t: Translation, op: ForeignOp) -> list[int]:
    given = t.optional(op, 1)
    return given.numbers() if given is not None else op.wholes("axes")


def _squeeze(t: Translation, op: ForeignOp) -> None:
    sizes = t.view(op.inputs[0]).sizes
    axes = {axis % len(sizes) for axis in _axes(t, op)} or {n for n, side in enumerate(sizes) if side == 1}
    if any(sizes[axis] != 1 for axis in axes):
        raise Untranslatable(f"drops axes {sorted(axes)} of {list(sizes)}")
    t.give(op, t.reshape(op.inputs[0], [side for n, side in enumerate(sizes) if n not in axes] or [1]))


def _unsqueeze(t: Translation, op: ForeignOp) -> None:
    sizes = list(t.view(op.inputs[0]).sizes)
    axes = _axes(t, op)
    for axis in sorted(axis % (len(sizes) + len(axes)) for axis in axes):
        sizes.insert(axis, 1)
    t.give(op, t.reshape(op.inputs[0], sizes))


def _concat(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.concat(op.inputs, op.whole("axis", 1)))


def _split(t: Translation, op: ForeignOp) -> None:
    sizes = t.view(op.inputs[0]).sizes
    axis = op.whole("axis", 0) % len(sizes)
    given = t.optional(op, 1)
    counts = given.numbers() if given is not None else op.wholes("split")
    if not counts:
        each = -(-sizes[axis] // len(op.outputs))
        counts = [min(each, sizes[axis] - each * n) for n in range(len(op.outputs))]
    start = 0
    for place, count in enumerate(counts[: len(op.outputs)]):
        t.give(op, t.slice(op.inputs[0], axis, start, count), place)
        start += count


def _slice(t: Translation, op: ForeignOp) -> None:
    view = t.view(op.inputs[0])
    rank = len(view.sizes)
    given = [t.optional(op, place) for place in range(1, 5)]
    starts, ends = (
        g.numbers() if g is not None else op.wholes(n) for g, n in zip(given[:2], ("starts", "ends"), strict=True)
    )
    axes = given[2].numbers() if given[2] is not None else op.wholes("axes", range(len(starts)))
    steps = given[3].numbers() if given[3] is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise Untranslatable("takes a slice backwards")
        places = range(view.sizes[axis % rank])[slice(start, end, step)]
        t.values[op.outputs[0]] = view
        view = t.slice(op.outputs[0], axis % rank, places.start, len(places), step)
    t.give(op, view)


def _space_to_depth(t: Translation, op: ForeignOp) -> None:
    t.give(op, t.drawing.add("space_to_depth", t.map(op.inputs[0]), block=op.whole("blocksize", 0), order="rows"))


PLACES: dict[str, Handler] = {
    "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Concat": _concat, "Split": _split, "Slice": _slice, "SpaceToDepth": _space_to_depth,
}  # fmt: skip
