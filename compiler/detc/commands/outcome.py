"""How a command ends: its exit codes, and the way a mistake outside of any spec is told."""

from __future__ import annotations

import sys
from typing import Any

OK = 0
MISTAKE = 1
FAULT = 2
INTERRUPTED = 130


def refuse(message: str, help: str = "") -> int:
    """Says on stderr what the user can put right; gives the exit code."""
    print(f"error: {message}", file=sys.stderr)
    if help:
        print(f"help: {help}", file=sys.stderr)
    return MISTAKE


def warn_of(predictor: Any) -> None:
    """Tells on stderr what went beyond a device's numbers while its simulator ran: there the chip does something else."""
    for line in getattr(predictor, "warnings", ()):
        print(f"warning: {line}", file=sys.stderr)
