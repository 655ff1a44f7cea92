"""A contact sheet of what a stage's loader feeds: the tensors themselves turned back into pictures, and their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from detrt.data.encode import Encoding
from detrt.data.loader import Batch
from detrt.data.sample import Image
from detrt.draw import contact_sheet, draw_truth
from detrt.errors import DetrtError
from detrt.files import write_png
from detrt.lock import Lock, Stage
from detrt.train.in_time import frame_by_frame
from detrt.train.tasks import task_of


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is on it."""

    stage: str
    pictures: int
    boxes: int


def write_sheet(
    lock: Lock, data: str, base: Path, out: Path, *, split: str, stage: str | None, images: int, epoch: int
) -> Sheet:
    """Writes the first `images` pictures of an epoch of `stage` (default: the first on `data`) as a PNG.

    Raises DetrtError where there is no such stage or split, or nothing can be read.
    """
    chosen = _stage(lock, data, stage)
    task = task_of(lock, chosen.model, data, [base], torch.device("cpu"))
    if not task.has_split(split):
        raise DetrtError(f"the data set `{data}` has no split `{split}`", f"data.{data}")
    task.check_labels(lambda line: None)
    if split == "train":
        loader = task.train_loader(chosen, seed=chosen.seed or 0, rank=0, world=1, workers=0)
    else:
        loader = task.plain_loader(split, batch=chosen.batch, rank=0, world=1, workers=0, steps=chosen.time_steps)
    loader.set_epoch(epoch)
    shown: list[Image] = []
    boxes = 0
    for batch in loader:
        pictures = frame_by_frame(batch.inputs, batch)
        for index in range(min(len(batch.ids), images - len(shown))):
            shown.append(_drawn(batch, index, pictures[index], task.encoding, task.classes))
            boxes += len(batch.boxes[index])
        if len(shown) >= images:
            break
    write_png(out, contact_sheet([_of_size(image, shown[0]) for image in shown]))
    return Sheet(chosen.id, len(shown), boxes)


def _stage(lock: Lock, data: str, name: str | None) -> Stage:
    stages = [stage for stage in lock.stages if stage.data == data and stage.kind == "train"]
    found = [stage for stage in stages if name in (None, stage.name, stage.id)]
    if not found:
        known = ", ".join(stage.id for stage in stages)
        raise DetrtError(
            f"no stage {f'`{name}` ' if name else ''}learns from the data set `{data}`",
            "train",
            f"known: {known}" if known else "",
        )
    return found[0]


def _of_size(image: Image, other: Image) -> Image:
    """As large as `other`: a stage may change its input's size from batch to batch."""
    height, width = other.shape[:2]
    return image if image.shape == other.shape else np.asarray(cv2.resize(image, (width, height)), np.uint8)


def _drawn(batch: Batch, index: int, data: torch.Tensor, encoding: Encoding, classes: object) -> Image:
    image = encoding.shown(_bytes(data, encoding))
    height, width = image.shape[:2]
    boxes = batch.boxes[index].numpy() * np.array([width, height, width, height], np.float32)
    names = classes if isinstance(classes, list | tuple) else ()
    return draw_truth(image, boxes, batch.labels[index].numpy(), names)


def _bytes(tensor: torch.Tensor, encoding: Encoding) -> Image:
    """uint8 [height, width, channels] as before `Encoding.tensor`, which this undoes."""
    floats = tensor.detach().float().permute(1, 2, 0).numpy()
    if encoding.kind == "affine":
        mean, std = np.asarray(encoding.mean, np.float32), np.asarray(encoding.std, np.float32)
        floats = (floats * std + mean - encoding.offset) * encoding.scale
    return np.asarray(np.clip(np.rint(floats), 0, 255), np.uint8)
