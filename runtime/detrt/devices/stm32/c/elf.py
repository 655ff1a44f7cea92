"""What a linked program takes of flash and RAM, read from its ELF file: the figures of `size`, without `size`."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from detrt.errors import DetrtError

WRITE, ALLOC = 0x1, 0x2
"""Flags of a section: sh_flags of the ELF specification (SHF_WRITE, SHF_ALLOC)."""
NOBITS = 8
"""The kind of a section that fills no bytes of the file: SHT_NOBITS."""
MOST_SECTIONS = 4096


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of a program: `text` code and constants, `data` what starts with values (in flash and in RAM), `bss` what starts
    with zeros. As Berkeley `size` counts.
    """

    text: int
    data: int
    bss: int

    @property
    def flash(self) -> int:
        return self.text + self.data

    @property
    def ram(self) -> int:
        """Without the stack."""
        return self.data + self.bss

    def as_dict(self) -> dict[str, int]:
        return {**asdict(self), "flash": self.flash, "ram": self.ram}


def footprint(path: Path) -> Footprint:
    """Of an ELF file of 32 bits, little-endian. Raises DetrtError for another file or a damaged one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DetrtError(f"cannot be read: {error.strerror}", path) from error
    if data[:6] != b"\x7fELF\x01\x01":
        raise DetrtError("is no ELF file of 32 bits, little-endian", path)
    text = initialised = zeros = 0
    try:
        table, entry, count = _where(data)
        for number in range(count):
            _, kind, flags, _, _, size = struct.unpack_from("<6I", data, table + number * entry)
            if not flags & ALLOC:
                continue
            if kind == NOBITS:
                zeros += size
            elif flags & WRITE:
                initialised += size
            else:
                text += size
    except struct.error as error:
        raise DetrtError("is a damaged ELF file: it ends inside a table", path) from error
    return Footprint(text, initialised, zeros)


def _where(data: bytes) -> tuple[int, int, int]:
    """Offset of the section table, bytes an entry, entries."""
    (table,) = struct.unpack_from("<I", data, 0x20)
    entry, count = struct.unpack_from("<HH", data, 0x2E)
    return table, entry, min(count, MOST_SECTIONS)
