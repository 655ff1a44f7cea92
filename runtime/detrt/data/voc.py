"""Pascal VOC: one xml file a picture, lists of pictures in ImageSets/Main.

Coordinates of VOC are 1-based and inclusive: a box over the whole picture is (1, 1, width, height). Here it becomes (0,
0, width, height).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from detrt.data.classes import nearest
from detrt.data.notice import Kind, Notice
from detrt.data.numbers import all_finite, side
from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import beneath, printable, read_label_text, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.data.scan import files_below
from detrt.errors import DetrtError

XML_LIMIT = 2**24
"""Bytes of a label file above which it is refused: no picture has so many boxes."""


def open_voc(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """The lists `where["split"]` of a VOC folder, one name or several; boxes marked difficult keep that flag.

    `trainval` is the list ImageSets/Main/trainval.txt; `VOC2012/trainval` that of the folder VOC2012, so that several
    years make one set. Null stands for all label files. `where["images"]` and `where["annotations"]` name other folders
    than JPEGImages and Annotations. A picture whose label file is missing or malformed is left out with a notice.
    Raises DetrtError if a list itself cannot be read.
    """
    images, labels = str(where.get("images") or "JPEGImages"), str(where.get("annotations") or "Annotations")
    lists = where["split"] if isinstance(where["split"], list) else [where["split"]]
    reader = _Reader(root, list(classes) if classes is not None else None)
    pictures = []
    for entry in lists:
        year, listed = ("", None) if entry is None else _parted(str(entry))
        folder = Folder(year, images, labels)
        ids = _found(root, folder) if listed is None else reader.once(folder, _listed(root, year, listed))
        pictures += [picture for id in ids if (picture := reader.picture(folder, id)) is not None]
    if reader.classes is None:
        pictures, names = reader.number_found(pictures)
    else:
        names = tuple(reader.classes)
    return DataSet(name, split, names, tuple(pictures), read_image, tuple(reader.notices))


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the pictures and labels of one list are, under the root; `year` is empty or a folder such as VOC2012."""

    year: str
    images: str
    labels: str

    def image(self, name: str) -> str:
        return "/".join(part for part in (self.year, self.images, name) if part)

    def label(self, id: str) -> str:
        return "/".join(part for part in (self.year, self.labels, f"{id}.xml") if part)

    def id(self, id: str) -> str:
        """The name of a picture in the whole set."""
        return f"{self.year}/{id}" if self.year else id


def _parted(entry: str) -> tuple[str, str]:
    """`VOC2012/trainval` as (VOC2012, trainval)."""
    year, _, listed = entry.rpartition("/")
    return year, listed


def _found(root: Path, folder: Folder) -> list[str]:
    """The names of all label files, for a set without lists."""
    path = require_beneath(root, folder.labels, "the folder of label files")
    files, _ = files_below(path, root, (".xml",))
    if not files:
        raise DetrtError("there is no label file in the folder", path, 'name a list: train = "trainval"')
    return [file.relative_to(path).with_suffix("").as_posix() for file in files]


def _listed(root: Path, year: str, listed: str) -> list[str]:
    folder = f"{year}/ImageSets/Main" if year else "ImageSets/Main"
    path = require_beneath(root, f"{folder}/{listed}.txt", "the split")
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.txt")) if path.parent.is_dir() else []
        hint = (
            f"splits found: {', '.join(printable(name) for name in known[:12])}"
            if known
            else "a VOC folder has ImageSets/Main, Annotations and JPEGImages"
        )
        raise DetrtError(f"there is no split `{listed}`{nearest(listed, known)}", path, hint)
    lines = read_label_text(path, "list of pictures").splitlines()
    ids = [line.split()[0] for line in lines if line.split()]
    if not ids:
        raise DetrtError(f"the split `{listed}` lists no picture", path)
    return ids


