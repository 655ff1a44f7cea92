"""Where the numbers of a file's tensor lie in a tensor of ours.

A file moves numbers about (transposes, reshapes, slices) in ways of its own; ours are always [channels, height, width] or
[features]. A View follows them without moving anything: each axis of the file's tensor is a list of Atoms, outermost first, each
a walk along one axis of ours. Only where an operator needs the numbers in place is a layer made of what has been moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True, slots=True)
class Atom:
    """`size` numbers along axis `axis` (0 channels, 1 rows, 2 columns) of ours, each `step` behind the one before."""

    axis: int
    size: int
    step: int = 1


Axis = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Numbers of node `node`, which has shape `shape`. `starts`: where along each axis of the node the first one lies.

    `axes` are those of the file's tensor without the batch, which is `batch` axes of size 1 in front (0 or 1).
    """

    node: int
    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    starts: tuple[int, ...]
    batch: int = 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape that the file sees, batch included."""
        return (1,) * self.batch + tuple(prod(atom.size for atom in axis) for axis in self.axes)

    @property
    def whole(self) -> bool:
        """Whether it shows every number of the node once."""
        return prod(self.sizes) == prod(self.shape)


def view_of(node: int, shape: tuple[int, ...], order: Sequence[int]) -> View:
    """The whole node with its axes in the order `order`: (1, 2, 0) shows a map as [height, width, channels]."""
    return View(node, shape, tuple(_atoms(axis, shape[axis]) for axis in order), (0,) * len(shape))


def _atoms(axis: int, size: int) -> Axis:
    return (Atom(axis, size),) if size > 1 else ()


def merged(axis: Axis) -> Axis:
    """Neighbours that are one walk, as one; atoms of size 1 left out."""
    result: list[Atom] = []
    for atom in axis:
        if atom.size == 1:
            continue
        last = result[-1] if result else None
        if last and last.axis == atom.axis and last.step == atom.step * atom.size:
            result[-1] = Atom(atom.axis, last.size * atom.size, atom.step)
        else:
            result.append(atom)
    return tuple(result)


def reshaped(view: View, shape: Sequence[int]) -> View | None:
    """The same numbers in another shape (batch included, one side may be -1); None where a walk would be cut unevenly."""
    total = prod(view.sizes)
    sides = list(shape)
    if sides.count(-1) == 1:
        known = prod(side for side in sides if side != -1)
        if known <= 0 or total % known:
            return None
        sides[sides.index(-1)] = total // known
    if any(side < 1 for side in sides) or prod(sides) != total:
        return None
    batch = 1 if sides and sides[0] == 1 and len(sides) > 1 else 0
    waiting = [atom for axis in view.axes for atom in axis if atom.size > 1][::-1]
    axes: list[Axis] = []
    for side in sides[batch:]:
        found: list[Atom] = []
        while side > 1:
            atom = waiting.pop()
            if side % atom.size == 0:
                found.append(atom)
                side //= atom.size
            elif atom.size % side == 0:
                rest = atom.size // side
                found.append(Atom(atom.axis, side, atom.step * rest))
                waiting.append(Atom(atom.axis, rest, atom.step))
                side = 1
            else:
                return None
        axes.append(merged(tuple(found)))
    return replace(view, axes=tuple(axes), batch=batch)


def transposed(view: View, order: Sequence[int]) -> View | None:
    """Axes in another order (batch included). None where the batch would move away from the front."""
    if sorted(order) != list(range(len(view.sizes))):
        return None
    axes: list[Axis] = [()] * view.batch + list(view.axes)
    moved = [axes[number] for number in order]
    if view.batch and order[0] != 0:
        return replace(view, axes=tuple(moved), batch=0)
    return replace(view, axes=tuple(moved[view.batch :]))


def sliced(view: View, axis: int, start: int, count: int, step: int) -> View | None:
    """`count` places of an axis (batch included) from `start`, every `step`th; None where the axis is no single walk."""
    if axis < view.batch:
        return view if (start, count) == (0, 1) else None
    walk = merged(view.axes[axis - view.batch])
    if not walk:
        return view if (start, count) == (0, 1) else None
    if len(walk) != 1:
        if start == 0 and step == 1 and count == prod(atom.size for atom in walk):
            return view
        return _outer_slice(view, axis, start, count, step, walk)
    atom = walk[0]
    starts = list(view.starts)
    starts[atom.axis] += start * atom.step
    axes = list(view.axes)
    axes[axis - view.batch] = (Atom(atom.axis, count, atom.step * step),) if count > 1 else ()
    return replace(view, axes=tuple(axes), starts=tuple(starts))


def _outer_slice(view: View, axis: int, start: int, count: int, step: int, walk: Axis) -> View | None:
    """A slice of several walks that takes whole runs of the inner ones."""
    inner = prod(atom.size for atom in walk[1:])
    if step != 1 or start % inner or count % inner:
        return None
    first = walk[0]
    starts = list(view.starts)
    starts[first.axis] += start // inner * first.step
    axes = list(view.axes)
    axes[axis - view.batch] = merged((Atom(first.axis, count // inner, first.step), *walk[1:]))
    return replace(view, axes=tuple(axes), starts=tuple(starts))


def order_of(view: View) -> tuple[int, ...] | None:
    """Which axis of ours each axis of a whole, unmoved view is; None where it is something else. Axes of size 1 are taken as
    those that are left, in their order."""
    if not view.whole or any(view.starts) or len(view.axes) != len(view.shape):
        return None
    found: list[int | None] = []
    for axis in view.axes:
        walk = merged(axis)
        if len(walk) > 1 or any(atom.step != 1 for atom in walk):
            return None
        found.append(walk[0].axis if walk else None)
    left = [axis for axis in range(len(view.shape)) if axis not in found]
    return tuple(left.pop(0) if axis is None else axis for axis in found)
