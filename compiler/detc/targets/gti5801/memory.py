"""On-chip memory: what a map takes, whether input and output of a sublayer fit together, where the vendor places them."""

from __future__ import annotations

from dataclasses import dataclass

from detc.targets.facts import Facts


def ceil_to(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def map_bytes(channels: int, size: int, facts: Facts) -> int:
    """Bytes of a map of `size` x `size` 5-bit values: tiles of 14x14 packed to 128 bytes, channels in fours.

    A 7x7 map counts as a quarter tile. Measured on the vendor's converter: exact on every network tried.
    """
    tile = facts.number("memory.activations.tile")
    padded = ceil_to(channels, facts.number("limit.channel_multiple"))
    return -(-padded * size * size * facts.number("memory.activations.tile_bytes") // (tile * tile))


@dataclass(frozen=True, slots=True)
class Placement:
    """The ring blocks at which a sublayer reads and writes; `input_units` and `output_units` are the maps' sizes."""

    input_block: int
    output_block: int
    input_units: int
    output_units: int


def place(sizes: list[list[tuple[int, int]]], facts: Facts) -> list[list[Placement]]:
    """Placements of all sublayers by major layer, from their (input bytes, output bytes).

    The vendor's rule, read off its address tables: the first sublayer of a major layer writes at block 0 where that lies free,
    else behind its input; later ones alternate between block 0 and block 3, or further where the input is larger.
    """
    unit = facts.number("memory.activations.unit")
    block_units = max(1, facts.number("memory.activations.block") // unit)
    ring_blocks = facts.number("memory.activations.size") // unit // block_units
    half = ring_blocks // 2
    at = 0
    result = []
    for major in sizes:
        placements = []
        for number, (input_bytes, output_bytes) in enumerate(major):
            input_units, output_units = -(-input_bytes // unit), -(-output_bytes // unit)
            blocks = -(-input_units // block_units)
            if number == 0:
                fits_below = blocks <= at or (at == 1 and at + blocks == ring_blocks - 1)
                out = 0 if fits_below else at + blocks
            else:
                out = 0 if at != 0 else max(half, blocks)
            placements.append(Placement(at, out, input_units, output_units))
            at = out
        result.append(placements)
    return result


def collides(placement: Placement, facts: Facts) -> bool:
    """True if the output leaves the ring or lies on the input it is computed from."""
    unit = facts.number("memory.activations.unit")
    block_units = max(1, facts.number("memory.activations.block") // unit)
    start, stop = placement.output_block * block_units, placement.output_block * block_units + placement.output_units
    first, last = placement.input_block * block_units, placement.input_block * block_units + placement.input_units
    return stop > facts.number("memory.activations.size") // unit or (start < last and first < stop)
