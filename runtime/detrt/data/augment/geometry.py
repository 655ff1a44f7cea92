"""Steps that move things: each gives the scene followed by one more matrix."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detrt.data.augment.options import Step
from detrt.data.augment.scene import Scene


def flip(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Left to right."""
    return scene.then(-1.0, scene.width, 1.0, 0.0, scene.width, scene.height)


def scale(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Widens or narrows the view about its middle on a canvas of the same size (on a square input, mere widening
    would be undone).
    """
    factor = rng.uniform(*step.span("range"))
    return scene.then(factor, scene.width * (1 - factor) / 2, 1.0, 0.0, scene.width, scene.height)


def shift(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Moves the view by a share of its width and height."""
    right, down = rng.uniform(*step.span("range"), 2)
    return scene.then(1.0, right * scene.width, 1.0, down * scene.height, scene.width, scene.height)


def crop(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Keeps a part of the view, its width and height drawn apart, at any place."""
    span = step.span("range")
    width, height = scene.width * rng.uniform(*span), scene.height * rng.uniform(*span)
    return _cut_anywhere(scene, rng, width, height)


def affine(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Turns by `degrees`, enlarges by `scale`, shears by `shear` degrees along both axes, all about the middle; then
    moves by the share `translate`, across and down (the terms of `random_affine`, Megvii-BaseDetection/YOLOX@6ddff48).
    """
    angle, factor = math.radians(rng.uniform(*step.span("degrees"))), rng.uniform(*step.span("scale"))
    lean = np.tan(np.radians(rng.uniform(*step.span("shear"), 2)))
    turned = factor * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    linear = np.array([[1.0, lean[0]], [lean[1], 1.0]]) @ turned
    middle = np.array([scene.width, scene.height]) / 2
    moved = rng.uniform(*step.span("translate"), 2) * (scene.width, scene.height)
    matrix = np.column_stack([linear, middle - linear @ middle + moved])
    return scene.moved(matrix, scene.width, scene.height)


def zoom_out(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Lays the view anywhere on a grey canvas so many times as wide and high (SSD's expansion, arXiv 1512.02325,
    section 3.6).
    """
    ratio = rng.uniform(*step.span("range"))
    width, height = scene.width * ratio, scene.height * ratio
    left, top = rng.uniform(0, width - scene.width), rng.uniform(0, height - scene.height)
    return scene.then(1.0, left, 1.0, top, width, height)


TRIALS = 50
"""Crops that `ssd_crop` draws before it leaves the view as it is, as in weiliu89/caffe@ssd."""


def ssd_crop(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Keeps a part that overlaps some box by at least an IoU drawn from `ious` and holds the centre of a box; its
    width and height are shares from `range`, their ratio lies in `aspect` (arXiv 1512.02325, section 2.2).
    """
    least = rng.choice(np.asarray(step.numbers("ious")))
    span, (narrow, wide) = step.span("range"), step.span("aspect")
    boxes, canvas = scene.boxes().boxes.astype(np.float64), np.array([scene.width, scene.height])
    luck = rng.random((TRIALS, 4))
    sides = canvas * (span[0] + (span[1] - span[0]) * luck[:, :2])
    low = (canvas - sides) * luck[:, 2:]
    ratio = sides[:, 0] / sides[:, 1]
    fits = (narrow <= ratio) & (ratio <= wide)
    if len(boxes):
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - low[:, None]
        fits &= np.any(np.all((centre >= 0) & (centre < sides[:, None]), axis=2), axis=1)
        fits &= _iou(np.concatenate([low, low + sides], axis=1), boxes).max(axis=1) >= least
    if not fits.any():
        return scene
    first = fits.argmax()
    (left, top), (width, height) = low[first].tolist(), sides[first].tolist()
    return scene.then(1.0, -left, 1.0, -top, width, height)


def resized_crop(scene: Scene, rng: Generator, step: Step) -> Scene:
    """Keeps a part of a drawn share `area` of the view's area and a drawn ratio `aspect` of width to height, at any
    place: the crops that classifiers are trained on (arXiv 1409.4842, section 6). The whole view where ten draws do
    not fit.
    """
    narrow, wide = step.span("aspect")
    for _ in range(10):
        area = scene.width * scene.height * rng.uniform(*step.span("area"))
        ratio = math.exp(rng.uniform(math.log(narrow), math.log(wide)))
        width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if width <= scene.width and height <= scene.height:
            return _cut_anywhere(scene, rng, width, height)
    return scene


Move = Callable[[Scene, Generator, Step], Scene]

MOVES: dict[str, Move] = {
    "flip": flip,
    "scale": scale,
    "shift": shift,
    "crop": crop,
    "affine": affine,
    "zoom_out": zoom_out,
    "ssd_crop": ssd_crop,
    "resized_crop": resized_crop,
}


def _cut_anywhere(scene: Scene, rng: Generator, width: float, height: float) -> Scene:
    left, top = rng.uniform(0, max(scene.width - width, 0)), rng.uniform(0, max(scene.height - height, 0))
    return scene.then(1.0, -left, 1.0, -top, width, height)


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU [n, m] of boxes [n, 4] with boxes [m, 4]."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=2)
    first, second = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b))
    return np.asarray(both / (first[:, None] + second - both), np.float64)
