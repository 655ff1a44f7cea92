"""Clips: runs of consecutive frames of one video, for nets that see pictures in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import Annotation, DataSet
from detrt.errors import DetrtError


@dataclass(frozen=True, slots=True)
class Clip:
    """`indices` of the set's pictures in time, all of `video`."""

    video: str
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A clip that has been read: `images` uint8 [steps, height, width, 3] BGR, one `annotations` a step in pixels."""

    clip: Clip
    images: NDArray[np.uint8]
    annotations: tuple[Annotation, ...]


def clips_of(dataset: DataSet, steps: int | None = None, stride: int | None = None) -> tuple[Clip, ...]:
    """All clips of `steps` frames, `stride` frames apart (default: `steps`, so that no frame is used twice).

    A clip never spans a frame that is missing, be it that the label check left it out. What is left of a video at its end
    is not used. Raises DetrtError where the set has no videos, or none is long enough.
    """
    steps = steps if steps is not None else dataset.steps
    place = f"data.{dataset.name}.{dataset.split}"
    if steps is None or not any(picture.video for picture in dataset):
        raise DetrtError("the set has no videos, so there are no clips of it", place)
    if steps < 1 or (stride is not None and stride < 1):
        raise DetrtError(f"clips of {steps} frames, {stride} apart, cannot be made", place)
    runs: list[list[int]] = []
    for index, picture in enumerate(dataset):
        before = dataset.pictures[index - 1] if index else None
        if before is not None and picture.video == before.video and picture.frame == before.frame + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    clips = [
        Clip(dataset.pictures[run[0]].video, tuple(run[start : start + steps]))
        for run in runs
        for start in range(0, len(run) - steps + 1, stride or steps)
    ]
    if not clips:
        longest = max(len(run) for run in runs)
        raise DetrtError(f"no video has {steps} consecutive frames; the longest has {longest}", place, "lower `steps`")
    return tuple(clips)


def load_clip(dataset: DataSet, clip: Clip) -> Frames:
    """Reads the frames of a clip. Raises DetrtError for a frame that cannot be read or has another size."""
    samples = [dataset.load(index) for index in clip.indices]
    odd = next((s for s in samples if s.image.shape != samples[0].image.shape), None)
    if odd is not None:
        sizes = " and ".join(f"{s.image.shape[1]}x{s.image.shape[0]}" for s in (samples[0], odd))
        raise DetrtError(f"the frames of the video differ in size: {sizes}", odd.path)
    return Frames(clip, np.stack([s.image for s in samples]), tuple(s.annotation for s in samples))


def iterate_clips(
    dataset: DataSet, steps: int | None = None, *, stride: int | None = None, seed: int | None = None, epoch: int = 0
) -> Iterator[Frames]:
    """Every clip once, read when its turn comes: in order, or with a `seed` in an order that (seed, epoch) decides."""
    clips = clips_of(dataset, steps, stride)
    order = range(len(clips)) if seed is None else np.random.default_rng([seed, epoch]).permutation(len(clips)).tolist()
    for number in order:
        yield load_clip(dataset, clips[number])
