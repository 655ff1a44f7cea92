"""Cutting the weights of a net down to a pruned one, by the plan in the lock (`models.NAME.derived`).

A group is made of units that can stand in for each other; the ones with the largest norms stay. Norms of filters are the
measure of Li et al., "Pruning Filters for Efficient ConvNets" (2017); they are taken over every weight tensor in which the
unit has a place, each tensor's divided by their mean so that a large layer does not outvote a small one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detrt.errors import DetrtError
from detrt.lock.derived import Axis, Derived, Run

Unit = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """`weights` of the narrow net by name; `kept`: the numbers of the units that are left, of every group of the plan."""

    weights: dict[str, Tensor]
    kept: list[list[int]]


def cut(weights: Mapping[str, Tensor], plan: Derived, criterion: str, seed: int = 0) -> Cut:
    """The weights of the pruned net: `criterion` is `l1`, `l2` or `random` (drawn by `seed`).

    Raises DetrtError where the weights are not of the net that the plan narrows.
    """
    units = _Units(weights, plan)
    scores = units.scores(criterion, seed)
    kept = [_largest(score, group.after) for score, group in zip(scores, plan.groups, strict=True)]
    narrow = dict(weights)
    for axis in plan.axes:
        if axis.tensor in narrow:
            narrow[axis.tensor] = _selected(narrow[axis.tensor], axis, units.sources(axis, kept))
    for name in [name for name in narrow if name.endswith("weight_v")]:
        _shorten(name, weights, narrow, plan, units, kept)
    return Cut(narrow, kept)


def _largest(scores: Tensor, count: int) -> list[int]:
    """The places of the `count` largest, in ascending order; of equals the first."""
    order = torch.argsort(scores, descending=True, stable=True)[:count]
    return sorted(int(place) for place in order)


class _Units:
    """Where the units of a plan stand in the tensors `weights`, which are checked against it once."""

    def __init__(self, weights: Mapping[str, Tensor], plan: Derived) -> None:
        self.weights, self.plan = weights, plan
        for axis in plan.axes:
            if axis.tensor not in weights:
                continue
            shape = weights[axis.tensor].shape
            long = shape[axis.axis] * axis.groups if axis.axis < len(shape) else -1
            if sum(count * values for _, _, count, values in axis.before) != long:
                wanted = sum(count * values for _, _, count, values in axis.before)
                raise DetrtError(
                    f"`{axis.tensor}` has the shape {list(shape)}; the plan of `{plan.origin}` says {wanted} on axis {axis.axis}",
                    remedy="start from weights of the model that is pruned",
                )

    def scores(self, criterion: str, seed: int) -> list[Tensor]:
        """A score a unit of each group."""
        if criterion == "random":
            generator = torch.Generator().manual_seed(seed)
            return [torch.rand(group.before, generator=generator) for group in self.plan.groups]
        scores = [torch.zeros(group.before, dtype=torch.float64) for group in self.plan.groups]
        for axis in self.plan.axes:
            if (
                axis.tensor not in self.weights
                or self.weights[axis.tensor].dim() < 2
                or axis.tensor.endswith("weight_g")
            ):
                continue
            powers = _powers(self._multiplying(axis.tensor), axis, criterion)
            places = torch.tensor(list(_expanded(axis.before)), dtype=torch.long).reshape(-1, 2)
            for number in sorted({run[0] for run in axis.before}):
                mine = places[:, 0] == number
                sums = torch.zeros(len(scores[number]), dtype=torch.float64).index_add_(
                    0, places[mine, 1], powers[mine]
                )
                norms = sums.sqrt() if criterion == "l2" else sums
                scores[number] += norms / norms.mean().clamp_min(torch.finfo(torch.float64).tiny)
        return scores

    def _multiplying(self, name: str) -> Tensor:
        """The weights as they multiply: a weight norm's direction with its length."""
        tensor = self.weights[name].double()
        length = self.weights.get(name.removesuffix("weight_v") + "weight_g") if name.endswith("weight_v") else None
        return tensor if length is None else tensor * (length.double() / _lengths(tensor).clamp_min(1e-300))

    def sources(self, axis: Axis, kept: Sequence[Sequence[int]]) -> list[int]:
        """For every place of the narrow axis its place in the old one."""
        places: dict[Unit, list[int]] = defaultdict(list)
        for place, unit in enumerate(_expanded(axis.before)):
            places[unit].append(place)
        used: dict[Unit, int] = defaultdict(int)
        result = []
        for group, number in _expanded(axis.after):
            unit = (group, kept[group][number])
            if used[unit] == len(places[unit]):
                raise _broken(axis)
            result.append(places[unit][used[unit]])
            used[unit] += 1
        return result


def _expanded(runs: Sequence[Run]) -> Iterator[Unit]:
    """(group, unit) of every place of an axis."""
    for group, first, count, values in runs:
        for number in range(first, first + count):
            for _ in range(values):
                yield group, number


def _broken(axis: Axis) -> DetrtError:
    return DetrtError(
        f"the plan does not say where axis {axis.axis} of `{axis.tensor}` comes from", remedy="build again"
    )


def _powers(tensor: Tensor, axis: Axis, criterion: str) -> Tensor:
    """The sum of magnitudes (l1) or of squares (l2) at every place of an axis; over all groups of a grouped conv's inputs."""
    values = tensor.abs() if criterion == "l1" else tensor.square()
    if axis.groups > 1:
        values = values.reshape(axis.groups, -1, *tensor.shape[1:]).movedim(2, 1).flatten(2).sum(2)
        return values.reshape(-1)
    return values.movedim(axis.axis, 0).flatten(1).sum(1) if tensor.dim() > 1 else values


def _selected(tensor: Tensor, axis: Axis, sources: Sequence[int]) -> Tensor:
    if axis.groups == 1:
        return tensor.index_select(axis.axis, torch.tensor(sources, dtype=torch.long))
    # Each group of a grouped conv's filters has inputs of its own.
    width, left = tensor.shape[1], len(sources) // axis.groups
    parts = []
    for number, filters in enumerate(tensor.chunk(axis.groups)):
        inner = [place - number * width for place in sources[number * left : (number + 1) * left]]
        if not all(0 <= place < width for place in inner):
            raise _broken(axis)
        parts.append(filters.index_select(1, torch.tensor(inner, dtype=torch.long)))
    return torch.cat(parts)


def _shorten(
    name: str, old: Mapping[str, Tensor], narrow: dict[str, Tensor], plan: Derived, units: _Units, kept: list[list[int]]
) -> None:
    """A filter that lost inputs has a shorter direction; its length shrinks along, so that the weights left stay as they were."""
    length = name.removesuffix("weight_v") + "weight_g"
    if length not in narrow or name not in old:
        return
    rows = next((axis for axis in plan.axes if axis.tensor == name and axis.axis == 0), None)
    whole = old[name] if rows is None else _selected(old[name], rows, units.sources(rows, kept))
    if whole.shape == narrow[name].shape:
        return
    before, after = _lengths(whole.double()), _lengths(narrow[name].double())
    narrow[length] = (narrow[length].double() * after / before.clamp_min(1e-300)).to(narrow[length].dtype)
    # A direction needs a length of its own, even where nothing of the filter is left.
    narrow[name] = torch.where(after > 0, narrow[name], torch.ones_like(narrow[name]))


def _lengths(tensor: Tensor) -> Tensor:
    """The norm of every filter, [out, 1, 1, 1]."""
    lengths: Tensor = torch.linalg.vector_norm(tensor.flatten(1), dim=1)
    return lengths.reshape(-1, *([1] * (tensor.dim() - 1)))
