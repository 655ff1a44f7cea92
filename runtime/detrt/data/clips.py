"""Clips: runs of consecutive frames of one video, for nets that see pictures in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detrt.data.sample import Annotation, DataSet
from detrt.errors import DetrtError

Run = tuple[int, ...]
"""Indices of the pictures of one video that follow each other without a gap."""


@dataclass(frozen=True, slots=True)
class Clip:
    """`indices` of the set's pictures in time, all of `video`.

    `counted` says of each whether it is scored here: not where the clip before has it too, nor where the last frame of a
    short video is held.
    """

    video: str
    indices: tuple[int, ...]
    counted: tuple[bool, ...]

    @classmethod
    def of(cls, dataset: DataSet, indices: Sequence[int], counted: Sequence[bool] | None = None) -> Clip:
        every = (True,) * len(indices)
        return cls(dataset.pictures[indices[0]].video, tuple(indices), every if counted is None else tuple(counted))


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A clip that has been read: `images` uint8 [steps, height, width, 3] BGR, one `annotations` a step in pixels."""

    clip: Clip
    images: NDArray[np.uint8]
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """How nets that see pictures in time are fed for `steps`: the frames of the `count` clips of an epoch, or without
    `clips` each of `count` pictures for all steps. `told`: what is not used, for the user.
    """

    steps: int
    count: int
    clips: Callable[[int], Sequence[Clip]] | None = None
    told: str = ""


def drawn_time(dataset: DataSet, steps: int, seed: int) -> Time:
    """For training: see `drawn_clips`. Raises DetrtError where no video is long enough."""
    if not has_videos(dataset):
        return Time(steps, len(dataset))
    runs = long_runs(dataset, steps)

    @lru_cache(maxsize=2)
    def clips(epoch: int) -> tuple[Clip, ...]:
        return drawn_clips(dataset, runs, steps, seed, epoch)

    short = len(runs_of(dataset)) - len(runs)
    what = f"{short} video{'s' * (short > 1)} of {dataset.name}.{dataset.split}, or parts between missing frames"
    told = f"{what}, have fewer than {steps} frames and are not learned from" if short else ""
    return Time(steps, len(clips(0)), clips, told)


def covering_time(dataset: DataSet, steps: int) -> Time:
    """For scoring: every picture is counted once; see `covering_clips`."""
    if not has_videos(dataset):
        return Time(steps, len(dataset))
    clips = covering_clips(dataset, steps)
    return Time(steps, len(clips), lambda epoch: clips)


def has_videos(dataset: DataSet) -> bool:
    """Whether its pictures are frames of videos."""
    return any(picture.video for picture in dataset)


def runs_of(dataset: DataSet) -> tuple[Run, ...]:
    """The set's videos, parted where a frame is missing, be it that the label check left it out.

    Raises DetrtError where the set has no videos, or the frames of one differ in size.
    """
    place = f"data.{dataset.name}.{dataset.split}"
    if not has_videos(dataset):
        raise DetrtError("the set has no videos, so there are no clips of it", place)
    runs: list[list[int]] = []
    for index, picture in enumerate(dataset):
        before = dataset.pictures[index - 1] if index else None
        if before is None or picture.video != before.video or picture.frame != before.frame + dataset.every:
            runs.append([index])
            continue
        if (picture.width, picture.height) != (before.width, before.height):
            sizes = f"{before.width}x{before.height} and {picture.width}x{picture.height}"
            raise DetrtError(f"the frames of the video {picture.video} differ in size: {sizes}", place)
        runs[-1].append(index)
    return tuple(tuple(run) for run in runs)


def clips_of(dataset: DataSet, steps: int | None = None, stride: int | None = None) -> tuple[Clip, ...]:
    """All clips of `steps` frames, `stride` frames apart (default: `steps`, so that no frame is used twice).

    What is left of a video at its end is not used. Raises DetrtError where the set has no videos, or none is long enough.
    """
    steps = steps if steps is not None else dataset.steps or 0
    runs = long_runs(dataset, steps)
    if stride is not None and stride < 1:
        raise DetrtError(f"clips {stride} frames apart cannot be made", f"data.{dataset.name}.{dataset.split}")
    return tuple(
        Clip.of(dataset, run[start : start + steps])
        for run in runs
        for start in range(0, len(run) - steps + 1, stride or steps)
    )


def long_runs(dataset: DataSet, steps: int) -> tuple[Run, ...]:
    """The videos with at least `steps` frames. Raises DetrtError where there is none."""
    place = f"data.{dataset.name}.{dataset.split}"
    runs = runs_of(dataset)
    if steps < 1:
        raise DetrtError(f"clips of {steps} frames cannot be made", place)
    kept = tuple(run for run in runs if len(run) >= steps)
    if not kept:
        longest = max(len(run) for run in runs)
        raise DetrtError(f"no video has {steps} consecutive frames; the longest has {longest}", place, "lower `steps`")
    return kept


def drawn_clips(dataset: DataSet, runs: Sequence[Run], steps: int, seed: int, epoch: int) -> tuple[Clip, ...]:
    """As many clips as fit into each of `runs` without sharing a frame. Where frames are left over, (seed, epoch, number of
    the run) decides at which frame the first clip begins: over the epochs every frame has its turn.
    """
    clips = []
    for number, run in enumerate(runs):
        left = len(run) % steps
        first = int(np.random.default_rng([seed, epoch, number, 2]).integers(left + 1)) if left else 0
        clips += [Clip.of(dataset, run[at : at + steps]) for at in range(first, len(run) - steps + 1, steps)]
    return tuple(clips)


def covering_clips(dataset: DataSet, steps: int) -> tuple[Clip, ...]:
    """Clips of `steps` frames in which every picture of the set is counted once, in order. The last one of a video begins
    early enough to be whole; a video that is shorter is held at its last frame.
    """
    clips = []
    for run in runs_of(dataset):
        for at in range(0, len(run), steps):
            first = max(0, min(at, len(run) - steps))
            own = run[first : first + steps]
            held = steps - len(own)
            counted = (index >= run[at] for index in own)
            clips.append(Clip.of(dataset, [*own, *own[-1:] * held], [*counted, *[False] * held]))
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
