"""What the doctor says: one verdict a check, and the pictures that belong to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from detrt.files import write_json, write_text

Verdict = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """`text` is one sentence with the measured values; `lines` a table below it; `files` names of pictures in the
    report's folder.
    """

    name: str
    verdict: Verdict
    text: str
    lines: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks in their order."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """False if any check is bad."""
        return all(check.verdict != "bad" for check in self.checks)

    def text(self) -> str:
        """For the terminal and for doctor.txt."""
        lines = [f"doctor: {self.subject}", ""]
        for check in self.checks:
            lines.append(f"{check.verdict:<5} {check.name}: {check.text}")
            lines += [f"        {line}" for line in check.lines]
            lines += [f"        -> {name}" for name in check.files]
        verdict = "ready to train" if self.healthy else "not ready to train"
        return "\n".join([*lines, "", verdict, ""])

    def as_dict(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "subject": self.subject,
            "healthy": self.healthy,
            "checks": [asdict(check) for check in self.checks],
        }

    def write(self, folder: Path) -> None:
        """doctor.json and doctor.txt. Raises DetrtError where they cannot be written."""
        write_json(folder / "doctor.json", self.as_dict())
        write_text(folder / "doctor.txt", self.text())
