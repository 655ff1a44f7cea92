"""The memory of a net step by step: what is alive when and where it lies, as text and as a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from detc.diagnostics.visible import visible
from detc.report.ansi import Terminal, table
from detc.report.figures import size

BAR, NAME = 32, 48
WIDTH, HEIGHT, LEFT, TOP = 1040, 240, 64, 22


@dataclass(frozen=True, slots=True)
class Piece:
    """`bytes` of a memory from moment `first` to moment `last`, both included; `kind` is map, rows (of one) or scratch."""

    name: str
    memory: str
    offset: int
    bytes: int
    first: int
    last: int
    kind: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """`moments` are steps by name with the bytes that each cannot do without, `memories` names with the bytes used of each."""

    moments: tuple[tuple[str, int], ...]
    memories: tuple[tuple[str, int], ...]
    pieces: tuple[Piece, ...]

    @property
    def peak(self) -> int:
        """The number of the fullest moment, the first of equals."""
        return max(range(len(self.moments)), key=lambda number: self.moments[number][1], default=0)

    def alive(self, moment: int) -> list[Piece]:
        """The pieces of a moment, the largest first."""
        found = [piece for piece in self.pieces if piece.first <= moment <= piece.last]
        return sorted(found, key=lambda piece: (-piece.bytes, piece.name))


def timeline_text(timeline: Timeline | None, terminal: Terminal) -> str:
    """A line a step with a bar for its bytes; below, what is alive where it is fullest. Empty where there is nothing to tell."""
    if timeline is None or not timeline.moments:
        return ""
    most = max(need for _, need in timeline.moments) or 1
    full, empty = terminal.bar
    rows = []
    for number, (name, need) in enumerate(timeline.moments):
        cells = min(BAR, -(-need * BAR // most))
        mark = "  peak" if number == timeline.peak else ""
        rows.append([_short(visible(name)), size(need), full * cells + empty * (BAR - cells) + mark])
    lines = table(["memory, step by step", "needed", ""], rows, [False, True, False], terminal)
    alive = timeline.alive(timeline.peak)
    said = ", ".join(f"`{visible(p.name)}` {size(p.bytes)}{_kind(p)}" for p in alive)
    shared = sum(piece.bytes for piece in alive) - timeline.moments[timeline.peak][1]
    over = f"; {size(shared)} of the output lie over its input" if shared > 0 else ""
    return "\n".join([*lines, f"  alive at the peak: {said}{over}"])


def timeline_svg(timeline: Timeline | None) -> str:
    """A drawing: steps from left to right, the bytes of each memory from below, every piece a rectangle. Empty as the text."""
    if timeline is None or not timeline.moments:
        return ""
    parts: list[str] = []
    height = TOP
    for name, used in timeline.memories:
        if used:
            parts.append(_memory(timeline, name, used, height))
            height += HEIGHT + TOP
    title = f"memory step by step, fullest at {visible(timeline.moments[timeline.peak][0])}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _memory(timeline: Timeline, memory: str, used: int, top: int) -> str:
    """One memory, `used` bytes high, below `top`."""
    across, up = (WIDTH - LEFT) / (len(timeline.moments) + 2), HEIGHT / used

    def x(moment: int) -> float:
        return LEFT + (moment + 1) * across  # the picture is there before the first step

    parts = [
        f'<text x="{LEFT}" y="{top - 6}" class="small start">{escape(memory)}: {escape(size(used))}</text>',
        f'<rect class="peak" x="{x(timeline.peak):.1f}" y="{top}" width="{across:.1f}" height="{HEIGHT}"/>',
    ]
    for piece in timeline.pieces:
        if piece.memory == memory:
            first, wide = x(piece.first), (piece.last - piece.first + 1) * across
            y = top + HEIGHT - (piece.offset + piece.bytes) * up
            said = f"{visible(piece.name)}: {size(piece.bytes)}{_kind(piece)} at {piece.offset:,}"
            parts.append(
                f'<g><title>{escape(said)}</title><rect class="piece {escape(piece.kind)}" x="{first:.1f}" y="{y:.1f}" '
                f'width="{max(wide, 0.8):.1f}" height="{max(piece.bytes * up, 0.5):.1f}"/></g>'
            )
    return "".join(parts)


def _kind(piece: Piece) -> str:
    return {"rows": " of rows", "scratch": " of scratch"}.get(piece.kind, "")


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME // 2 - 1]}..{name[1 - NAME // 2 :]}"
