"""Just enough terminal: colours, what the terminal can show, columns that line up. Costs no import worth naming."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "bold": 1, "dim": 2}


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the output may use: `color` escape codes, `unicode` beyond ASCII, `width` columns."""

    color: bool = False
    unicode: bool = True
    width: int = 100

    def paint(self, text: str, *styles: str) -> str:
        if not self.color or not text:
            return text
        return "".join(f"\x1b[{_COLOURS[style]}m" for style in styles) + text + "\x1b[0m"

    @property
    def bar(self) -> tuple[str, str]:
        """The full and the empty cell of a budget bar."""
        return ("█", "░") if self.unicode else ("#", ".")

    def sign(self, good: bool) -> str:
        return ("✓" if good else "✗") if self.unicode else ("OK" if good else "NO")


def terminal_of(stream: TextIO) -> Terminal:
    """What `stream` can show. NO_COLOR (any value) turns colours off, FORCE_COLOR turns them on."""
    encoding = (getattr(stream, "encoding", "") or "").lower().replace("-", "")
    wanted = bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        width = int(os.environ.get("COLUMNS", "100")) if os.environ.get("COLUMNS", "100").isdigit() else 100
    return Terminal(
        color=wanted and "NO_COLOR" not in os.environ,
        unicode=encoding.startswith("utf"),
        width=max(40, min(width, 160)),
    )


def standard_output() -> Terminal:
    return terminal_of(sys.stdout)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], terminal: Terminal) -> list[str]:
    """Lines of a table: a dim head, columns two blanks apart, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        return "  " + "  ".join(padded).rstrip()

    return [terminal.paint(line(head), "dim"), *map(line, rows)]
