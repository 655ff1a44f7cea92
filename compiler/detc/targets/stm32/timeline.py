"""The arena as a timeline for the report."""

from __future__ import annotations

from detc.report.timeline import Piece, Timeline
from detc.targets.stm32.arena import Arena
from detc.targets.stm32.slots import Slot
from detc.targets.stm32.tenants import SCRATCH


def timeline_of(arena: Arena) -> Timeline:
    """Steps by name, those that take turns row by row as one, and every tensor at its place."""
    windows = {name for slot in arena.slots for name, _ in slot.windows}
    pieces = []
    for tenant, (room, offset) in zip(arena.house.tenants, arena.places, strict=True):
        kind = "scratch" if tenant.name.endswith(SCRATCH) else "rows" if tenant.name in windows else "map"
        name = tenant.name.removesuffix(SCRATCH)
        last = min(tenant.last, len(arena.slots))
        pieces.append(Piece(name, arena.rooms[room].name, offset, tenant.bytes, tenant.first, last, kind))
    moments = tuple((_name(slot), need) for slot, need in zip(arena.slots, arena.needs, strict=True))
    memories = tuple((room.name, used) for room, used in zip(arena.rooms, arena.used, strict=True))
    return Timeline(moments, memories, tuple(pieces))


def _name(slot: Slot) -> str:
    first, last = slot.steps[0].name, slot.steps[-1].name
    return first if len(slot.steps) == 1 else f"{first} .. {last}"
