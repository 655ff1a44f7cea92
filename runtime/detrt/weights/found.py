"""Tensors by name as a file or an earlier stage holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

ROLES = ("weight", "bias", "running_mean", "running_var", "weight_g", "weight_v")
"""What a tensor is in its layer: the last word of its name in torch."""
UNCOUNTED = "num_batches_tracked"
"""A counter of batch norms, no weight."""


@dataclass(frozen=True, slots=True)
class Found:
    """`tensors` by name; `ordered` if they stand as the layers of their net do; `roles` of those whose names do not tell;
    `about` for the record: what was written about the source, such as the data set it was trained on.
    """

    source: str
    tensors: Mapping[str, Tensor]
    ordered: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def sorted(cls, source: str, tensors: Mapping[str, Tensor]) -> Found:
        """Of safetensors, which keep no order."""
        return cls(source, {name: tensors[name] for name in sorted(tensors)})

    def role(self, name: str) -> str:
        return self.roles.get(name) or role_of(name)


def role_of(name: str) -> str:
    """One of ROLES, or nothing."""
    word = name.rpartition(".")[2]
    return word if word in ROLES else ""


def is_below(name: str, prefixes: list[str]) -> bool:
    """True if `name` is one of `prefixes` or inside of one; without any everything is."""
    return not prefixes or any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def is_counted(name: str) -> bool:
    return name.rpartition(".")[2] != UNCOUNTED


def count(number: int) -> str:
    """`12.3 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
