"""The figures of one evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from detrt.evaluate.summary import Summary


@dataclass(frozen=True, slots=True)
class ClassResult:
    """`ap50` at IoU 0.5, `ap` over IoU 0.5 .. 0.95 (COCO) or equal to `ap50` (VOC); None where the split has no box
    of the class.
    """

    name: str
    boxes: int
    ap50: float | None
    ap: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """Mean average precision over classes that have boxes, all between 0 and 1.

    `rule` is coco or voc; `map` is COCO's mean over IoU 0.5 .. 0.95, for VOC the same as `map50`. Where another IoU than
    0.5 was asked for, `map50` and `map` are both at `iou`. `summary` has COCO's twelve figures.
    """

    rule: str
    map50: float
    map: float
    map75: float | None
    classes: tuple[ClassResult, ...]
    pictures: int
    boxes: int
    detections: int
    iou: float = 0.5
    summary: Summary | None = None

    def figures(self) -> dict[str, float]:
        """`map50`, `map`, and `map50/CLASS` for every class that has boxes: what gates and trackers read."""
        figures = {"map50": self.map50, "map": self.map}
        figures.update({f"map50/{c.name}": c.ap50 for c in self.classes if c.ap50 is not None})
        return figures

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """A table for the terminal."""
        width = max([5, *(len(c.name) for c in self.classes)])
        single = f"AP{self.iou * 100:.0f}"
        lines = [f"{'class':<{width}}  {'boxes':>6}  {single:>6}  {'AP':>6}"]
        for c in self.classes:
            lines.append(f"{c.name:<{width}}  {c.boxes:>6}  {_shown(c.ap50)}  {_shown(c.ap)}")
        lines.append(f"{'all':<{width}}  {self.boxes:>6}  {_shown(self.map50)}  {_shown(self.map)}")
        return lines


def _shown(value: float | None) -> str:
    return f"{'-':>6}" if value is None else f"{value:6.3f}"
