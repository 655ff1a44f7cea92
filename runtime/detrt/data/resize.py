"""How a picture of any size comes to the size of a net's input, and how boxes find their way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import Image
from detrt.errors import DetrtError

MODES = ("stretch", "letterbox", "crop")
PLACES = ("center", "topleft")
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
"""`nearest` takes the pixel in which the centre of the new one lies, so that boxes and pictures agree."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture comes to lie: its part `cut` (x, y, width, height in its own pixels) is resized onto the part
    `onto` (the same, in pixels of the canvas). All whole numbers if the picture's size is.
    """

    cut: tuple[float, float, float, float]
    onto: tuple[int, int, int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the canvas a pixel of the picture, across and down."""
        return self.onto[2] / self.cut[2], self.onto[3] / self.cut[3]

    @property
    def shift(self) -> tuple[float, float]:
        """Where the picture's top left corner comes to lie on the canvas."""
        across, down = self.scale
        return self.onto[0] - self.cut[0] * across, self.onto[1] - self.cut[1] * down


@dataclass(frozen=True, slots=True)
class Resize:
    """`input.resize` of the lock, whose page says what each word means."""

    mode: str = "stretch"
    interpolation: str = "bilinear"
    pad: int = 114
    place: str = "center"

    @classmethod
    def of(cls, described: Mapping[str, Any] | None) -> Resize:
        """From the lock or a device's files; what is missing is as always. Raises DetrtError for words it does not know."""
        if not isinstance(described or {}, Mapping):
            raise DetrtError(f"no way of resizing: {described!r}", "input.resize")
        found = dict(described or {})
        for key, known in (("mode", MODES), ("interpolation", tuple(INTERPOLATIONS)), ("place", PLACES)):
            if found.get(key, known[0]) not in known:
                raise DetrtError(
                    f"no {key} of resizing is called {found[key]!r}", "input.resize", f"known: {', '.join(known)}"
                )
        pad = found.get("pad", 114)
        if not isinstance(pad, int) or not 0 <= pad <= 255:
            raise DetrtError(f"the grey beside a picture is 0 .. 255, not {pad!r}", "input.resize.pad")
        return cls(
            str(found.get("mode", "stretch")), str(found.get("interpolation", "bilinear")), pad,
            str(found.get("place", "center")),
        )  # fmt: skip

    def fit(self, width: float, height: float, onto_width: int, onto_height: int) -> Fit:
        """Of a picture of `width` x `height` pixels on a canvas of `onto_width` x `onto_height`."""
        wide, high = width * onto_height, height * onto_width
        if self.mode == "letterbox":
            across = onto_width if wide >= high else max(1, int(wide // height))
            down = onto_height if high >= wide else max(1, int(high // width))
            left, top = self._spare(onto_width - across), self._spare(onto_height - down)
            return Fit((0, 0, width, height), (left, top, across, down))
        if self.mode == "crop":
            part = (
                width if wide <= high else max(1, high // onto_height),
                height if high <= wide else max(1, wide // onto_width),
            )
            left, top = self._spare(width - part[0]), self._spare(height - part[1])
            return Fit((left, top, *part), (0, 0, onto_width, onto_height))
        return Fit((0, 0, width, height), (0, 0, onto_width, onto_height))

    def _spare(self, room: float) -> int:
        return int(room // 2) if self.place == "center" else 0

    def resized(self, image: Image, width: int, height: int) -> Image:
        """uint8 [height, width, 3] from a BGR picture of any size."""
        fit = self.fit(image.shape[1], image.shape[0], width, height)
        x, y, across, down = (int(v) for v in fit.cut)
        part = image[y : y + down, x : x + across]
        left, top, new_width, new_height = fit.onto
        if part.shape[:2] != (new_height, new_width):
            part = np.asarray(
                cv2.resize(part, (new_width, new_height), interpolation=INTERPOLATIONS[self.interpolation]), np.uint8
            )
        if (new_height, new_width) == (height, width):
            return part
        canvas = np.full((height, width, image.shape[2]), self.pad, np.uint8)
        canvas[top : top + new_height, left : left + new_width] = part
        return canvas

    def placed(
        self, boxes: NDArray[np.float32], canvas: tuple[int, int], width: float, height: float
    ) -> NDArray[np.float32]:
        """Boxes float32 [n, 4] as shares of the canvas (width, height) from shares of a picture of `width` x `height`."""
        if self.mode == "stretch" or width < 1 or height < 1:
            return boxes
        size, picture, scale, shift = self._axes(canvas, width, height)
        return np.asarray((boxes.astype(np.float64) * picture * scale + shift) / size, np.float32)

    def unplaced(
        self, boxes: NDArray[np.float32], canvas: tuple[int, int], width: float, height: float
    ) -> NDArray[np.float32]:
        """The inverse of `placed`. Nothing is clipped: a box on the grey beside the picture comes out below 0 or above 1."""
        if self.mode == "stretch" or width < 1 or height < 1:
            return boxes
        size, picture, scale, shift = self._axes(canvas, width, height)
        return np.asarray((boxes.astype(np.float64) * size - shift) / scale / picture, np.float32)

    def _axes(self, canvas: tuple[int, int], width: float, height: float) -> tuple[NDArray[np.float64], ...]:
        fit = self.fit(width, height, *canvas)
        pairs = (canvas, (width, height), fit.scale, fit.shift)
        return tuple(np.array([*pair, *pair], np.float64) for pair in pairs)


STRETCH = Resize()
"""All of the picture onto the whole input, bilinear: what it is where nothing is said."""
