"""The facts of a resolved target by dotted path: `limit.majors`, `op.conv.k`, `core.neurons`."""

from __future__ import annotations

from dataclasses import dataclass, field

from detc.semantics.program import Fact, Target


@dataclass(frozen=True, slots=True)
class Facts:
    """A target, read by `KIND.LABEL.NAME`, `KIND.NAME` where the section has no label, and `limit.NAME`."""

    target: Target
    found: dict[str, Fact | None] = field(default_factory=dict, repr=False, compare=False)
    """What was asked for before: mappers ask for the same few numbers thousands of times."""

    def find(self, path: str) -> Fact | None:
        if path not in self.found:
            self.found[path] = self._look_up(path)
        return self.found[path]

    def _look_up(self, path: str) -> Fact | None:
        kind, _, rest = path.partition(".")
        if kind == "limit":
            return self.target.limit(rest)
        label, _, name = rest.rpartition(".")
        section = self.target.root.find(kind, label)
        return section.facts.get(name) if section else None

    def __getitem__(self, path: str) -> Fact:
        """The fact; KeyError where the target lacks it, which a check of completeness rules out for all that is read this way."""
        fact = self.find(path)
        if fact is None:
            raise KeyError(path)
        return fact

    def number(self, path: str) -> int:
        return int(self[path].value)
