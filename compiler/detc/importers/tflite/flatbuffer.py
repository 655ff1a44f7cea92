"""Reading flatbuffers with every offset checked (layout: flatbuffers.dev, "FlatBuffer internals"). All numbers are little endian.

A table begins with the distance back to its vtable: u16 size of the vtable, u16 size of the table, then a u16 for each
field: where it stands in the table, 0 if it has its default. Vectors, strings and tables are found by a u32 forward offset.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from detc.importers.unreadable import LONGEST_NAME, Unreadable

_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}
_READ_AGAIN = 8
"""How many times its own size a file may be read: offsets that share one vector a thousand times are no model."""


@dataclass(slots=True)
class Buffer:
    """The bytes of a file. `left` counts down what may still be read of them."""

    data: bytes
    left: int = 0

    def __post_init__(self) -> None:
        self.left = _READ_AGAIN * len(self.data) + 1024

    def take(self, at: int, count: int) -> bytes:
        """`count` bytes from `at`. Raises Unreadable outside of the file."""
        if at < 0 or count < 0 or at + count > len(self.data):
            raise Unreadable("an offset in it points outside of the file: it is cut off or damaged")
        self.left -= count
        if self.left < 0:
            raise Unreadable("its parts overlap, so that it would unfold to many times its size")
        return self.data[at : at + count]

    def number(self, at: int, kind: str) -> Any:
        return struct.unpack("<" + kind, self.take(at, _SIZES[kind]))[0]

    def numbers(self, at: int, kind: str) -> tuple[Any, ...]:
        """The vector of numbers at `at`."""
        count = self.number(at, "I")
        return struct.unpack(f"<{count}{kind}", self.take(at + 4, count * _SIZES[kind])) if count else ()

    def root(self) -> Table:
        return Table(self, self.number(0, "I"))


@dataclass(frozen=True, slots=True)
class Table:
    """A table at `at`. Fields are asked for by their number in the schema; what is not there has its default."""

    buffer: Buffer
    at: int

    def place(self, field: int) -> int:
        """Where a field stands; 0 where it is left out."""
        vtable = self.at - int(self.buffer.number(self.at, "i"))
        slot = 4 + 2 * field
        if slot + 2 > self.buffer.number(vtable, "H"):
            return 0
        offset = self.buffer.number(vtable + slot, "H")
        return self.at + int(offset) if offset else 0

    def number(self, field: int, kind: str, default: Any = 0) -> Any:
        at = self.place(field)
        return self.buffer.number(at, kind) if at else default

    def target(self, field: int) -> int:
        """Where a field's offset leads; 0 where it is left out."""
        at = self.place(field)
        return at + int(self.buffer.number(at, "I")) if at else 0

    def table(self, field: int) -> Table | None:
        at = self.target(field)
        return Table(self.buffer, at) if at else None

    def tables(self, field: int, most: int, what: str) -> list[Table]:
        """A vector of tables. Raises Unreadable where there are more than `most`."""
        at = self.target(field)
        if not at:
            return []
        count = self.buffer.number(at, "I")
        if count > most:
            raise Unreadable(f"it has {count:,} {what}, at most {most:,} are read")
        places = range(at + 4, at + 4 + 4 * count, 4)
        return [Table(self.buffer, place + int(self.buffer.number(place, "I"))) for place in places]

    def numbers(self, field: int, kind: str) -> tuple[Any, ...]:
        at = self.target(field)
        return self.buffer.numbers(at, kind) if at else ()

    def bytes(self, field: int) -> bytes | None:
        """A vector of bytes; None where it is left out."""
        at = self.target(field)
        return self.buffer.take(at + 4, int(self.buffer.number(at, "I"))) if at else None

    def text(self, field: int) -> str:
        """A string, cut to a name's length."""
        at = self.target(field)
        if not at:
            return ""
        count = int(self.buffer.number(at, "I"))
        return self.buffer.take(at + 4, min(count, LONGEST_NAME)).decode("utf-8", "replace")
