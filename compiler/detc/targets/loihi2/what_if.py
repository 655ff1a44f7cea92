"""The changes that help most where a net takes too many cores: the same net on a smaller picture, or with fewer channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from detc.ir.op import Problem
from detc.ir.ops.conv import Conv, Linear
from detc.ir.types import TensorType
from detc.targets.loihi2.layers import Layer, Net
from detc.targets.loihi2.tiles import Mapper

STEP = 32
"""Sides of pictures are tried in multiples of this, which the strides of the common detectors divide."""
SHARES = (Fraction(3, 4), Fraction(1, 2), Fraction(1, 4))
"""Shares of the channels that are tried."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the nets, in words, and the cores they then take."""

    words: str
    cores: int


def changes(nets: Sequence[Net], mapper: Mapper, room: int) -> Iterator[Change]:
    """Of each kind the smallest change with which all nets together take at most `room` cores."""
    yield from _smaller_picture(nets, mapper, room)
    yield from _fewer_channels(nets, mapper, room)


def _smaller_picture(nets: Sequence[Net], mapper: Mapper, room: int) -> Iterator[Change]:
    shape = nets[0].input.type.shape
    if len(shape) != 3:
        return
    side = max(shape[1:])
    low, high, best = 1, (side - 1) // STEP, None
    while low <= high:
        middle = (low + high) // 2
        sides = [max(1, n * middle * STEP // side) for n in shape[1:]]
        cores = _cores(nets, mapper, (shape[0], *sides), Fraction(1))
        if cores is not None and cores <= room:
            best, low = Change(f"a picture of {sides[1]}x{sides[0]}", cores), middle + 1
        elif cores is None:
            low = middle + 1  # too small for its windows
        else:
            high = middle - 1
    if best:
        yield best


def _fewer_channels(nets: Sequence[Net], mapper: Mapper, room: int) -> Iterator[Change]:
    for share in SHARES:
        cores = _cores(nets, mapper, nets[0].input.type.shape, share)
        if cores is not None and cores <= room:
            yield Change(
                f"{share} of the channels (`prune(.., channels = {share.numerator} / {share.denominator})`)", cores
            )
            return


def _cores(nets: Sequence[Net], mapper: Mapper, shape: tuple[int, ...], share: Fraction) -> int | None:
    """The cores of all nets on such a picture with that share of the channels; None where a layer has no such form."""
    total = 0
    for net in nets:
        for layer in _changed(net, shape, share):
            if layer is None:
                return None
            if layer.multiplies:
                mapped = mapper.map(layer)
                if mapped is None:
                    return None
                total += mapped.cores
    return total


def _changed(net: Net, shape: tuple[int, ...], share: Fraction) -> Iterator[Layer | None]:
    """The layers on that picture; what the last one gives stays."""
    for layer in net.layers:
        node, before = layer.node, shape
        if layer.multiplies:
            found = _narrowed(layer, before, share if layer.sigma is None else Fraction(1))
            type = found.infer([TensorType(before)]) if found else None
            if found is None or type is None or isinstance(type, Problem):
                yield None
                return
            node, shape = replace(node, op=found), type.shape
        elif layer.kind == "flatten":
            shape = (prod(before),)
        yield replace(layer, node=node, in_shape=before, shape=shape)


def _narrowed(layer: Layer, before: tuple[int, ...], share: Fraction) -> Conv | Linear | None:
    """The operation with that share of its outputs; None where groups and channels no longer go together."""
    op = layer.op
    if isinstance(op, Linear):
        return replace(op, features=max(1, int(op.features * share)))
    depthwise = op.groups == layer.in_shape[0] == op.channels
    groups = before[0] if depthwise else op.groups
    channels = before[0] if depthwise else max(1, int(op.channels * share))
    return None if before[0] % groups or channels % groups else replace(op, channels=channels, groups=groups)
