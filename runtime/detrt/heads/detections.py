"""What a decoder gives back for one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one picture, best first: `boxes` float32 [n, 4] x1 y1 x2 y2 as shares of the picture's width and height,

    `scores` float32 [n], `labels` int64 [n] class numbers from 0.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def none(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Detections:
        return Detections(self.boxes[which], self.scores[which], self.labels[which])

    def moved(self, boxes: NDArray[np.float32]) -> Detections:
        """The same finds with other boxes."""
        return Detections(boxes, self.scores, self.labels)

    def pixels(self, width: int, height: int) -> NDArray[np.float32]:
        """The boxes in pixels of a picture of this size, clipped to it: float32 [n, 4]."""
        size = np.array([width, height, width, height], np.float32)
        return np.asarray(np.clip(self.boxes * size, 0, size), np.float32)
