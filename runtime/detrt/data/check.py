"""The label check before the first epoch: every picture is opened, every box looked at; what is wrong is left out or
clipped, and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.data.class_folders import whole_picture
from detrt.data.notice import Kind, Notice
from detrt.data.root import printable
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError

SLACK = 1.0
"""Pixels by which a box may reach outside without a notice; it is clipped all the same. Label files round."""


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the check found in one split. `per_class` counts the usable boxes of each class."""

    name: str
    split: str
    pictures: int
    boxes: int
    per_class: dict[str, int]
    notices: tuple[Notice, ...]

    def lines(self) -> list[str]:
        """A table for the terminal: one line a kind of finding with how often, what was done and one example."""
        head = f"{self.name}.{self.split}: {self.pictures} pictures, {self.boxes} boxes"
        counts = ", ".join(f"{name} {count}" for name, count in list(self.per_class.items())[:12])
        more = f", and {len(self.per_class) - 12} more classes" if len(self.per_class) > 12 else ""
        lines = [f"{head} ({counts}{more})" if counts else head]
        groups: dict[tuple[str, str], list[Notice]] = {}
        for notice in self.notices:
            groups.setdefault((notice.kind, notice.action), []).append(notice)
        for (kind, action), found in sorted(groups.items(), key=lambda item: -len(item[1])):
            example = f"{found[0].where}: {found[0].detail}" if found[0].where else found[0].detail
            lines.append(f"  {len(found):>6}  {kind:<20} {action:<22} such as {printable(example)}")
        return lines


def check_labels(
    dataset: DataSet, workers: int = 2, tick: Callable[[int], None] | None = None
) -> tuple[DataSet, LabelReport]:
    """The set as it can be used, and the report. `tick` is called with the count of pictures done.

    Left out: missing and broken pictures, degenerate boxes, boxes outside. Clipped: boxes that are partly outside.
    Pictures without boxes stay. Raises DetrtError if no picture, or, in a set with classes, no box is left.
    """
    cv2.setNumThreads(1)
    pictures: list[Picture] = []
    notices = list(dataset.notices)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, (picture, found) in enumerate(pool.map(lambda p: _checked(p, dataset), dataset.pictures), 1):
            notices += found
            if picture is not None:
                pictures.append(picture)
            if tick is not None:
                tick(done)
    usable = replace(dataset, pictures=tuple(pictures), notices=tuple(notices))
    count: Counter[int] = Counter()
    for picture in pictures:
        count.update(picture.annotation.labels.tolist())
    per_class = {name: count[number] for number, name in enumerate(dataset.classes)}
    if dataset.classes and dataset.labelled and sum(count.values()):
        kind: Kind = "class without picture" if dataset.whole else "class without box"
        notices += [Notice(kind, "", f"`{name}`", "kept the class") for name, n in per_class.items() if not n]
    report = LabelReport(dataset.name, dataset.split, len(pictures), sum(count.values()), per_class, tuple(notices))
    _require_something(usable, report)
    return usable, report


def _require_something(dataset: DataSet, report: LabelReport) -> None:
    place = f"data.{dataset.name}.{dataset.split}"
    if not report.pictures:
        raise DetrtError(
            "\n".join(["no picture of the set can be used", *report.lines()]), place, "is `root` the right folder?"
        )
    if dataset.classes and dataset.labelled and not report.boxes:
        names = sorted({notice.detail for notice in report.notices if notice.kind == "unknown class"})
        remedy = (
            f"the label files name {', '.join(names[:8])}: list these as classes" if names else "check the label files"
        )
        raise DetrtError("\n".join(["no box of the set can be used", *report.lines()]), place, remedy)


def _checked(picture: Picture, dataset: DataSet) -> tuple[Picture | None, list[Notice]]:
    if dataset.on_disk and not picture.path.is_file():
        return None, [Notice("missing image", picture.id, f"no file {picture.path.name}", "left out the picture")]
    try:
        height, width = dataset.read_image(picture).shape[:2] if dataset.on_disk else (picture.height, picture.width)
    except DetrtError as error:
        return None, [Notice("broken image", picture.id, error.message, "left out the picture")]
    notices = []
    if picture.width and picture.height and (picture.width, picture.height) != (width, height):
        stated = f"{picture.width}x{picture.height} in the label file, {width}x{height} in the picture"
        notices.append(Notice("wrong size", picture.id, stated, "used the picture's"))
    if dataset.whole:
        annotation = whole_picture(width, height, int(picture.annotation.labels[0]))
        return replace(picture, width=width, height=height, annotation=annotation), notices
    annotation, found = _checked_boxes(picture.id, picture.annotation, width, height)
    return replace(picture, width=width, height=height, annotation=annotation), notices + found


def _checked_boxes(id: str, annotation: Annotation, width: int, height: int) -> tuple[Annotation, list[Notice]]:
    if not len(annotation):
        return annotation, []
    boxes, size = annotation.boxes, np.array([width, height, width, height], np.float32)
    clipped = np.clip(boxes, 0, size)
    degenerate = _any((boxes[:, 2:] - boxes[:, :2]) <= 0)
    outside = ~degenerate & _any((clipped[:, 2:] - clipped[:, :2]) <= 0)
    partly = ~degenerate & ~outside & _any(np.abs(boxes - clipped) > SLACK)
    kinds: tuple[tuple[Kind, NDArray[np.bool_], str], ...] = (
        ("degenerate box", degenerate, "left out the box"),
        ("box outside", outside, "left out the box"),
        ("box partly outside", partly, "clipped the box"),
    )
    notices = [
        Notice(kind, id, _shown(boxes[i], width, height), action)
        for kind, which, action in kinds
        for i in np.flatnonzero(which)
    ]
    rows = np.column_stack([boxes, annotation.labels])
    repeated = len(rows) - len(np.unique(rows, axis=0))
    if repeated:
        notices.append(Notice("repeated box", id, f"{repeated} boxes stand there twice", "kept the boxes"))
    return annotation.moved(clipped).take(np.flatnonzero(~(degenerate | outside))), notices


def _any(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(np.any(rows, axis=1), bool)


def _shown(box: NDArray[np.float32], width: int, height: int) -> str:
    return f"{', '.join(f'{value:g}' for value in box)} in a picture of {width}x{height}"
