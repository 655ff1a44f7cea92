"""What is worked out once for a net that is put on many boards."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Alike(Generic[T]):
    """A value that stands for every other with the same key: what `lru_cache` needs of values that have no hash."""

    key: Hashable
    value: T = field(compare=False, repr=False)
