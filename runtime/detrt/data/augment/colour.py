"""Steps that change colours only: HSV factors and blur."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from detrt.data.sample import Image

STEPS = np.arange(256, dtype=np.float32)


def hsv(image: Image, rng: Generator, low: float, high: float) -> Image:
    """Multiplies hue (around its circle), saturation and value, each by its own factor, through one table a channel."""
    hue, saturation, value = rng.uniform(low, high, 3)
    tables = np.empty((1, 256, 3), np.uint8)
    tables[0, :, 0] = STEPS * hue % 180
    tables[0, :, 1] = np.minimum(STEPS * saturation, 255)
    tables[0, :, 2] = np.minimum(STEPS * value, 255)
    changed = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), tables)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2BGR), np.uint8)


def blur(image: Image, kernel: int) -> Image:
    """Box blur of `kernel` x `kernel` pixels."""
    return np.asarray(cv2.blur(image, (kernel, kernel)), np.uint8)
