"""Class folders as ImageNet has them: `train/CLASS/picture`. The label of a picture is the folder it lies in.

ILSVRC 2012 names its folders by WordNet ids (n01440764 ..): sorted by name they have the usual numbers 0 to 999.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detrt.data.classes import nearest
from detrt.data.header import picture_size
from detrt.data.notice import Notice
from detrt.data.picture import read_image
from detrt.data.root import printable, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scan import files_below, ids_of, is_text
from detrt.errors import DetrtError


def open_class_folders(
    name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None
) -> DataSet:
    """The split in `where["folder"]`; each picture has one box over all of it. Without `classes` all folders are
    classes, numbered by name; folders that are no class are passed over with one notice each.

    Raises DetrtError if the folder is not there, a class has no folder in it, or none holds a picture.
    """
    folder = require_beneath(root, str(where["folder"]), "the folder of classes")
    if not folder.is_dir():
        raise DetrtError(
            f"there is no folder `{where['folder']}`", folder, f"it holds a folder for each class of {split}"
        )
    there = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    notices = [
        Notice("broken name", printable(n), "the folder's name is not UTF-8", "left out the folder")
        for n in there
        if not is_text(n)
    ]
    there = [n for n in there if is_text(n)]
    names = tuple(classes if classes is not None else there)
    for wanted in names:
        if wanted not in there:
            hint = f"folders: {', '.join(there[:12])}" if there else "it holds no folder"
            raise DetrtError(f"no folder `{wanted}`{nearest(wanted, there)}", folder, hint)
    notices += [
        Notice("unknown class", n, f"`{n}`{nearest(n, names)}", "left out the folder") for n in there if n not in names
    ]
    files: list[Path] = []
    labels: list[int] = []
    for number, label in enumerate(names):
        require_beneath(root, f"{where['folder']}/{label}", "the folder of a class")
        found, more = files_below(folder / label, root)
        notices += more
        files += found
        labels += [number] * len(found)
    if not files:
        raise DetrtError("no folder of a class holds a picture", folder, "the layout is FOLDER/CLASS/PICTURE.JPEG")
    ids = ids_of(files, folder)
    pictures = tuple(_picture(id, path, label) for id, path, label in zip(ids, files, labels, strict=True))
    return DataSet(name, split, names, pictures, read_image, tuple(notices), whole=True)


def _picture(id: str, path: Path, label: int) -> Picture:
    try:
        width, height = picture_size(path)
    except DetrtError:  # the label check tells of it, and sets the box of a picture that it can read after all
        width, height = 0, 0
    return Picture(id, path, width, height, whole_picture(width, height, label))


def whole_picture(width: int, height: int, label: int) -> Annotation:
    """One box of this label over a picture of this size."""
    return Annotation.of([(0, 0, width, height)], [label])
