"""Pictures with boxes, class names and scores drawn in, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import Image
from detrt.heads.detections import Detections

PALETTE = (
    (180, 105, 20), (40, 90, 225), (60, 150, 40), (150, 50, 140), (20, 150, 230), (140, 140, 20), (90, 60, 200), (60, 110, 130),
    (200, 90, 110), (30, 120, 90), (110, 40, 60), (120, 120, 120),
)  # fmt: skip
"""BGR, dark enough for white letters."""
LEAST_SIDE = 448
"""Smaller pictures are enlarged first, or letters would cover them."""
LEAST_SCORE = 0.25
"""Detections below are for curves, not for eyes."""
FONT = cv2.FONT_HERSHEY_DUPLEX
LONGEST = 40
"""Letters of a label."""
RIGHT, WRONG = (60, 150, 40), (40, 40, 200)
"""BGR of what is right and of what is wrong."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One box in pixels x1 y1 x2 y2 with its text and the number of its colour; `thin` for the truth beside a
    detection.
    """

    box: tuple[float, float, float, float]
    text: str
    colour: int
    thin: bool = False


def draw_detections(image: Image, found: Detections, classes: Sequence[str], least: float = LEAST_SCORE) -> Image:
    """A copy of a BGR picture with the detections that score at least `least`, the best on top."""
    found = found.take(found.scores >= least)
    boxes = found.pixels(image.shape[1], image.shape[0])
    marks = [
        Mark((x1, y1, x2, y2), f"{classes[label]} {score:.2f}", label)
        for (x1, y1, x2, y2), label, score in zip(
            boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True
        )
    ]
    return draw(image, marks[::-1])


def draw_truth(image: Image, boxes: NDArray[np.float32], labels: NDArray[np.int64], classes: Sequence[str]) -> Image:
    """A copy of a BGR picture with labelled boxes [n, 4] in pixels."""
    marks = [
        Mark((x1, y1, x2, y2), classes[label] if label < len(classes) else str(label), label)
        for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True)
    ]
    return draw(image, marks)


def draw(image: Image, marks: Sequence[Mark], least_side: int = LEAST_SIDE) -> Image:
    """A copy with the marks, enlarged to `least_side` pixels where it is smaller. Boxes first, so that no text is
    covered by a box.
    """
    factor = max(1.0, least_side / min(image.shape[:2]))
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    canvas = np.array(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) if factor > 1 else image, np.uint8)
    unit = max(1.0, min(size) / 480)
    for mark in marks:
        corners = _corners(mark, factor, size)
        line = max(1, round(unit * (1 if mark.thin else 2)))
        cv2.rectangle(canvas, corners[0], corners[1], PALETTE[mark.colour % len(PALETTE)], line, cv2.LINE_AA)
    for mark in marks:
        _label(canvas, mark, _corners(mark, factor, size), unit)
    return canvas


def draw_classes(image: Image, found: Detections, classes: Sequence[str], least: float = 0.05) -> Image:
    """A copy of a BGR picture with its most probable classes written in the corner, those of at least `least`."""
    canvas = draw(image, [])
    unit = max(1.0, min(canvas.shape[:2]) / 480)
    top = 0
    for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True):
        if score >= least:
            top = _text(canvas, f"{classes[label]} {score:.2f}", PALETTE[label % len(PALETTE)], 0, top, unit)
    return canvas


def captioned(image: Image, text: str, colour: tuple[int, int, int], line: int = 3) -> Image:
    """A copy with a frame of this colour and the text at its top."""
    canvas = np.array(image)
    height, width = canvas.shape[:2]
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), colour, 2 * line)
    _text(canvas, text, colour, 0, 0, 0.8)
    return canvas


def contact_sheet(images: Sequence[Image], columns: int = 4, gap: int = 6) -> Image:
    """Pictures of equal size side by side on white, row by row."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def _corners(mark: Mark, factor: float, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, y1, x2, y2 = (round(v * factor) for v in mark.box)
    return (min(x1, size[0] - 1), min(y1, size[1] - 1)), (min(x2, size[0]) - 1, min(y2, size[1]) - 1)


def _label(canvas: Image, mark: Mark, corners: tuple[tuple[int, int], tuple[int, int]], unit: float) -> None:
    text = drawable(mark.text)[:LONGEST]
    if not text:
        return
    (left, top), (_, bottom) = corners
    tall = _tall(text, unit)
    # above the box, or below where there is no room
    y = top - tall if top >= tall else min(bottom + 1, canvas.shape[0] - tall)
    _text(canvas, text, PALETTE[mark.colour % len(PALETTE)], left, max(0, y), unit)


def _text(canvas: Image, text: str, colour: tuple[int, int, int], x: int, y: int, unit: float) -> int:
    """White letters on a field of `colour` whose upper left corner is (x, y), or further left where it would leave the
    canvas; the row below it.
    """
    text, scale, pad = drawable(text)[:LONGEST], 0.45 * unit, round(3 * unit)
    width, height = cv2.getTextSize(text, FONT, scale, 1)[0]
    tall = _tall(text, unit)
    x = max(0, min(x, canvas.shape[1] - width - 2 * pad))
    cv2.rectangle(canvas, (x, y), (x + width + 2 * pad, y + tall), colour, cv2.FILLED)
    cv2.putText(canvas, text, (x + pad, y + pad + height), FONT, scale, (255, 255, 255), max(1, int(unit)), cv2.LINE_AA)
    return y + tall


def _tall(text: str, unit: float) -> int:
    (_, height), below = cv2.getTextSize(text, FONT, 0.45 * unit, 1)
    return int(height + below + 2 * round(3 * unit))


def drawable(text: str) -> str:
    """What OpenCV can write: its letters are ASCII."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
