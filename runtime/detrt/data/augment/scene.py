"""Pictures laid on a canvas, each with one matrix: whatever moves them, every picture is resampled only once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.data.resize import INTERPOLATIONS, Resize
from detrt.data.sample import Annotation, Image

WARPS = {**INTERPOLATIONS, "nearest": cv2.INTER_NEAREST, "area": cv2.INTER_LINEAR}
"""`warpAffine` has no area; what shrinks is made smaller by whole areas first (`Piece.shrunk`)."""

WARP_SIDE = 30_000
"""Longest side in pixels of a picture that is warped; OpenCV takes at most 32,767."""

UNMOVED = np.eye(2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One picture of a scene.

    `matrix` [2, 3] takes points of the picture (pixels, edges at whole numbers) to the canvas; `window` is the part of
    the picture that shows, x1 y1 x2 y2 in its own pixels; `layer` 0 or 1: layers are blended in equal parts.
    """

    image: Image
    annotation: Annotation
    matrix: NDArray[np.float64]
    window: tuple[float, float, float, float]
    layer: int = 0

    @classmethod
    def whole(cls, image: Image, annotation: Annotation) -> Piece:
        return cls(image, annotation, UNMOVED, (0.0, 0.0, float(image.shape[1]), float(image.shape[0])))

    def moved(self, matrix: NDArray[np.float64]) -> Piece:
        """Followed by `matrix` [2, 3] on the canvas."""
        joined = matrix[:, :2] @ self.matrix
        joined[:, 2] += matrix[:, 2]
        return Piece(self.image, self.annotation, joined, self.window, self.layer)

    def within(self, x1: float, y1: float, x2: float, y2: float) -> Piece:
        """Only what lies in this part of the canvas still shows. For pieces that are neither turned nor sheared."""
        ends = [(np.array(pair) - self.matrix[i, 2]) / self.matrix[i, i] for i, pair in enumerate(((x1, x2), (y1, y2)))]
        left, top, right, bottom = self.window
        window = (
            max(left, float(ends[0].min())), max(top, float(ends[1].min())),
            min(right, float(ends[0].max())), min(bottom, float(ends[1].max())),
        )  # fmt: skip
        return replace(self, window=window)

    @property
    def straight(self) -> bool:
        """Whether its sides stand upright on the canvas."""
        return bool(abs(self.matrix[0, 1]) + abs(self.matrix[1, 0]) < 1e-9)

    def boxes(self, width: float, height: float) -> Annotation:
        """The boxes on a canvas of this size, clipped to what shows; one whose centre does not show is gone, and so is
        one that less than a pixel is left of.
        """
        if not len(self.annotation):
            return self.annotation
        own = self.annotation.boxes
        low, high = (0.0, 0.0), (width, height)
        if self.straight:  # what shows is a part of the canvas
            x1, y1, x2, y2 = self._upright(np.array([self.window]))[0].tolist()
            low, high = (max(x1, 0.0), max(y1, 0.0)), (min(x2, width), min(y2, height))
            placed = left = self._upright(own)
            shows = _within((placed[:, :2] + placed[:, 2:]) / 2, low, high)
        else:  # it is a part of the picture
            placed, left = self._around(own), self._around(np.clip(own, self.window[:2] * 2, self.window[2:] * 2))
            shows = _within((own[:, :2] + own[:, 2:]) / 2, self.window[:2], self.window[2:])
            shows &= _within((placed[:, :2] + placed[:, 2:]) / 2, low, high)
        left = np.minimum(np.maximum(left, low * 2), high * 2)
        shows &= left[:, 2:] - left[:, :2] >= 1
        moved = self.annotation.moved(left.astype(np.float32))
        return moved if shows.all() else moved.take(np.logical_and(shows[:, 0], shows[:, 1]))

    def _upright(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Boxes [n, 4] on the canvas, where the picture is straight."""
        (across, _, right), (_, down, below) = self.matrix.tolist()
        placed = boxes * np.array((across, down, across, down)) + (right, below, right, below)
        return placed if across > 0 and down > 0 else _sorted(placed)

    def _around(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The upright boxes [n, 4] around boxes that are turned or sheared with the picture."""
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def paint(self, canvas: Image, interpolation: str) -> None:
        """Draws what shows onto `canvas`; its pixels are those whose centres it covers."""
        left, top, right, bottom = self.window
        ends = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        corners = ends @ self.matrix[:, :2].T + self.matrix[:, 2]
        limit = (canvas.shape[1], canvas.shape[0])
        x1, y1 = (int(np.clip(np.rint(v), 0, side)) for v, side in zip(corners.min(0), limit, strict=True))
        x2, y2 = (int(np.clip(np.rint(v), 0, side)) for v, side in zip(corners.max(0), limit, strict=True))
        if x1 >= x2 or y1 >= y2:
            return
        image, matrix = self._shrunk(interpolation)
        # OpenCV counts from pixel centres, boxes from pixel edges: half a pixel on each side
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5 - (x1, y1)
        drawn = cv2.warpAffine(
            image, matrix, (x2 - x1, y2 - y1), flags=WARPS[interpolation], borderMode=cv2.BORDER_REPLICATE
        )
        part = canvas[y1:y2, x1:x2]
        if not self.straight:
            mask = np.zeros(part.shape[:2], np.uint8)
            outline = np.rint((corners - (x1 + 0.5, y1 + 0.5)) * 256).astype(np.int32)
            cv2.fillConvexPoly(mask, outline, 1, shift=8)
            drawn = cv2.copyTo(drawn, mask, np.ascontiguousarray(part))
        part[:] = drawn

    def _shrunk(self, interpolation: str) -> tuple[Image, NDArray[np.float64]]:
        """The picture and a matrix of its own for `warpAffine`: made smaller beforehand where means of areas are
        wanted, or where it is too large.
        """
        matrix = self.matrix.copy()
        height, width = self.image.shape[:2]
        across, down = np.minimum(1.0, np.hypot(*self.matrix[:, :2])) if interpolation == "area" else (1.0, 1.0)
        size = tuple(min(WARP_SIDE, max(1, round(side * factor))) for side, factor in ((width, across), (height, down)))
        if size == (width, height):
            return self.image, matrix
        matrix[:, :2] *= (width / size[0], height / size[1])
        return np.asarray(cv2.resize(self.image, size, interpolation=cv2.INTER_AREA), np.uint8), matrix


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A canvas of `width` x `height` and what lies on it, later pieces above earlier ones."""

    pieces: tuple[Piece, ...]
    width: float
    height: float

    @classmethod
    def whole(cls, image: Image, annotation: Annotation) -> Scene:
        """One picture that fills its canvas."""
        return cls((Piece.whole(image, annotation),), float(image.shape[1]), float(image.shape[0]))

    def moved(self, matrix: NDArray[np.float64], width: float, height: float) -> Scene:
        """Everything followed by `matrix` [2, 3], on a canvas of the given size."""
        return Scene(tuple(piece.moved(matrix) for piece in self.pieces), width, height)

    def then(
        self, scale_x: float, shift_x: float, scale_y: float, shift_y: float, width: float, height: float
    ) -> Scene:
        """Followed by x * scale_x + shift_x, y * scale_y + shift_y on a canvas of the given size."""
        return self.moved(np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]]), width, height)

    def fitted(self, width: int, height: int, resize: Resize) -> Scene:
        """Brought to the size of a net's input as any picture would be."""
        fit = resize.fit(self.width, self.height, width, height)
        (across, down), (right, below) = fit.scale, fit.shift
        fitted = self.then(across, right, down, below, float(width), float(height))
        if resize.mode != "letterbox":
            return fitted
        x, y, wide, high = fit.onto
        if not all(piece.straight for piece in fitted.pieces):
            return fitted
        return replace(fitted, pieces=tuple(piece.within(x, y, x + wide, y + high) for piece in fitted.pieces))

    def with_images(self, change: Callable[[Image], Image]) -> Scene:
        """With other pixels at the same places."""
        return replace(self, pieces=tuple(replace(piece, image=change(piece.image)) for piece in self.pieces))

    def boxes(self) -> Annotation:
        """All boxes on the canvas; see `Piece.boxes`."""
        return Annotation.joined([piece.boxes(self.width, self.height) for piece in self.pieces])

    def draw(self, resize: Resize) -> Image:
        """The canvas as a picture, uint8 [height, width, 3]: each piece resampled once, grey where there is none."""
        layers = []
        for layer in sorted({piece.layer for piece in self.pieces}):
            canvas = np.full((round(self.height), round(self.width), 3), resize.pad, np.uint8)
            for piece in self.pieces:
                if piece.layer == layer:
                    piece.paint(canvas, resize.interpolation)
            layers.append(canvas)
        return (
            layers[0] if len(layers) == 1 else np.asarray(cv2.addWeighted(layers[0], 0.5, layers[1], 0.5, 0), np.uint8)
        )


def _sorted(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes [n, 4] with the smaller ends first."""
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)


def _within(points: NDArray[Any], low: tuple[float, ...], high: tuple[float, ...]) -> NDArray[np.bool_]:
    """For each coordinate of points [n, 2] whether it lies in low .. high."""
    return np.asarray((points >= low) & (points < high))
