"""BDD100K in the Scalabel form: frames with `name` and `labels`, each label a `category` and a `box2d`.

Boxes are x1 y1 x2 y2 in pixels with fractions and are taken as they stand, as lava-dl does (lava-nc/lava-dl@2e6180c,
object_detection/dataset/bdd100k.py); the data's own toolkit adds 1 to both sides (scalabel/scalabel@01834bf,
label/transforms.py). Labels without a box (lanes, drivable areas) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detrt.data.classes import nearest
from detrt.data.notice import Notice
from detrt.data.numbers import all_finite, side
from detrt.data.picture import read_image
from detrt.data.root import beneath, printable, read_label_json, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scan import files_below
from detrt.errors import DetrtError

SIZE = (1280, 720)
"""Width and height of every picture of the set, for label files that do not state it."""


def open_bdd100k(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """The detection set: one json file `where["annotations"]` for all pictures of the folder `where["images"]`.

    Without `classes` all categories with boxes are classes, by name. Raises DetrtError where the file is none of
    BDD100K.
    """
    folder = require_beneath(root, str(where["images"]), "the picture folder")
    path = require_beneath(root, str(where["annotations"]), "the annotation file")
    frames = _frames(read_label_json(path, "annotation file"), path)
    notices: list[Notice] = []
    names = _classes([(path, frames)], classes, notices)
    pictures = [picture for frame in frames if (picture := _picture(frame, folder, "", 0, names, notices)) is not None]
    return _set(name, split, names, pictures, notices, path, None)


def open_bdd100k_track(
    name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None, steps: int
) -> DataSet:
    """The tracking set: a json file a video in the folder `where["annotations"]`, its frames in `where["images"]/VIDEO`.

    The pictures are all frames, video by video in the order of their names; `detrt.data.clips` makes clips of them.
    """
    images = require_beneath(root, str(where["images"]), "the picture folder")
    labels = require_beneath(root, str(where["annotations"]), "the folder of label files")
    files, notices = files_below(labels, root, (".json",), deepest=0)
    if not files:
        raise DetrtError("there is no label file of a video", labels, "one VIDEO.json for each video belongs there")
    videos = []
    for file in files:
        try:
            videos.append((file, _frames(read_label_json(file, "label file"), file)))
        except DetrtError as error:
            notices.append(Notice("broken label file", file.name, error.message, "left out the video"))
    names = _classes(videos, classes, notices)
    pictures = []
    for file, frames in videos:
        folder = beneath(images, file.stem)
        if folder is None:
            notices.append(Notice("broken name", file.name, "leaves the data folder", "left out the video"))
            continue
        own = [_picture(frame, folder, file.stem, at, names, notices) for at, frame in enumerate(frames)]
        pictures += sorted((p for p in own if p is not None), key=lambda picture: picture.frame)
    return _set(name, split, names, pictures, notices, labels, steps)


def _set(
    name: str,
    split: str,
    classes: tuple[str, ...],
    pictures: list[Picture],
    notices: list[Notice],
    path: Path,
    steps: int | None,
) -> DataSet:
    seen: set[str] = set()
    single = []
    for picture in pictures:
        if picture.id in seen:
            notices.append(Notice("repeated picture", picture.id, "listed twice", "left out the repetition"))
        else:
            single.append(picture)
        seen.add(picture.id)
    if not single:
        raise DetrtError("the label files list no picture", path)
    return DataSet(name, split, classes, tuple(single), read_image, tuple(notices), steps=steps)


def _frames(content: Any, path: Path) -> list[dict[str, Any]]:
    """The list of frames; newer tools write it below the key `frames`."""
    rows = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DetrtError("the file is no list of frames", path, "a BDD100K file is a list of {name, labels, ..}")
    return rows


def _classes(
    videos: list[tuple[Path, list[dict[str, Any]]]], classes: Sequence[str] | None, notices: list[Notice]
) -> tuple[str, ...]:
    """The classes as they are asked for, else all categories by name; a notice for each category that is not among them."""
    known = {printable(label.get("category")) for _, frames in videos for frame in frames for label in _boxed(frame)}
    if classes is None:
        return tuple(sorted(known))
    if known and not known & set(classes):
        hint = f"categories: {', '.join(sorted(known)[:12])}"
        raise DetrtError(f"none of the classes is in the label files, such as `{classes[0]}`", videos[0][0], hint)
    notices += [
        Notice("unknown class", "", f"`{name}`{nearest(name, classes)}", "left out its boxes")
        for name in sorted(known - set(classes))
    ]
    return tuple(classes)


def _boxed(frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
    labels = frame.get("labels")
    for label in labels if isinstance(labels, list) else ():
        if isinstance(label, dict) and label.get("box2d") is not None:
            yield label


def _picture(
    frame: dict[str, Any], folder: Path, video: str, at: int, classes: tuple[str, ...], notices: list[Notice]
) -> Picture | None:
    file = frame.get("name")
    path = beneath(folder, file) if isinstance(file, str) else None
    if path is None or not isinstance(file, str):
        detail = f"{f'name {file!r}'[:100]} is no file under the picture folder"
        notices.append(Notice("broken label file", printable(video or folder.name), detail, "left out the picture"))
        return None
    stem = printable(file.rpartition(".")[0] or file)
    id = f"{video}/{stem}" if video else stem
    boxes, labels, crowd = [], [], []
    for label in _boxed(frame):
        name = printable(label.get("category"))
        if name not in classes:
            continue
        corners = label["box2d"]
        box = (
            all_finite([corners.get(key) for key in ("x1", "y1", "x2", "y2")], 4) if isinstance(corners, dict) else None
        )
        if box is None:
            notices.append(Notice("degenerate box", id, f"box2d {corners!r}"[:80], "left out the box"))
            continue
        attributes = label.get("attributes")
        boxes.append(box)
        labels.append(classes.index(name))
        crowd.append(isinstance(attributes, dict) and attributes.get("crowd") is True)
    size = frame.get("size") if isinstance(frame.get("size"), dict) else {}
    stated = side(size.get("width")), side(size.get("height"))  # type: ignore[union-attr]
    width, height = stated if all(stated) else SIZE
    number = frame.get("frameIndex")
    index = number if isinstance(number, int) and 0 <= number < 2**31 else at
    return Picture(id, path, width, height, Annotation.of(boxes, labels, crowd), video, index)
