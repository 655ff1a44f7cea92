"""The numbers of a detector's head that all families share, and how the options of any head are read and checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from detrt.errors import DetrtError
from detrt.heads.nms import SOFT

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """`image` height and width of the net's input; thresholds of decoding, whose defaults are each family's own."""

    classes: int
    names: tuple[str, ...] | None = None
    image: tuple[int, int] = (0, 0)
    score: float = 0.01
    nms: float = 0.5
    agnostic: bool = False
    soft: str = "none"
    max_detections: int = 100


def read_detector_options(kind: type[Kind], given: Mapping[str, Any], place: str) -> Kind:
    """`kind` is DetectorOptions or made from it; `given` is `options` of a head in the lock. Raises DetrtError."""
    options = read_options(kind, given, place)
    assert isinstance(options, DetectorOptions)
    if not 1 <= options.classes <= 100_000:
        raise DetrtError(f"{options.classes} classes", f"{place}.classes", "a head has 1 to 100,000 classes")
    if options.names is not None and len(options.names) != options.classes:
        raise DetrtError(f"{len(options.names)} names for {options.classes} classes", f"{place}.names")
    if options.soft not in SOFT:
        raise DetrtError(f"no soft suppression `{options.soft}`", f"{place}.soft", f"known: {', '.join(SOFT)}")
    if not (0 <= options.nms <= 1 and math.isfinite(options.score) and options.max_detections >= 1):
        raise DetrtError("decoding needs an `nms` of 0 .. 1, a finite `score` and at least one box a picture", place)
    return options


def read_options(kind: type[Kind], given: Mapping[str, Any], place: str) -> Kind:
    """A dataclass of options from the lock's values, lists as tuples. Raises DetrtError for what it does not know, lacks
    or cannot be: a word where a number stands, a number that is none or, of a weight, below 0.
    """
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DetrtError(f"no option `{unknown[0]}`", place, f"known: {', '.join(sorted(known))}")
    values = {key: _tupled(value) for key, value in given.items()}
    for key, value in values.items():
        usual = known[key].default
        if value is None and "None" in str(known[key].type):
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if type(usual) is float and not (number and math.isfinite(value)):
            raise DetrtError(f"`{key}` is {value!r}, not a number", f"{place}.{key}")
    try:
        return kind(**values)
    except TypeError as error:
        raise DetrtError(f"the options lack a value: {error}", place) from error


def no_weight_below_0(options: Any, place: str, words: Sequence[str] = ()) -> None:
    """Raises DetrtError if a number of a loss is negative; `words` are the options that are no numbers."""
    for f in fields(options):
        if f.name not in words and getattr(options, f.name) < 0:
            raise DetrtError(f"`{f.name}` is {getattr(options, f.name):g}", f"{place}.{f.name}", "0 or more")


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
