"""Working out what depends on no picture: shapes that a file computes, and tables of constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from detc.importers.foreign import ForeignOp
from detc.importers.network.translation import Translation
from detc.importers.network.values import Constant

if TYPE_CHECKING:
    from detc.importers.network.values import Array

MOST = 1 << 16
"""Elements of what is worked out from several; larger tables stay constants without numbers, which only outputs are."""
_KEEPING = frozenset(
    (
        "Reshape",
        "RESHAPE",
        "Identity",
        "Dropout",
        "Transpose",
        "Cast",
        "CAST",
        "Unsqueeze",
        "Squeeze",
        "SQUEEZE",
        "Slice",
    )
)
"""Operators that give no more numbers than they take."""


def folded(t: Translation, op: ForeignOp) -> bool:
    """Gives the outputs of an operator that depends on no picture, as neither do its inputs (or their shapes); else False."""
    if op.kind in ("SHAPE", "Shape"):
        value = t.value(op.inputs[0])
        sizes = getattr(value, "sizes", None) or getattr(value, "shape", None)
        if sizes is None:
            return False
        begin, end = op.whole("start"), op.whole("end") if "end" in op.attributes else None
        import numpy as np

        t.values[op.outputs[0]] = Constant(array=np.array([max(1, s) for s in sizes][begin:end], np.int64))
        return True
    if op.kind == "Constant":
        for name in op.outputs:
            t.values[name] = Constant()
        return True
    values = [t.value(name) for name in op.inputs if name]
    if not all(isinstance(value, Constant) for value in values) or not values:
        return False
    results: list[Array] | None = None
    work = _WORK.get(op.kind)
    if op.kind in ("DequantizeLinear", "DEQUANTIZE", "QUANTIZE") and isinstance(values[0], Constant):
        t.values[op.outputs[0]] = _dequantised(op, values)
        return True
    known = [v for v in values if isinstance(v, Constant) and v.known]
    if op.kind == "ConstantOfShape" and known:
        results = _filled(known[0].numbers(), op.attributes.get("value", 0.0))
    elif op.kind == "QuantizeLinear" and len(known) == len(values):
        results = _quantised(known)
    elif work is not None and len(known) == len(values) and _bounded(op, known):
        arrays = [v.stored() if not v.scales else v.real() for v in known]
        try:
            results = work(arrays, op)
        except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError):
            results = None
    for number, name in enumerate(op.outputs):
        t.values[name] = Constant(array=results[number] if results is not None and number < len(results) else None)
    return True


def _bounded(op: ForeignOp, values: list[Constant]) -> bool:
    """Whether the result can be no larger than what the file holds, or is small anyway."""
    if op.kind in _KEEPING:
        return True
    total = 1
    for value in values:
        total *= max(1, _size(value))
    return total <= MOST


def _filled(shape: list[int], value: object) -> list[Array] | None:
    import numpy as np

    size = 1
    for side in shape:
        size *= max(side, 0)
    if size > MOST or any(side < 0 for side in shape) or not isinstance(value, int | float):
        return None
    return [np.full(shape, value, np.int64 if isinstance(value, int) else np.float32)]


def _quantised(values: list[Constant]) -> list[Array]:
    """Real numbers as whole ones: halves to even, as QuantizeLinear says."""
    import numpy as np

    x, scale = values[0].real().astype(np.float64), values[1].real().astype(np.float64)
    zero = values[2].stored() if len(values) > 2 else np.zeros(1, np.uint8)
    sides = [1] * x.ndim
    if scale.size > 1:
        axis = next((n for n, side in enumerate(x.shape) if side == scale.size), 0)
        sides[axis] = scale.size
    limits = np.iinfo(zero.dtype)
    found = np.rint(x / scale.reshape(sides if scale.size > 1 else -1)) + zero.reshape(sides if zero.size > 1 else -1)
    return [np.clip(found, limits.min, limits.max).astype(zero.dtype)]


def _size(constant: Constant) -> int:
    size = 1
    for side in constant.shape:
        size *= max(1, side)
    return size


def _dequantised(op: ForeignOp, values: list[Any]) -> Constant:
    """Numbers with the scales that the operator reads them by; TFLite's tensors have theirs already."""
    source: Constant = values[0]
    if op.kind != "DequantizeLinear" or not source.known:
        return source
    scales = tuple(float(v) for v in values[1].real().reshape(-1)[:MOST])
    zeros = tuple(int(v) for v in values[2].stored().reshape(-1)) if len(values) > 2 else (0,) * len(scales)
    return source.read_by(scales, zeros, op.whole("axis", 1))


