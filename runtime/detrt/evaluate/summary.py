"""The twelve figures of a COCO evaluation, in the order in which pycocotools prints them."""

from __future__ import annotations

from collections.abc import Sequence

NAMES: dict[str, str] = {
    "AP": "mean over IoU 0.50 .. 0.95",
    "AP50": "IoU 0.50",
    "AP75": "IoU 0.75",
    "APs": "boxes below 32x32 pixels",
    "APm": "boxes from 32x32 to 96x96",
    "APl": "boxes above 96x96",
    "AR1": "recall with 1 detection a picture",
    "AR10": "recall with 10 detections a picture",
    "AR100": "recall with 100 detections a picture",
    "ARs": "recall, boxes below 32x32",
    "ARm": "recall, boxes from 32x32 to 96x96",
    "ARl": "recall, boxes above 96x96",
}
"""AP: average precision, AR: average recall, means over classes (cocodataset/cocoapi@8c9bcc3, cocoeval.py)."""

Summary = dict[str, float | None]


def summary_of(stats: Sequence[float]) -> Summary:
    """By name; None where the split has no box of that size (the tools say -1)."""
    return {name: None if value < 0 else float(value) for name, value in zip(NAMES, stats, strict=False)}


def nothing_found() -> Summary:
    """The figures of a detector that finds nothing; those by size are left open."""
    return {name: None if name[-1] in "sml" else 0.0 for name in NAMES}


def lines(summary: Summary) -> list[str]:
    """A table for the terminal."""
    return [
        f"{name:<6} {'-' if value is None else f'{value:.3f}':>6}  {NAMES[name]}" for name, value in summary.items()
    ]
