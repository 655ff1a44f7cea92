"""How a model of the lock was cut from another: which channels hang together, and where they stand in every tensor."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from detrt.lock.part import Part

Run = tuple[NonNegativeInt, NonNegativeInt, PositiveInt, PositiveInt]
"""(group, first unit, units, values a unit): a piece of an axis."""


class Group(Part):
    layers: list[str]
    before: int = Field(ge=1, le=2**24)
    after: NonNegativeInt
    kept: str = ""


class Axis(Part):
    """`groups` above 1: the input axis of a grouped conv, its runs over the inputs of all groups."""

    tensor: str
    axis: NonNegativeInt
    groups: PositiveInt = 1
    before: list[Run]
    after: list[Run]


class Derived(Part):
    """`spec`: the model as a spec of its own."""

    origin: str = Field(alias="from")
    share: float
    multiple: PositiveInt = 1
    groups: list[Group]
    axes: list[Axis]
    spec: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Derived:
        """Runs stay within their groups, and every unit has as many places after as before. ValueError otherwise."""
        if any(group.after > group.before for group in self.groups):
            raise ValueError("a group grows")
        for axis in self.axes:
            for runs, side in ((axis.before, "before"), (axis.after, "after")):
                for group, first, count, _ in runs:
                    if group >= len(self.groups) or first + count > getattr(self.groups[group], side):
                        raise ValueError(f"axis {axis.axis} of {axis.tensor} goes beyond its groups")
            if not _places(axis.after) <= _places(axis.before):
                raise ValueError(f"axis {axis.axis} of {axis.tensor} grows")
        return self


def _places(runs: list[Run]) -> int:
    return sum(count * values for _, _, count, values in runs)
