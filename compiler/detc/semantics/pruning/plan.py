"""Where the channels of a narrowed net come from: its groups, and the layout of every tensor that is cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detc.ir.graph import Graph
from detc.semantics.pruning.routing import Label, Routing, Row

Run = tuple[int, int, int, int]
"""(group, first unit, units, values a unit): a piece of an axis."""


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that can stand in for each other: of `before` units `after` are left. `layers` are the modules whose channels
    these are; one unit is a channel of each. `kept` says why the width has to stay, empty where it need not.
    """

    layers: tuple[str, ...]
    before: int
    after: int
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a state_dict tensor, as runs before and after. With `groups` above 1 it is the input axis of a grouped conv:
    the runs go over all groups, of which each filter has its own."""

    tensor: str
    axis: int
    groups: int
    before: tuple[Run, ...]
    after: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A place where the narrowed graph brings channels together that never met in the original; the labels of their places."""

    labels: tuple[Label, ...]


def planned(
    before: Graph, after: Graph, old: Routing, new: Routing, kept: Mapping[int, str], depthwise: frozenset[str]
) -> tuple[tuple[Group, ...], tuple[Axis, ...]] | list[Mismatch]:
    """Groups and axes that lead from `before` (routed by `old`) to `after`; what does not fit together otherwise. `kept` are
    reasons by root of `old`."""
    labels: dict[Label, int] = {}
    classes, left = old.classes(labels), new.classes(labels)
    names = list(labels)
    wrong = [
        Mismatch(tuple(names[number] for number in dict.fromkeys(places)))
        for places, units in left.items()
        if len(units) > len(classes.get(places, ()))
    ]
    if wrong:
        return wrong
    layers: dict[int, dict[str, None]] = {}
    for atom, (module, _) in enumerate(old.origin):
        layers.setdefault(old.root(atom), {})[module] = None
    groups = tuple(
        Group(tuple(layers[units[0]]), len(units), len(left.get(places, ())), kept.get(units[0], ""))
        for places, units in classes.items()
    )
    numbers = {places: number for number, places in enumerate(classes)}
    there = _numbered(classes, numbers)
    here = _numbered(left, numbers)
    return groups, tuple(_axes(before, after, _Runs(old, there), _Runs(new, here), groups, depthwise))


def _numbered(
    classes: Mapping[tuple[int, ...], list[int]], numbers: Mapping[tuple[int, ...], int]
) -> dict[int, tuple[int, int]]:
    """(group, number in it) of every unit, by its root."""
    return {root: (numbers[places], at) for places, units in classes.items() for at, root in enumerate(units)}


class _Runs:
    """The rows of a routing as runs, each made once."""

    def __init__(self, routing: Routing, units: Mapping[int, tuple[int, int]]) -> None:
        self.routing, self.units = routing, units
        self.done: dict[tuple[int, int], tuple[Run, ...]] = {}

    def __call__(self, row: Row) -> tuple[Run, ...]:
        key = (id(row.atoms), row.repeat)
        if key not in self.done:
            self.done[key] = _runs((self.units[self.routing.root(atom)] for atom in row.atoms), row.repeat)
        return self.done[key]


def _runs(units: Iterable[tuple[int, int]], repeat: int) -> tuple[Run, ...]:
    single: list[list[int]] = []
    for group, number in units:
        if single and single[-1][:2] == [group, number]:
            single[-1][2] += repeat
        else:
            single.append([group, number, repeat])
    runs: list[list[int]] = []
    for group, number, values in single:
        last = runs[-1] if runs else [-1, 0, 0, 0]
        if last[0] == group and last[1] + last[2] == number and last[3] == values:
            last[2] += 1
        else:
            runs.append([group, number, 1, values])
    return tuple((group, first, count, values) for group, first, count, values in runs)


def _axes(
    before: Graph, after: Graph, old: _Runs, new: _Runs, groups: tuple[Group, ...], depthwise: frozenset[str]
) -> Iterable[Axis]:
    for node in before:
        if not node.owns_weights:
            continue
        for name, sides in node.op.tensors():
            for axis, side in enumerate(sides):
                if not side or (side == "in" and node.name in depthwise):
                    continue
                place = node.name if side == "out" else node.inputs[0]
                there, here = old(old.routing.rows[place]), new(new.routing.rows[place])
                if any(groups[run[0]].after < groups[run[0]].before for run in there):
                    op: Any = after[node.name].op
                    parts = getattr(op, "groups", 1) if side == "in" else 1
                    yield Axis(f"{node.name}.{name}", axis, parts, there, here)
