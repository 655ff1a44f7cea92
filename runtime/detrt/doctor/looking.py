"""Checks by eye and by counting: the first batch as the net sees it, and the boxes that have a place in its target."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detrt.data.augment import Recipe
from detrt.data.loader import augmented, normalised
from detrt.data.order import shuffled_batches
from detrt.doctor.patient import Patient
from detrt.doctor.report import Check, Verdict
from detrt.draw import contact_sheet, draw_truth
from detrt.files import write_png

SHOWN = 16


def first_batch(patient: Patient, folder: Path) -> Check:
    """A contact sheet of the first batch after augmentation and encoding, with its boxes."""
    recipe, dataset, encoding = Recipe.of(patient.augment), patient.dataset, patient.encoding
    chosen = shuffled_batches(len(dataset), patient.batch, patient.seed, 0)[0][:SHOWN]
    images, boxes = [], 0
    for index in chosen:
        image, annotation, _ = augmented(dataset, int(index), encoding, recipe, patient.seed, 0)
        seen = encoding.shown(encoding.bytes_of(image))
        images.append(draw_truth(seen, annotation.boxes, annotation.labels, dataset.classes))
        boxes += len(annotation)
    write_png(folder / "first-batch.png", contact_sheet(images))
    text = f"{len(images)} pictures as the net gets them, {boxes} boxes"
    return Check("first batch", "good" if boxes else "bad", text, files=("first-batch.png",), figures={"boxes": boxes})


def matches(patient: Patient, folder: Path) -> Check:
    """How many boxes of each class the head's target can hold."""
    classes = patient.dataset.classes
    asked, held = np.zeros(len(classes), np.int64), np.zeros(len(classes), np.int64)
    for picture in patient.dataset:
        annotation = picture.annotation
        asked += np.bincount(annotation.labels, minlength=len(classes))
        shares = normalised(annotation, picture.width, picture.height)
        placed = patient.encoding.placed(shares, picture.width, picture.height)
        held += patient.head.matches(placed, annotation.labels)
    width = max([5, *(len(name) for name in classes)])
    lines = [f"{'class':<{width}}  boxes  in the target"]
    lines += [
        f"{name:<{width}}  {a:>5}  {h:>5}  {h / a:7.1%}" if a else f"{name:<{width}}  {a:>5}"
        for name, a, h in zip(classes, asked.tolist(), held.tolist(), strict=True)
    ]
    share = held.sum() / max(1, asked.sum())
    empty = [name for name, count in zip(classes, held.tolist(), strict=True) if not count]
    text = f"{held.sum()} of {asked.sum()} boxes ({share:.1%}) have a cell of their own"
    if empty:
        text += f"; none of {', '.join(empty)}"
    verdict: Verdict = "bad" if not held.sum() else "look" if empty or share < 0.95 else "good"
    return Check("targets", verdict, text, tuple(lines), figures={"asked": int(asked.sum()), "held": int(held.sum())})
