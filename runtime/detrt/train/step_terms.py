"""`terms.csv` in the folder of a stage: the figures that a head tells at some steps, such as every `track_iter` of them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path


class StepTerms:
    """One line a step that the head told of, made with the first. Steps that a resumed run does again are dropped."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "terms.csv"

    def resume(self, step: int) -> None:
        """Drops what was written after `step` steps of the stage."""
        if not self.path.exists():
            return
        with open(self.path, newline="", encoding="utf-8", errors="replace") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        if not head:
            self.path.unlink()
            return
        text = io.StringIO()
        kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) <= step]
        csv.writer(text, lineterminator="\n").writerows([head, *kept])
        temporary = self.path.with_suffix(".csv.tmp")
        temporary.write_text(text.getvalue(), encoding="utf-8")
        os.replace(temporary, self.path)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """`values` by name, the same names at every step, after `step` steps of the stage."""
        new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(["step", *values])
            writer.writerow([step, *(f"{value:.8g}" for value in values.values())])
