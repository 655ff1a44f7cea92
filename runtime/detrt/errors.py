"""The one way in which detrt refuses: a sentence for the user, never a traceback."""

from __future__ import annotations

from pathlib import Path


class DetrtError(Exception):
    """A mistake in what the user gave (data, a lock, a checkpoint, an artifact, an option) or in what the machine allows.

    `message` says in one sentence what is wrong, with its actual value; `place` where (a file, `file:line`, or a key such as
    `data.cells.root`); `remedy` the cheapest way out. The last two may be empty. Programs print `str(error)` and exit with 1.
    """

    def __init__(self, message: str, place: str | Path = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = str(place)
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.message]
        if self.place:
            lines.append(f"  --> {self.place}")
        if self.remedy:
            lines.append(f"help: {self.remedy}")
        return "\n".join(lines)
