"""What a stage took over from other weights, and what not: for the eye, for result.json, and for the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor

from detrt.weights.found import Found, count, is_counted

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """`origin` is the tensor's name in the source, `rule` what made it this one: `name`, `name, without ..` or `order`."""

    origin: str
    rule: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """`taken` and `left` by the model's names: where a tensor comes from, or why it begins anew. `unused` are those of the
    source. `parts` is what was asked for; without any, the whole model. Counters of batch norms are only in `taken`.
    """

    found: Found
    parts: list[str]
    taken: Mapping[str, Taken]
    left: Mapping[str, str]
    unused: Sequence[str]
    shapes: Mapping[str, Sequence[int]]

    def weights(self) -> dict[str, Tensor]:
        """What goes into the model, under its names."""
        return {name: self.found.tensors[entry.origin] for name, entry in self.taken.items()}

    def modules(self) -> set[str]:
        """Layers whose weights were taken."""
        return {name.rpartition(".")[0] for name in self.taken}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        taken = {
            name: {"from": entry.origin, "rule": entry.rule, "shape": list(self.shapes[name])}
            for name, entry in self.taken.items()
        }
        left = {name: {"why": why, "shape": list(self.shapes[name])} for name, why in self.left.items()}
        about = {"source": self.found.source, **self.found.about, "parts": self.parts}
        return {**about, "taken": taken, "left": left, "unused": list(self.unused)}


def lines(told: Mapping[str, Any]) -> list[str]:
    """A few lines for the terminal from what `as_dict` gave."""
    taken = {name: entry for name, entry in told["taken"].items() if is_counted(name)}
    left, unused = told["left"], told["unused"]
    where = f" below {', '.join(told['parts'])}" if told["parts"] else ""
    values = count(sum(prod(entry["shape"]) for entry in taken.values()))
    rules = Counter(entry["rule"] for entry in taken.values())
    matched = "; ".join(f"by {rule}" for rule in rules)
    found = [
        f"{len(taken)} of {len(taken) + len(left)} tensors{where} ({values} values) from {told['source']}, {matched}"
    ]
    reasons = Counter(
        "not in the source" if e["why"] == "not in the source" else "of another shape" for e in left.values()
    )
    for reason, number in reasons.items():
        names = [
            name for name, e in left.items() if (e["why"] == "not in the source") == (reason == "not in the source")
        ]
        examples = [f"{name} ({left[name]['why']})" if reason == "of another shape" else name for name in names]
        found.append(f"{number} begin anew, {reason}: {_some(examples)}")
    if unused:
        found.append(f"{len(unused)} of the source are not used: {_some(unused)}")
    return found


def _some(names: Sequence[str]) -> str:
    more = ", .." if len(names) > EXAMPLES else ""
    return f"{', '.join(names[:EXAMPLES])}{more}"
