"""Videos made by code: shapes of the synthetic set that move over still ground, so that only what moves changes a pixel.

Video `i` of a split depends on (seed, split, i) and its length alone. Boxes are exact: the shape's outermost pixels. Some
shapes stand still; those that move go straight on and bounce off the picture's sides. Light and grain stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import DataSet, Image, Picture
from detrt.data.synthetic import TRIES, Polygon, Scenes, candidate, drawn
from detrt.errors import DetrtError

SPEED = (1.0, 4.0)
"""Pixels a frame of the slowest and the fastest in a 224 pixel picture."""
STILL = 0.35
"""Share of the shapes that stand still."""
COVERED = 0.3
"""Most of a shape's box that another's may lie over at any time, as a share of the smaller box."""
LONGEST = 4096
"""Frames of a video."""


@dataclass(frozen=True, slots=True, eq=False)
class Moving:
    """A shape with the way it goes: `outline` in pixels at frame 0, `way` float64 [frames, 2] what it has moved by."""

    shape: str
    outline: Polygon
    way: NDArray[np.float64]

    def at(self, frame: int) -> tuple[str, Polygon]:
        return self.shape, self.outline + self.way[frame]

    def boxes(self) -> NDArray[np.float64]:
        """x1 y1 x2 y2 at every frame: float64 [frames, 4]."""
        return np.concatenate([self.outline.min(axis=0) + self.way, self.outline.max(axis=0) + self.way], axis=1)


def open_moving(
    name: str, split: str, where: Mapping[str, Any], classes: Sequence[str] | None, options: Mapping[str, Any]
) -> DataSet:
    """A set of videos that exists only while it is read: `where["images"]` frames in all, `options["frames"]` a video,
    clips of `options["steps"]`; the rest as in `Scenes.of`. Raises DetrtError.
    """
    scenes = Scenes.of(name, split, where, classes, options)
    frames, steps = int(options["frames"]), int(options.get("steps") or options["frames"])
    if not 0 < steps <= frames <= LONGEST or scenes.count % frames:
        raise DetrtError(
            f"{scenes.count} pictures cannot be videos of {frames} frames with clips of {steps}",
            f"data.{name}.{split}",
            f"whole videos of at most {LONGEST} frames, each at least as long as a clip",
        )
    videos = [_moving(scenes, number, frames) for number in range(scenes.count // frames)]

    def image(picture: Picture) -> Image:
        number = int(picture.video.rsplit("_", 1)[1])
        return drawn(scenes.rng(number, 1), scenes.size, [one.at(picture.frame) for one in videos[number]])

    pictures = []
    for number, shapes in enumerate(videos):
        video = f"{split}_{number:05d}"
        for frame in range(frames):
            annotation = scenes.labelled(one.at(frame) for one in shapes)
            id = f"{video}/{frame:04d}"
            pictures.append(Picture(id, Path(f"{id}.png"), *scenes.size, annotation, video, frame))
    return DataSet(name, split, scenes.names, tuple(pictures), image, on_disk=False, steps=steps)


def _moving(scenes: Scenes, number: int, frames: int) -> list[Moving]:
    """Shapes whose ways never lay one over much of another."""
    rng, (few, many) = scenes.rng(number, 0), scenes.objects
    wanted = int(rng.integers(few, many + 1))
    moving: list[Moving] = []
    for _ in range(TRIES):
        if len(moving) == wanted:
            break
        found = candidate(rng, scenes.size, scenes.names)
        velocity = _velocity(rng, min(scenes.size) / 224)
        if found is not None:
            one = Moving(*found, _way(found[1], velocity, scenes.size, frames))
            if all(_most_covered(one.boxes(), other.boxes()) < COVERED for other in moving):
                moving.append(one)
    return moving


def _velocity(rng: np.random.Generator, scale: float) -> NDArray[np.float64]:
    """Pixels a frame to the right and down."""
    still, speed, angle = rng.random() < STILL, rng.uniform(*SPEED) * scale, rng.uniform(0, 2 * np.pi)
    return np.zeros(2) if still else np.array([np.cos(angle), np.sin(angle)]) * speed


def _way(outline: Polygon, velocity: NDArray[np.float64], size: tuple[int, int], frames: int) -> NDArray[np.float64]:
    """Straight on between the picture's sides, there and back: a position that leaves is folded in again."""
    low = -0.49 - outline.min(axis=0)
    room = np.maximum(np.array(size) - 0.51 - outline.max(axis=0) - low, 0)  # a pixel's centre is a whole number
    gone = np.arange(frames)[:, None] * velocity - np.minimum(low, 0)
    turned = np.mod(gone, np.maximum(2 * room, 1e-9))
    return np.asarray(np.minimum(turned, 2 * room - turned) + np.minimum(low, 0), np.float64)


def _most_covered(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The largest share over all frames of the smaller of two boxes [frames, 4] that lies in the other."""
    inner = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None).prod(axis=1)
    smaller = np.minimum((a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1))
    return float((inner / smaller).max())
