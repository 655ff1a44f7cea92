"""What every spec can name without `use`: the ops, the functions on plain values, and small libraries of facts."""

from __future__ import annotations

from typing import Any

from detc.ir.ops import OPS
from detc.semantics.environment import Context, Environment
from detc.semantics.functions import BUILT_IN, Invocation
from detc.semantics.layers import Native, OpFunction
from detc.semantics.schema.heads.ssd import problem_of
from detc.semantics.values import Entries, Items, Namespace, Value

IMAGENET = {"mean": Items([123.675, 116.28, 103.53]), "std": Items([58.395, 57.12, 57.375])}
"""Mean and standard deviation of ImageNet's pixels in RGB order, on the scale 0 .. 255."""


def _priors(at: Invocation) -> Value:
    """The prior boxes of an SSD head by their levels: two squares and two boxes a ratio in each cell."""
    image, levels = at.kwargs.get("image"), at.kwargs.get("levels")
    problem = problem_of(image, levels)
    return at.undefined(problem) if problem else Entries({"image": image, "levels": levels})


LIBRARIES: dict[str, dict[str, Any]] = {
    "imagenet": IMAGENET,
    "ssd": {"priors": Native("ssd.priors", _priors, least=0, most=0, keywords=("image", "levels"))},
}


def prelude(context: Context) -> Environment:
    """The outermost scope. A dotted name of the op registry becomes a member of a library: `neuron.sigma`. The library `ops`
    has all ops, for specs that gave the name of one to something else."""
    scope = Environment(context)
    libraries: dict[str, dict[str, Any]] = {name: dict(members) for name, members in LIBRARIES.items()}
    libraries["ops"] = {}
    for native in BUILT_IN:
        scope.bind(native.name, native, None)
    for name, op in OPS.items():
        library, dot, member = name.rpartition(".")
        function = OpFunction(op, {})
        libraries["ops"].setdefault(member, function)
        if dot:
            libraries.setdefault(library, {})[member] = function
        else:
            scope.bind(name, function, None)
    for name, members in libraries.items():
        scope.bind(name, Namespace(name, members), None)
    return scope
