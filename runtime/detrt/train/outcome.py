"""What a stage has come to, before its gates are judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """`metrics` on the validation split, `final` on `final_split`; `seconds` of training over all resumed parts. `engine`
    says whose code ran a stage in time.
    """

    metrics: dict[str, float]
    ended: str
    seed: int | None
    final: dict[str, float] = field(default_factory=dict)
    final_split: str = "val"
    epochs: int = 0
    best_epoch: int | None = None
    seconds: float = 0.0
    caps: dict[str, float] = field(default_factory=dict)
    pruned: list[dict[str, Any]] = field(default_factory=list)
    transfer: dict[str, Any] | None = None
    frozen: dict[str, Any] | None = None
    engine: str | None = None