def _np() -> Any:
    import numpy as np

    return np


def _strided(arrays: list[Array], op: ForeignOp) -> list[Array]:
    array, begin, end, steps = arrays
    found = array
    index: list[Any] = []
    for axis, step in enumerate(steps.reshape(-1)):
        if op.whole("shrink_axis_mask") >> axis & 1:
            index.append(int(begin[axis]))
            continue
        first = None if op.whole("begin_mask") >> axis & 1 else int(begin[axis])
        last = None if op.whole("end_mask") >> axis & 1 else int(end[axis])
        index.append(slice(first, last, int(step)))
    return [_np().asarray(found[tuple(index)])]


def _sliced(arrays: list[Array], op: ForeignOp) -> list[Array]:
    array, starts, ends = arrays[:3]
    axes = arrays[3].reshape(-1) if len(arrays) > 3 else range(len(starts))
    steps = arrays[4].reshape(-1) if len(arrays) > 4 else [1] * len(starts)
    index: list[Any] = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[int(axis)] = slice(int(start), int(end), int(step))
    return [array[tuple(index)]]


def _axes(arrays: list[Array], op: ForeignOp) -> tuple[int, ...]:
    return tuple(int(axis) for axis in (arrays[1].reshape(-1) if len(arrays) > 1 else op.wholes("axes")))


def _squeezed(arrays: list[Array], op: ForeignOp) -> list[Array]:
    axes = _axes(arrays, op) or tuple(op.wholes("squeeze_dims")) or None
    return [_np().squeeze(arrays[0], axes)]


def _cast(arrays: list[Array], op: ForeignOp) -> list[Array]:
    to = op.whole("to")
    return [arrays[0].astype(_np().float32 if to in (1, 10, 11) else _np().int64) if to else arrays[0]]


def _binary(name: str) -> Callable[[list[Array], ForeignOp], list[Array]]:
    def work(arrays: list[Array], op: ForeignOp) -> list[Array]:
        if name == "divide" and arrays[0].dtype.kind in "iu":
            return [arrays[0] // arrays[1]]
        return [getattr(_np(), name)(*arrays)]

    return work


def _axis(op: ForeignOp) -> int:
    return op.whole("axis", 0)


_WORK: dict[str, Callable[[list[Array], ForeignOp], list[Array]]] = {
    **dict.fromkeys(("PACK",), lambda a, op: [_np().stack(a, _axis(op))]),
    **dict.fromkeys(("Concat", "CONCATENATION"), lambda a, op: [_np().concatenate(a, _axis(op))]),
    **dict.fromkeys(("Gather", "GATHER"), lambda a, op: [_np().take(a[0], a[1].astype(int), _axis(op))]),
    **dict.fromkeys(("Reshape", "RESHAPE"), lambda a, op: [a[0].reshape([int(n) for n in a[1].reshape(-1)])]),
    **dict.fromkeys(("Identity", "Dropout"), lambda a, op: [a[0]]),
    **dict.fromkeys(("Transpose",), lambda a, op: [a[0].transpose(op.wholes("perm") or None)]),
    **dict.fromkeys(("TRANSPOSE",), lambda a, op: [a[0].transpose([int(n) for n in a[1]])]),
    **dict.fromkeys(("Cast", "CAST"), _cast),
    **dict.fromkeys(("Unsqueeze", "EXPAND_DIMS"), lambda a, op: [_np().expand_dims(a[0], _axes(a, op))]),
    **dict.fromkeys(("Squeeze", "SQUEEZE"), _squeezed),
    **dict.fromkeys(("Add", "ADD"), _binary("add")),
    **dict.fromkeys(("Sub", "SUB"), _binary("subtract")),
    **dict.fromkeys(("Mul", "MUL"), _binary("multiply")),
    **dict.fromkeys(("Div", "DIV"), _binary("divide")),
    **dict.fromkeys(("Floor", "FLOOR"), lambda a, op: [_np().floor(a[0])]),
    "Sqrt": lambda a, op: [_np().sqrt(a[0])],
    "Slice": _sliced,
    "STRIDED_SLICE": _strided,
}
"""What is worked out by numpy; anything else of constants is a constant that nobody has looked at."""
