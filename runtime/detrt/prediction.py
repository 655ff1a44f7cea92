"""What a run over pictures or a video leaves: the JSON of everything that was found, and annotated copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detrt.data.sample import Image
from detrt.draw import draw_classes, draw_detections
from detrt.heads.detections import Detections
from detrt.predictor import Predictor

RESULTS = "detections.json"

Tick = Callable[[int, int], None]
"""Called with pictures done and pictures in all (0 if unknown)."""


@dataclass(slots=True)
class Outcome:
    """What a run left: files written, pictures looked at, objects found and those of them that score enough to be drawn,
    pictures that could not be read with the reason, what else is to be told, and of a net in time the table of its events.
    `stopped`: by Ctrl-C, before the end.
    """

    results: Path
    files: list[Path] = field(default_factory=list)
    pictures: int = 0
    objects: int = 0
    drawn: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    stopped: bool = False

    def count(self, found: Detections, least: float) -> None:
        self.pictures += 1
        self.objects += len(found)
        self.drawn += int((found.scores >= least).sum())


def drawn(predictor: Predictor, image: Image, found: Detections, least: float) -> Image:
    if predictor.whole:
        return draw_classes(image, found, predictor.classes)
    return draw_detections(image, found, predictor.classes, least)


def row_of(predictor: Predictor, image: Image, found: Detections) -> dict[str, Any]:
    """Of one picture: its boxes, or of a classifier its most probable classes, best first."""
    classes, size = predictor.classes, {"width": image.shape[1], "height": image.shape[0]}
    if predictor.whole:
        pairs = zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        return {**size, "classes": [{"class": classes[i], "label": i, "score": round(s, 6)} for i, s in pairs]}
    boxes = found.pixels(image.shape[1], image.shape[0])
    return {
        **size,
        "detections": [
            {"class": classes[label], "label": label, "score": round(score, 6), "box": [round(v, 3) for v in box]}
            for box, label, score in zip(boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
        ],
    }


def about(predictor: Predictor) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": predictor.name,
        "kind": predictor.kind,
        "classes": list(predictor.classes),
        **({} if predictor.whole else {"box": "x1 y1 x2 y2 in pixels of the picture; 0 0 is its top left corner"}),
    }
