"""A net that is too large for its target: the change of one param with which it would fit, found by trying.

Tried are params that a spec declares as a share (`param width: float = 1.0 where width > 0`), and the side of the picture. What
is tried is judged whole, so its figures are the ones that a check would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from detc.diagnostics import Finding
from detc.report.figures import short
from detc.report.subject import Compilation
from detc.targets import backend_of

Attempt = Callable[[Mapping[str, str]], Compilation]
"""The same spec with more of `--set`."""

SHARES = (0.75, 0.5, 0.35, 0.25, 0.125)
"""Parts of a param's value that are tried."""
STEP = 32
"""Sides of pictures are tried in multiples of this, which all strides of the common detectors divide."""
FEWEST = 2
"""A picture of fewer steps than this helps nobody."""
HELPS = 0.98
"""A value that leaves more of the need than this share changes something else."""
LAYERS, TRIES = 400, 1
"""All nets that are tried for a param together have about so many layers, and are so many at least: a check stays quick."""


@dataclass(frozen=True, slots=True)
class Tried:
    """`need`: the fullest budget as a share of it; `legal` is False where the spec does not take the value."""

    name: str
    value: str
    need: float
    macs: int
    fits: bool
    legal: bool

    @property
    def command(self) -> str:
        return f"`--set {self.name}={self.value}`"


def with_remedy(done: Compilation, attempt: Attempt) -> Compilation:
    """`done`; where nothing but its size keeps the net off the target, the help of an error names the best change of a param."""
    backend = backend_of(done.program.target.lineage) if done.program.target else None
    errors = [finding for finding in done.findings if finding.level == "error"]
    if backend is None or not errors or any(finding.code not in backend.shrinks for finding in errors):
        return done
    remedy = _remedy(done, attempt)
    if remedy:
        told = min(errors, key=lambda finding: backend.shrinks.index(finding.code))
        done.findings = tuple(replace(f, help=remedy) if f is told else f for f in done.findings)
    return done


def _remedy(done: Compilation, attempt: Attempt) -> str:
    """Fitting changes with the fewest multiplications lost first; else what comes nearest; "" where no param changes the size."""
    tried = [one for name, values, first in _params(done) for one in _walk(done, name, values, first, attempt)]
    best = {one.name: one for one in sorted(tried, key=lambda one: one.macs) if one.fits}
    if best:
        first, *others = sorted(best.values(), key=lambda one: -one.macs)
        whole = short(done.metrics["macs"])
        said = f"{first.command} fits: {first.need:.0%} of what there is, and {short(first.macs)} of {whole} multiplications"
        return said + "".join(f"; {one.command} does with {short(one.macs)}" for one in others)
    if tried:
        nearest = min(tried, key=lambda one: one.need)
        return (
            f"no param alone makes it fit; {nearest.command} comes nearest, with {nearest.need:.1f} times what there is"
        )
    return ""


def _params(done: Compilation) -> Iterator[tuple[str, list[str], int]]:
    """Name, values from the largest to the smallest, and the number of the one to begin with."""
    need = need_of(done)
    shape = done.graph.inputs[0].type.shape if done.graph is not None and done.graph.inputs else ()
    for name, setting in done.program.params.items():
        value = setting.value
        if isinstance(value, float) and value > 0:
            yield name, [f"{value * share:.3g}" for share in SHARES], _first(SHARES, 1 / need)
        elif isinstance(value, int) and not isinstance(value, bool) and len(shape) == 3 and value in shape[1:]:
            sides = range((value - 1) // STEP * STEP, (FEWEST - 1) * STEP, -STEP)
            if sides:
                yield name, [str(side) for side in sides], _first(sides, value / need**0.5)


def _first(values: Sequence[float], limit: float) -> int:
    """The first of falling values that is not above the limit, else the last."""
    return next((number for number, value in enumerate(values) if value <= limit), len(values) - 1)


def need_of(done: Compilation) -> float:
    """The fullest budget that decides, as a share of it."""
    bars = [bar for bar in done.limits if not bar.get("soft") and bar["limit"]]
    return max((bar["used"] / bar["limit"] for bar in bars), default=1.0)


def _walk(done: Compilation, name: str, values: list[str], at: int, attempt: Attempt) -> Iterator[Tried]:
    """Tries from one value on: larger ones as long as they fit, else smaller ones until one does."""
    left = max(TRIES, LAYERS // max(len(done.layers), 1))
    step, need = 0, need_of(done)
    while left and 0 <= at < len(values):
        one = _tried(done, name, values[at], attempt)
        if not one.legal and not step and at:
            at, left, step = at - 1, left - 1, -1  # so little may be refused, such as no channel at all
            continue
        if not one.legal or one.macs >= done.metrics["macs"]:
            return  # no param of the net's size, or one that does not stand alone
        yield one
        if (step and one.fits == (step > 0)) or (step >= 0 and one.need > need * HELPS):
            return
        need = one.need
        step = step or (-1 if one.fits else 1)
        at, left = at + step, left - 1


def _tried(done: Compilation, name: str, value: str, attempt: Attempt) -> Tried:
    other = attempt({name: value})
    backend = backend_of(done.program.target.lineage) if done.program.target else None
    errors: list[Finding] = [finding for finding in other.findings if finding.level == "error"]
    legal = backend is not None and all(finding.code in backend.shrinks for finding in errors) and bool(other.limits)
    return Tried(name, value, need_of(other), int(other.metrics.get("macs", 0)), legal and not errors, legal)
