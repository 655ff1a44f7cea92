"""Pascal VOC: one xml file a picture, lists of pictures in ImageSets/Main.

Coordinates of VOC are 1-based and inclusive: a box over the whole picture is (1, 1, width, height). Here it becomes (0,
0, width, height).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from detrt.data.classes import nearest
from detrt.data.notice import Kind, Notice
from detrt.data.picture import SUFFIXES, read_image
from detrt.data.root import beneath, read_label_text, require_beneath
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError


def open_voc(name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None) -> DataSet:
    """The split `where["split"]` of a VOC folder; boxes marked difficult keep that flag.

    A picture whose label file is missing or malformed is left out with a notice. Raises DetrtError if the list
    itself cannot be read.
    """
    ids = _listed(root, str(where["split"]))
    reader = _Reader(root, list(classes) if classes is not None else None)
    pictures = []
    for id in ids:
        picture = reader.picture(id)
        if picture is not None:
            pictures.append(picture)
    if reader.classes is None:
        pictures, names = reader.number_found(pictures)
    else:
        names = tuple(reader.classes)
    return DataSet(name, split, names, tuple(pictures), read_image, tuple(reader.notices))


def _listed(root: Path, split: str) -> list[str]:
    path = require_beneath(root, f"ImageSets/Main/{split}.txt", "the split")
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.txt")) if path.parent.is_dir() else []
        hint = (
            f"splits found: {', '.join(known[:12])}"
            if known
            else "a VOC folder has ImageSets/Main, Annotations and JPEGImages"
        )
        raise DetrtError(f"there is no split `{split}`{nearest(split, known)}", path, hint)
    lines = read_label_text(path, "list of pictures").splitlines()
    ids = [line.split()[0] for line in lines if line.split()]
    if not ids:
        raise DetrtError(f"the split `{split}` lists no picture", path)
    return list(dict.fromkeys(ids))


@dataclass
class _Reader:
    root: Path
    classes: list[str] | None
    notices: list[Notice] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def picture(self, id: str) -> Picture | None:
        path = beneath(self.root, f"Annotations/{id}.xml")
        if path is None:
            return self._refused("broken label file", id, "its name leaves the data folder")
        if not path.is_file():
            return self._refused("missing label file", id, f"no {path.name}")
        try:
            tree = ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError, OSError) as error:
            return self._refused("broken label file", id, f"{type(error).__name__}: {str(error)[:80]}")
        image = self._image_path(id, tree)
        if image is None:
            return self._refused("broken label file", id, "its picture's name leaves the data folder")
        width, height = (_whole(tree.find(f"size/{side}")) for side in ("width", "height"))
        return Picture(id, image, width, height, self._annotation(id, tree))

    def _image_path(self, id: str, tree: Element) -> Path | None:
        names = [f"{id}{suffix}" for suffix in (".jpg", ".png", ".jpeg", ".JPG")]
        stated = (tree.findtext("filename") or "").strip()
        if stated.lower().endswith(SUFFIXES):
            names.append(stated)
        paths = [beneath(self.root, f"JPEGImages/{name}") for name in names]
        inside = [path for path in paths if path is not None]
        return next((path for path in inside if path.is_file()), inside[0] if inside else None)

    def _annotation(self, id: str, tree: Element) -> Annotation:
        boxes, labels, difficult = [], [], []
        for number, item in enumerate(tree.iter("object"), 1):
            label = self._label(id, (item.findtext("name") or "").strip())
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
            difficult.append(_whole(item.find("difficult")) == 1)
        return Annotation.of(boxes, labels, None, difficult)

    def _label(self, id: str, name: str) -> int | None:
        if self.classes is None:
            if name not in self.found:
                self.found.append(name)
            return self.found.index(name)
        if name in self.classes:
            return self.classes.index(name)
        self.notices.append(
            Notice("unknown class", id, f"`{name[:60]}`{nearest(name, self.classes)}", "left out the box")
        )
        return None

    def number_found(self, pictures: list[Picture]) -> tuple[list[Picture], tuple[str, ...]]:
        """Without a list of classes they are numbered by name, so that their order does not depend on the split."""
        names = tuple(sorted(self.found))
        numbers = {self.found.index(name): number for number, name in enumerate(names)}
        renumbered = []
        for p in pictures:
            old = p.annotation
            labels = [numbers[int(label)] for label in old.labels]
            new = Annotation.of(old.boxes.tolist(), labels, old.crowd.tolist(), old.difficult.tolist())
            renumbered.append(Picture(p.id, p.path, p.width, p.height, new))
        return renumbered, names

    def _refused(self, kind: Kind, id: str, detail: str) -> Picture | None:
        self.notices.append(Notice(kind, id, detail, "left out the picture"))
        return None


def _corners(item: Element) -> tuple[float, float, float, float] | None:
    try:
        values = [float(item.findtext(f"bndbox/{key}") or "") for key in ("xmin", "ymin", "xmax", "ymax")]
    except ValueError:
        return None
    return (values[0], values[1], values[2], values[3]) if all(isfinite(v) for v in values) else None


def _whole(element: Element | None) -> int:
    try:
        return max(0, min(int(float((element.text or "") if element is not None else "")), 2**31))
    except (ValueError, OverflowError):
        return 0
