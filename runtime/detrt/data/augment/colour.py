"""Steps that change colours only, and blur."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detrt.data.augment.options import Step
from detrt.data.sample import Image

LEVELS = np.arange(256, dtype=np.float32)


def hsv(image: Image, rng: Generator, step: Step) -> Image:
    """Multiplies hue (around its circle), saturation and value, each by its own factor, through one table a channel."""
    hue, saturation, value = rng.uniform(*step.span("range"), 3)
    tables = np.empty((1, 256, 3), np.uint8)
    tables[0, :, 0] = LEVELS * hue % 180
    tables[0, :, 1] = np.minimum(LEVELS * saturation, 255)
    tables[0, :, 2] = np.minimum(LEVELS * value, 255)
    return _in_hsv(image, tables)


def photometric(image: Image, rng: Generator, step: Step) -> Image:
    """Brightness (levels added), contrast (factor), saturation (factor), hue (degrees added) and, with `swap`, another
    order of the channels: each done with probability `p` by itself. Contrast comes before or after saturation and hue
    (SSD's distortions: arXiv 1512.02325, section 2.2, after arXiv 1312.5402).
    """

    def luck(key: str, neutral: float) -> float:
        drawn, low_high = rng.random(), step.span(key)
        value = rng.uniform(*low_high)
        return float(value) if drawn < step.p else neutral

    brightness, contrast = luck("brightness", 0.0), luck("contrast", 1.0)
    saturation, hue = luck("saturation", 1.0), luck("hue", 0.0)
    first, swapped = rng.random() < 0.5, rng.random() < step.p
    order = rng.permutation(3)
    image = _through(image, (LEVELS + brightness) * (contrast if first else 1.0))
    if saturation != 1.0 or hue != 0.0:
        tables = np.empty((1, 256, 3), np.uint8)
        tables[0, :, 0] = (LEVELS + hue / 2) % 180  # OpenCV's hue counts in steps of two degrees
        tables[0, :, 1] = np.minimum(LEVELS * saturation, 255)
        tables[0, :, 2] = LEVELS
        image = _in_hsv(image, tables)
    if not first:
        image = _through(image, LEVELS * contrast)
    return np.ascontiguousarray(image[:, :, order]) if step.flag("swap") and swapped else image


TINTS: dict[str, Callable[[Image, Generator, Step], Image]] = {"hsv": hsv, "photometric": photometric}


def blur(image: Image, kernel: int) -> Image:
    """Box blur of `kernel` x `kernel` pixels."""
    return np.asarray(cv2.blur(image, (kernel, kernel)), np.uint8)


def _in_hsv(image: Image, tables: NDArray[np.uint8]) -> Image:
    changed = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), tables)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2BGR), np.uint8)


def _through(image: Image, table: NDArray[np.float32]) -> Image:
    levels = np.rint(np.clip(table, 0, 255)).astype(np.uint8)
    return image if np.array_equal(levels, LEVELS) else np.asarray(cv2.LUT(image, levels), np.uint8)
