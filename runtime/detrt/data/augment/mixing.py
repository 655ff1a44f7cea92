"""Steps that put other pictures of the set beside or over this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from detrt.data.augment.options import Step
from detrt.data.augment.scene import Piece, Scene
from detrt.data.encode import Encoding
from detrt.data.sample import Sample

Others = Callable[[Generator], Sample]
"""Draws a picture of the set."""


def mosaic(scene: Scene, rng: Generator, step: Step, encoding: Encoding, others: Others) -> Scene:
    """Four pictures around a point of a canvas of twice the input's size, each as large as the input holds whole; the
    middle of it is shown, enlarged by `scale` (Megvii-BaseDetection/YOLOX@6ddff48, `mosaicdetection.py`).
    """
    width, height = encoding.width, encoding.height
    x, y = rng.uniform(0.5, 1.5) * width, rng.uniform(0.5, 1.5) * height
    pieces: list[Piece] = []
    for right, below in ((False, False), (True, False), (False, True), (True, True)):
        tile = scene if not pieces else whole(others(rng))
        ratio = min(width / tile.width, height / tile.height)
        left, top = x - (0 if right else ratio * tile.width), y - (0 if below else ratio * tile.height)
        laid = tile.then(ratio, left, ratio, top, 2.0 * width, 2.0 * height)
        pieces += (piece.within(0.0, 0.0, 2.0 * width, 2.0 * height) for piece in laid.pieces)
    factor = rng.uniform(*step.span("scale"))
    four = Scene(tuple(pieces), 2.0 * width, 2.0 * height)
    return four.then(factor, width * (0.5 - factor), factor, height * (0.5 - factor), float(width), float(height))


def mixup(scene: Scene, rng: Generator, step: Step, encoding: Encoding, others: Others) -> Scene:
    """Another picture over this one in equal parts, with the boxes of both: fitted to the view whole, times `scale`,
    every other one mirrored, at any place (Megvii-BaseDetection/YOLOX@6ddff48, `mosaicdetection.py`).
    """
    other = whole(others(rng))
    ratio = min(scene.width / other.width, scene.height / other.height) * rng.uniform(*step.span("scale"))
    mirrored = rng.random() < 0.5
    wide, high = ratio * other.width, ratio * other.height
    room = (scene.width - wide, scene.height - high)
    left, top = (rng.uniform(min(0.0, side), max(0.0, side)) for side in room)
    across, left = (-ratio, left + wide) if mirrored else (ratio, left)
    laid = other.then(across, left, ratio, top, scene.width, scene.height)
    return replace(scene, pieces=(*scene.pieces, *(replace(piece, layer=1) for piece in laid.pieces)))


Mix = Callable[[Scene, Generator, Step, Encoding, Others], Scene]

MIXES: dict[str, Mix] = {"mosaic": mosaic, "mixup": mixup}


def whole(sample: Sample) -> Scene:
    return Scene.whole(sample.image, sample.annotation)
