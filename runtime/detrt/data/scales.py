"""Training at several sizes: every batch has one, drawn anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detrt.data.encode import Encoding
from detrt.errors import DetrtError

LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class Scales:
    """The longer side of the input is one of `low`, `low + step`, .. `high` pixels; the other one keeps the input's
    proportions in whole steps.
    """

    low: int
    high: int
    step: int

    @classmethod
    def of(cls, multiscale: Mapping[str, Any] | None) -> Scales | None:
        """From a stage's `multiscale`: `{"range": [320, 640], "step": 32}`, or None. Raises DetrtError."""
        if multiscale is None:
            return None
        try:
            low, high = (int(v) for v in multiscale["range"])
            step = int(multiscale["step"])
        except (KeyError, TypeError, ValueError) as error:
            raise DetrtError(f"no range of sizes with a step: {multiscale!r}", "multiscale") from error
        if not 1 <= step <= low <= high <= LONGEST or low % step:
            raise DetrtError(
                f"sizes {low} .. {high} in steps of {step} are out of bounds", "multiscale",
                f"multiples of the step, up to {LONGEST:,}",
            )  # fmt: skip
        return cls(low, high, step)

    def drawn(self, encoding: Encoding, seed: int, epoch: int, batch: int) -> Encoding:
        """The encoding of batch number `batch` of an epoch: the same in every process, whatever was done before it."""
        rng = np.random.default_rng([seed, epoch, batch, 1])  # four numbers: pictures draw from three
        longest = self.step * int(rng.integers(self.low // self.step, self.high // self.step + 1))
        ratio = longest / max(encoding.width, encoding.height)
        width, height = (
            max(1, round(side * ratio / self.step)) * self.step for side in (encoding.width, encoding.height)
        )
        return replace(encoding, width=width, height=height)