@dataclass
class _Reader:
    root: Path
    classes: list[str] | None
    notices: list[Notice] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def once(self, folder: Folder, ids: list[str]) -> list[str]:
        """Those that no list has named before."""
        fresh = []
        for id in ids:
            if folder.id(id) in self.seen:
                self.notices.append(
                    Notice("repeated picture", folder.id(id), "listed twice", "left out the repetition")
                )
            else:
                fresh.append(id)
            self.seen.add(folder.id(id))
        return fresh

    def picture(self, folder: Folder, id: str) -> Picture | None:
        whole = folder.id(id)
        path = beneath(self.root, folder.label(id))
        if path is None:
            return self._refused("broken label file", whole, "its name leaves the data folder")
        if not path.is_file():
            return self._refused("missing label file", whole, f"no {path.name}")
        try:
            if path.stat().st_size > XML_LIMIT:
                return self._refused("broken label file", whole, f"larger than {XML_LIMIT // 2**20} MiB")
            tree = ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
        except DefusedXmlException:
            return self._refused("broken label file", whole, "it declares a DTD or entities, which no label file needs")
        except (ParseError, ValueError, LookupError, OSError) as error:
            return self._refused("broken label file", whole, f"{type(error).__name__}: {str(error)[:80]}")
        image = self._image_path(folder, id, tree)
        if image is None:
            return self._refused("broken label file", whole, "its picture's name leaves the data folder")
        width, height = (side((tree.findtext(f"size/{key}") or "").strip()) for key in ("width", "height"))
        return Picture(whole, image, width, height, self._annotation(whole, tree))

    def _image_path(self, folder: Folder, id: str, tree: Element) -> Path | None:
        names = [f"{id}{suffix}" for suffix in (".jpg", ".png", ".jpeg", ".JPG")]
        stated = (tree.findtext("filename") or "").strip()
        if stated.lower().endswith(SUFFIXES):
            names.append(stated)
        inside = (path for name in names if (path := beneath(self.root, folder.image(name))) is not None)
        first = next(inside, None)
        if first is None or first.is_file():
            return first
        return next((path for path in inside if path.is_file()), first)

    def _annotation(self, id: str, tree: Element) -> Annotation:
        boxes, labels, difficult = [], [], []
        for number, item in enumerate(tree.iter("object"), 1):
            label = self._label(id, printable((item.findtext("name") or "").strip()))
            if label is None:
                continue
            corners = _corners(item)
            if corners is None:
                self.notices.append(
                    Notice("degenerate box", id, f"object {number} has no readable bndbox", "left out the box")
                )
                continue
            x1, y1, x2, y2 = corners
            if x2 <= x1 or y2 <= y1:
                self.notices.append(
                    Notice("degenerate box", id, f"object {number}: {x1:g},{y1:g} to {x2:g},{y2:g}", "left out the box")
                )
                continue
            boxes.append((x1 - 1.0, y1 - 1.0, x2, y2))
            labels.append(label)
            difficult.append(side((item.findtext("difficult") or "").strip()) == 1)
        return Annotation.of(boxes, labels, None, difficult)

    def _label(self, id: str, name: str) -> int | None:
        if self.classes is None and name:
            return self.found.setdefault(name, len(self.found))
        known = self.classes or []
        if name in known:
            return known.index(name)
        self.notices.append(Notice("unknown class", id, f"`{name[:60]}`{nearest(name, known)}", "left out the box"))
        return None

    def number_found(self, pictures: list[Picture]) -> tuple[list[Picture], tuple[str, ...]]:
        """Without a list of classes they are numbered by name, so that their order does not depend on the split."""
        names = tuple(sorted(self.found))
        places = {name: place for place, name in enumerate(names)}
        numbers = np.array([places[name] for name in self.found], np.int64)
        renumbered = [
            replace(p, annotation=replace(p.annotation, labels=numbers[p.annotation.labels]))
            if len(p.annotation)
            else p
            for p in pictures
        ]
        return renumbered, names

    def _refused(self, kind: Kind, id: str, detail: str) -> Picture | None:
        self.notices.append(Notice(kind, id, detail, "left out the picture"))
        return None


def _corners(item: Element) -> tuple[float, ...] | None:
    texts = [(item.findtext(f"bndbox/{key}") or "").strip() for key in ("xmin", "ymin", "xmax", "ymax")]
    return all_finite(texts, 4)
