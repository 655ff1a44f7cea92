"""The one exception for everything a user can put right: data, checkpoints, artifacts, options. `cli.py` prints it."""

from __future__ import annotations

from pathlib import Path


class DetrtError(Exception):
    """A mistake of the user's world, not of the program.

    `message` says what is wrong in one sentence, `place` where (a file, `file:line`, or a key such as `data.cells.root`),
    `remedy` what to do about it. Both may be empty. `str()` gives the whole text, one fact a line.
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
