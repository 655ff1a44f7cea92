"""`metrics.csv` in the folder of the stage: one line an epoch, a column for every number ever seen."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping

from torch import Tensor

from detrt.data.sample import Image
from detrt.train.trackers import Scene, Tracker


class CsvFile:
    """Rows of epochs that a resumed run does again are dropped, so that a resumed file equals an uninterrupted one."""

    wants_histograms = False

    def __init__(self, scene: Scene) -> None:
        self.path = scene.folder / "metrics.csv"
        self.rows: list[dict[str, str]] = []
        if scene.epoch and self.path.exists():
            with open(self.path, newline="", encoding="utf-8", errors="replace") as file:
                self.rows = [
                    row
                    for row in csv.DictReader(file)
                    if (row.get("epoch") or "").isdigit() and int(row["epoch"]) <= scene.epoch
                ]
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row))
        self._write_all()

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        row = {"epoch": str(epoch), **{key: f"{value:.8g}" for key, value in values.items()}}
        self.rows.append(row)
        new = [key for key in row if key not in self.columns]
        if new:
            self.columns += new
            self._write_all()
            return
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None:
        """A table has no place for them."""

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        """It keeps numbers only."""

    def close(self) -> None:
        """Nothing is held open."""

    def _write_all(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n", extrasaction="ignore")
        if self.columns:
            writer.writeheader()
        writer.writerows(self.rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".csv.tmp")
        temporary.write_text(text.getvalue(), encoding="utf-8")
        os.replace(temporary, self.path)


def open_tracker(scene: Scene) -> Tracker:
    return CsvFile(scene)
