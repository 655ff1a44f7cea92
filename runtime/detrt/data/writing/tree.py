"""A data set written whole or not at all: into a folder of another name beside, which is renamed at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2

from detrt.data.picture import SUFFIXES
from detrt.data.sample import DataSet, Picture
from detrt.data.writing.coco import write_coco
from detrt.data.writing.entry import Entry
from detrt.data.writing.gnetdet import write_gnetdet
from detrt.data.writing.voc import write_voc
from detrt.data.writing.yolo import write_yolo
from detrt.errors import DetrtError

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Form:
    """How a format is written. `images` is where the pictures of a split go; `write` writes all label files; `keeps` are
    the flags of a box that the format has a place for; `train` is how a data block names a split, `more` its other keys.
    """

    images: str
    write: Callable[[Path, Mapping[str, list[Entry]], tuple[str, ...]], None]
    keeps: tuple[str, ...]
    train: str
    more: str


FORMS = {
    "voc": Form("JPEGImages", write_voc, ("difficult",), "{split}", "classes = [..]"),
    "coco": Form(
        "{split}", write_coco, ("difficult", "crowd"), "{split}", 'annotations = "annotations/instances_{split}.json"'
    ),
    "yolo": Form("images/{split}", write_yolo, (), "images/{split}", 'names = "data.yaml"'),
    "gnetdet": Form("JPEGImages", write_gnetdet, (), "{split}.txt", 'images = "JPEGImages", names = "classes.txt"'),
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written; `lost` are flags that the format has no place for, with how many boxes had them."""

    pictures: int
    boxes: int
    lost: dict[str, int]


def write_set(
    folder: Path,
    splits: Mapping[str, DataSet],
    form: str,
    pictures: str = "copy",
    tick: Tick = lambda done, total: None,
) -> Written:
    """Writes `splits` (all of the same classes) as `form` into the new folder `folder`.

    `pictures`: `copy`, `link` (hard links, copies where the disk differs) or `none`. Pictures that are no files of their
    own (frames, synthetic ones) are written as PNG. Raises DetrtError if the folder is there and not empty, or the disk
    refuses; nothing is left behind then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DetrtError("the folder is there and not empty", folder, "name a new one")
    classes = next(iter(splits.values())).classes
    odd = next((name for name in classes if not name.strip() or any(ord(c) < 32 for c in name)), None)
    if odd is not None:
        raise DetrtError(f"the class {odd!r} cannot be written to a text file", folder)
    form_of, names = FORMS[form], _Names()
    entries = {split: [Entry(names.file(p), p) for p in dataset] for split, dataset in splits.items()}
    total, done = sum(map(len, entries.values())), 0
    temporary = ""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:40]}.")
        os.chmod(temporary, 0o755)
        form_of.write(Path(temporary), entries, classes)
        for split, listed in entries.items():
            target = Path(temporary) / form_of.images.format(split=split)
            if pictures != "none":
                target.mkdir(parents=True, exist_ok=True)
            for entry in listed:
                if pictures != "none":
                    _place(entry.picture, splits[split], target / entry.file, pictures == "link")
                done += 1
                tick(done, total)
        if folder.exists():
            folder.rmdir()
        os.replace(temporary, folder)
    except OSError as error:
        raise DetrtError(f"cannot write the data set: {error.strerror or error}", folder) from error
    finally:
        if temporary and Path(temporary).exists():
            shutil.rmtree(temporary, ignore_errors=True)
    annotations = [entry.picture.annotation for listed in entries.values() for entry in listed]
    lost = {flag: sum(int(getattr(a, flag).sum()) for a in annotations) for flag in ("difficult", "crowd")}
    lost = {flag: count for flag, count in lost.items() if count and flag not in form_of.keeps}
    return Written(total, sum(map(len, annotations)), lost)


class _Names:
    """File names of the new set: those of the old one without folders and blanks, each once whatever its case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def file(self, picture: Picture) -> str:
        own = picture.path.suffix.lower() in SUFFIXES and not picture.video
        suffix = picture.path.suffix if own or picture.path.suffix.lower() in SUFFIXES else ".png"
        for name in (picture.path.stem if own else picture.id.replace("/", "_"), picture.id.replace("/", "_")):
            clean = "_".join(name.split()) or "picture"
            if clean.lower() not in self._taken:
                break
        number, free = 2, clean
        while free.lower() in self._taken:
            free, number = f"{clean}_{number}", number + 1
        self._taken.add(free.lower())
        return free + suffix


def _place(picture: Picture, dataset: DataSet, target: Path, link: bool) -> None:
    if dataset.on_disk and picture.path.suffix.lower() in SUFFIXES:
        if link:
            try:
                os.link(picture.path, target)
                return
            except OSError:  # another disk, or one without links
                pass
        shutil.copyfile(picture.path, target)
        return
    encoded, data = cv2.imencode(".png", dataset.read_image(picture))
    if not encoded:
        raise DetrtError("cannot encode the picture", picture.path)
    target.write_bytes(data.tobytes())
