"""What stops a spec that would grow without end. Every limit is a finding, none is a crash."""

from __future__ import annotations

import time
from dataclasses import dataclass

from detc.diagnostics import Finding

NODES = 100_000
"""Nodes of one spec, all its models together."""
SECONDS = 10.0
"""CPU time of one elaboration."""
ITEMS = 100_000
"""Values in one list, nested ones included."""
LIST_DEPTH = 50
INTEGER = 2**63
"""Whole numbers stay below this magnitude."""
TEXT = 65_536
"""Characters of one string."""
DEPTH = 100
"""Expressions inside expressions, through calls of blocks; each takes at most 7 Python frames."""
FILES = 200
FINDINGS = 500
"""Findings after which reading on helps nobody."""
AXIS = 65_536
"""Values along one axis of the input."""


class Stop(Exception):
    """Ends the elaboration at once: a limit of the whole spec is reached. `finding` says which."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(slots=True)
class Clock:
    """CPU time since the start, looked at every 256 steps."""

    started: float
    steps: int = 0

    @classmethod
    def start(cls) -> Clock:
        return cls(time.process_time())

    def late(self) -> bool:
        self.steps += 1
        return not self.steps & 255 and time.process_time() - self.started > SECONDS
