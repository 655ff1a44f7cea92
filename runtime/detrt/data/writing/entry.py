"""What the writers of all formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detrt.data.sample import Picture


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture with the name of its file in the new set."""

    file: str
    picture: Picture

    @property
    def stem(self) -> str:
        return Path(self.file).stem


def number(value: float) -> str:
    """As an integer where it is one, else with as many digits as float32 tells apart."""
    return str(int(value)) if value == int(value) else f"{value:.9g}"


def write(path: Path, text: str) -> None:
    """UTF-8, folders made on the way. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
