"""The list of augmentation steps of a stage, done to one picture with one random generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from detrt.data.augment import colour
from detrt.data.augment.geometry import MOVES
from detrt.data.augment.mixing import MIXES, Others
from detrt.data.augment.options import Step
from detrt.data.augment.scene import UNMOVED, Scene
from detrt.data.encode import Encoding
from detrt.data.sample import Annotation, Image, Sample
from detrt.errors import DetrtError

STRONG = ("mosaic", "mixup", "affine")
"""What the last epochs without augmentation do without; flips and colours stay, as in Megvii-BaseDetection/YOLOX@6ddff48."""

OF_ONE_PICTURE = ("mosaic", "mixup", "ssd_crop")
"""What makes no sense in time: it mixes videos, or looks at the boxes of each frame for itself."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in the order of the lock. All that move things share one resampling; blur comes before it, colours
    after it.
    """

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, augment: Sequence[Mapping[str, Any]]) -> Recipe:
        """From a stage's `augment` list. Raises DetrtError for an unknown step, a range out of bounds, or a mosaic
        that is not the first step.
        """
        steps = tuple(Step.of(entry) for entry in augment)
        if any(step.name == "mosaic" for step in steps[1:]):
            raise DetrtError("`mosaic` puts whole pictures together and so has to be the first step", "augment")
        return cls(steps)

    @property
    def mixes(self) -> bool:
        """Whether a step brings in other pictures."""
        return any(step.name in MIXES for step in self.steps)

    def without_strong(self) -> Recipe:
        """The steps of the last epochs of a stage with `no_aug_epochs`."""
        return Recipe(tuple(step for step in self.steps if step.name not in STRONG))

    def for_clips(self) -> Recipe:
        """The steps that do the same to every frame of a clip when they are given the same luck."""
        return Recipe(tuple(step for step in self.steps if step.name not in OF_ONE_PICTURE))

    def __call__(
        self, sample: Sample, encoding: Encoding, rng: Generator, others: Others | None = None
    ) -> tuple[Image, Annotation]:
        """A BGR picture of the encoding's size and its boxes in pixels of it. `others` draws pictures for mosaic and
        mixup. Raises DetrtError if they are asked for and there are none.

        Each step draws its coin whether or not it is needed, so one step's probability does not change the
        others' luck.
        """
        scene = Scene.whole(sample.image, sample.annotation)
        tints = []
        for step in self.steps:
            chosen = rng.random() < step.p
            luck = int(rng.integers(2**63))
            if not chosen and step.name != "photometric":  # whose `p` counts for each of its parts
                continue
            own = np.random.default_rng(luck) if step.values else rng  # a flip draws nothing
            if step.name in colour.TINTS:
                tints.append((step, own))
            elif step.name == "blur":
                scene = scene.with_images(partial(colour.blur, kernel=step.count("kernel")))
            elif step.name in MIXES:
                if others is None:
                    raise DetrtError(f"`{step.name}` needs the other pictures of the set", "augment")
                scene = MIXES[step.name](scene, own, step, encoding, others)
            else:
                scene = MOVES[step.name](scene, own, step)
        image, annotation = _drawn(scene, encoding)
        for step, own in tints:
            image = colour.TINTS[step.name](image, own, step)
        return image, annotation


def _drawn(scene: Scene, encoding: Encoding) -> tuple[Image, Annotation]:
    """The scene at the encoding's size. A whole picture that lies as it is, or mirrored, is resized as validation does
    it, which is also the fastest way.
    """
    fitted = scene.fitted(encoding.width, encoding.height, encoding.resize)
    piece = scene.pieces[0]
    if len(scene.pieces) == 1 and (scene.height, scene.width) == piece.image.shape[:2]:
        if piece.matrix is UNMOVED:
            return encoding.resized(piece.image), fitted.boxes()
        if piece.matrix.tolist() == [[-1.0, 0.0, scene.width], [0.0, 1.0, 0.0]]:
            return _mirrored(piece.image, encoding), fitted.boxes()
    return fitted.draw(encoding.resize), fitted.boxes()


def _mirrored(image: Image, encoding: Encoding) -> Image:
    """The smaller of both is mirrored where that is the same: beside a letterboxed picture an odd pixel has its side."""
    if encoding.resize.mode == "stretch" and encoding.width * encoding.height < image.shape[0] * image.shape[1]:
        return np.asarray(cv2.flip(encoding.resized(image), 1), np.uint8)
    return encoding.resized(np.asarray(cv2.flip(image, 1), np.uint8))
