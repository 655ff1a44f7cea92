"""The one way in which detrt refuses: a sentence for the user, never a traceback."""

from __future__ import annotations


class DetrtError(Exception):
    """A mistake in what the user gave (a lock, a data set, a checkpoint, an option) or in what the machine allows.

    `message` says what is wrong with its actual value; `help` the cheapest remedy. Programs print both and exit with 1.
    """

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.help}" if self.help else self.message
