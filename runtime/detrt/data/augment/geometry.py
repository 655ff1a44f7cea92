"""Steps that move things: flip, scale, shift, crop. Together they are one matrix, so a picture is resampled only once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detrt.data.sample import Annotation, Image

GROUND = (114, 114, 114)
"""Grey that fills what lies outside the original picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A view of a picture: `matrix` [2, 3] takes points of the original (pixels, edges at whole numbers) to a
    canvas of `width` x `height`.
    """

    matrix: NDArray[np.float64]
    width: float
    height: float

    @classmethod
    def whole(cls, image: Image) -> Placement:
        return cls(np.array([[1.0, 0, 0], [0, 1.0, 0]]), float(image.shape[1]), float(image.shape[0]))

    def then(
        self, scale_x: float, shift_x: float, scale_y: float, shift_y: float, width: float, height: float
    ) -> Placement:
        """Followed by x * scale_x + shift_x, y * scale_y + shift_y on a canvas of the given size."""
        matrix = self.matrix * np.array([[scale_x], [scale_y]])
        matrix[:, 2] += (shift_x, shift_y)
        return Placement(matrix, width, height)

    def fitted(self, width: int, height: int) -> Placement:
        """Stretched to a canvas of `width` x `height`."""
        return self.then(width / self.width, 0.0, height / self.height, 0.0, float(width), float(height))

    def draw(self, image: Image) -> Image:
        """The view as a picture, bilinear; `fitted` must come before. Matches `cv2.resize` up to rounding where
        nothing else was done.
        """
        # OpenCV counts from pixel centres, boxes from pixel edges: half a pixel on each side
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        size = (round(self.width), round(self.height))
        return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=GROUND), np.uint8)

    def boxes(self, annotation: Annotation) -> Annotation:
        """The boxes on this canvas, clipped to it; one whose centre has left the canvas is gone."""
        if not len(annotation):
            return annotation
        old = annotation.boxes.astype(np.float64).reshape(-1, 2, 2)
        corners = old @ self.matrix[:, :2].T + self.matrix[:, 2]
        low, high = corners.min(axis=1), corners.max(axis=1)
        limit = np.array([self.width, self.height])
        centre = (low + high) / 2
        clipped = np.concatenate([np.clip(low, 0, limit), np.clip(high, 0, limit)], axis=1)
        kept = ((centre >= 0) & (centre < limit)).all(axis=1) & (clipped[:, 2:] - clipped[:, :2] >= 1).all(axis=1)
        return annotation.moved(clipped.astype(np.float32)).take(kept)


def flip(placement: Placement, rng: Generator) -> Placement:
    """Left to right."""
    return placement.then(-1.0, placement.width, 1.0, 0.0, placement.width, placement.height)


def scale(placement: Placement, rng: Generator, low: float, high: float) -> Placement:
    """Widens or narrows the view about its middle on a canvas of the same size (on a square input, mere widening
    would be undone).
    """
    factor = rng.uniform(low, high)
    return placement.then(factor, placement.width * (1 - factor) / 2, 1.0, 0.0, placement.width, placement.height)


def shift(placement: Placement, rng: Generator, low: float, high: float) -> Placement:
    """Moves the view by a share of its width and height."""
    right, down = rng.uniform(low, high, 2)
    width, height = placement.width, placement.height
    return placement.then(1.0, right * width, 1.0, down * height, width, height)


def crop(placement: Placement, rng: Generator, low: float, high: float) -> Placement:
    """Keeps a part of the view, its width and height drawn apart, at any place."""
    width, height = placement.width * rng.uniform(low, high), placement.height * rng.uniform(low, high)
    left, top = rng.uniform(0, max(placement.width - width, 0)), rng.uniform(0, max(placement.height - height, 0))
    return placement.then(1.0, -left, 1.0, -top, width, height)
