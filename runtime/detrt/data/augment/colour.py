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
    """Multiplies hue (around its circle), saturation and value, each by its own factor."""
    hue, saturation, value = rng.uniform(*step.span("range"), 3)
    return _in_hsv(image, LEVELS * hue % 180, float(saturation), float(value))


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
        image = _in_hsv(image, (LEVELS + hue / 2) % 180, saturation, 1.0)  # OpenCV's hue: steps of two degrees
    if not first:
        image = _through(image, LEVELS * contrast)
    if not (step.flag("swap") and swapped):
        return image
    planes = cv2.split(image)
    return np.asarray(cv2.merge([planes[channel] for channel in order]), np.uint8)


TINTS: dict[str, Callable[[Image, Generator, Step], Image]] = {"hsv": hsv, "photometric": photometric}


def blur(image: Image, kernel: int) -> Image:
    """Box blur of `kernel` x `kernel` pixels."""
    return np.asarray(cv2.blur(image, (kernel, kernel)), np.uint8)


def _in_hsv(image: Image, hues: NDArray[np.float32], saturation: float, value: float) -> Image:
    """With another hue for each of 0 .. 179, and saturation and value times a factor: channel by channel, which OpenCV does
    twice as fast as one table of three.
    """
    planes = list(cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)))
    planes[0] = cv2.LUT(planes[0], hues.astype(np.uint8))
    for channel, factor in ((1, saturation), (2, value)):
        if factor != 1.0:
            planes[channel] = cv2.convertScaleAbs(planes[channel], alpha=factor)
    return np.asarray(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_HSV2BGR), np.uint8)


def _through(image: Image, table: NDArray[np.float32]) -> Image:
    levels = np.rint(np.clip(table, 0, 255)).astype(np.uint8)
    return image if np.array_equal(levels, LEVELS) else np.asarray(cv2.LUT(image, levels), np.uint8)
