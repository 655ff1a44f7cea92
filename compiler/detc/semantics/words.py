"""The words that arguments of ops take, from the registry of ops: a block may hand them on as its own arguments."""

from __future__ import annotations

from detc.ir.op import Argument, Op
from detc.ir.ops import OPS
from detc.semantics.environment import remedy

PADDING = ("same", "same_upper", "valid")

SCHEMES: dict[str, tuple[Argument, ...]] = {
    "masked": (Argument("bits", "bits", keyword=False),),
    "fixed": (Argument("bits", "bits", keyword=False), Argument("scale", "float", 1)),
}
"""How a target stores weights: `weights = masked(3 bits)` gives ("masked", 3)."""

INITS: dict[str, tuple[Argument, ...]] = {
    "bias": (Argument("value", "float", keyword=False),),
    "normal": (Argument("std", "float", 0.01), Argument("bias", "float", 0.0)),
}
"""How a layer begins: `init = bias(-log(99))` gives ("bias", -4.595); `normal(std = 0.01, bias = -4.6)` draws the weights."""

TERMS = {"scheme": SCHEMES, "init": INITS}


def words_of(argument: Argument) -> tuple[str, ...]:
    """What may stand unbound as this argument."""
    if argument.kind == "pad":
        return PADDING
    return tuple(TERMS[argument.kind]) if argument.kind in TERMS else argument.choices


ARGUMENT_WORDS = frozenset(word for op in OPS.values() for argument in op.arguments for word in words_of(argument))

_ELSEWHERE = {
    "kernel": "k", "kernel_size": "k", "size": "k", "stride": "s", "strides": "s", "padding": "pad", "filters": "channels",
    "out_channels": "channels", "group": "groups", "negative_slope": "slope", "alpha": "slope", "rate": "p",
    "use_bias": "bias", "epsilon": "eps", "scale_factor": "factor", "out_features": "features", "units": "features",
}  # fmt: skip
"""How other tools call the arguments."""


def argument_remedy(name: str, op: type[Op]) -> str:
    """The argument that was meant, also where another tool's word for it was written."""
    names = [argument.name for argument in op.arguments]
    meant = _ELSEWHERE.get(name, "")
    return f"it is called `{meant}` here" if meant in names else remedy(name, names)
