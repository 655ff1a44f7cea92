"""The list of augmentation steps of a stage, done to one picture with one random generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from detrt.data.augment import colour, geometry
from detrt.data.augment.geometry import Placement
from detrt.data.encode import Encoding
from detrt.data.sample import Annotation, Image, Sample
from detrt.errors import DetrtError

MOVES = {"scale": geometry.scale, "shift": geometry.shift, "crop": geometry.crop}
KEYS = {
    "flip": {"p"},
    "hsv": {"p", "range"},
    "scale": {"p", "range"},
    "shift": {"p", "range"},
    "crop": {"p", "range"},
    "blur": {"p", "kernel"},
}


@dataclass(frozen=True, slots=True)
class Step:
    """One augmentation: done with probability `p`; `low` and `high` its range, `kernel` the side of a blur in
    pixels.
    """

    name: str
    p: float
    low: float = 1.0
    high: float = 1.0
    kernel: int = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in the order of the lock. All that move things share one resampling; blur comes before it, colours
    after it.
    """

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, augment: Sequence[Mapping[str, Any]]) -> Recipe:
        """From a stage's `augment` list. Raises DetrtError for an unknown step or a range out of bounds."""
        return cls(tuple(_step(dict(entry)) for entry in augment))

    def __call__(self, sample: Sample, encoding: Encoding, rng: Generator) -> tuple[Image, Annotation]:
        """A BGR picture of the encoding's size and its boxes in pixels of it.

        Each step draws its coin whether or not it is needed, so one step's probability does not change the
        others' luck.
        """
        image = sample.image
        view = Placement.whole(image)
        factors: Step | None = None
        for step in self.steps:
            chosen = rng.random() < step.p
            own = np.random.default_rng(rng.integers(2**63))
            if not chosen:
                continue
            if step.name == "flip":
                view = geometry.flip(view, own)
            elif step.name == "hsv":
                factors, colours = step, own
            elif step.name == "blur":
                image = colour.blur(image, step.kernel)
            else:
                view = MOVES[step.name](view, own, step.low, step.high)
        unmoved = np.array_equal(view.matrix, np.eye(2, 3))
        view = view.fitted(encoding.width, encoding.height)
        drawn = encoding.resized(image) if unmoved else view.draw(image)
        if factors is not None:
            drawn = colour.hsv(drawn, colours, factors.low, factors.high)
        return drawn, view.boxes(sample.annotation)


def _step(entry: dict[str, Any]) -> Step:
    name = str(entry.pop("name", ""))
    place = f"augment.{name}"
    if name not in KEYS:
        raise DetrtError(f"no augmentation `{name}`", "augment", f"known: {', '.join(KEYS)}")
    unknown = sorted(set(entry) - KEYS[name])
    if unknown:
        raise DetrtError(f"`{name}` has no `{unknown[0]}`", place, f"known: {', '.join(sorted(KEYS[name]))}")
    p = float(entry.get("p", 0.5))
    low, high = (float(v) for v in entry.get("range") or (1.0, 1.0))
    kernel = int(entry.get("kernel", 5))
    floor, ceiling = {"shift": (-1.0, 1.0), "crop": (0.01, 1.0), "scale": (0.1, 10.0), "hsv": (0.0, 10.0)}.get(
        name, (1.0, 1.0)
    )
    if not (0 <= p <= 1 and floor <= low <= high <= ceiling and 1 <= kernel <= 99):
        raise DetrtError(f"`{name}` is out of bounds: p {p:g}, range {low:g} .. {high:g}, kernel {kernel}", place)
    return Step(name, p, low, high, kernel)
