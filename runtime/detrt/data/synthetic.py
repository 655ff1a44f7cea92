"""A small detection set made by code: coloured shapes on textured ground, for demos and tests. No third-party picture
is needed.

Picture `i` of a split depends on (seed, split, i) alone. Boxes are exact: the shape's outermost pixels.

    python -m detrt.data.synthetic FOLDER --train 240 --val 48 --test 24        writes a VOC folder
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detrt.data.classes import nearest
from detrt.data.sample import Annotation, DataSet, Image, Picture
from detrt.errors import DetrtError

Polygon = NDArray[np.float64]

HUES = {"disc": 105, "square": 20, "triangle": 60, "ring": 150, "cross": 0}
"""Usual hue of each shape (OpenCV degrees / 2); a picture strays from it, so the outline decides."""
CLASSES = ("disc", "square", "triangle")
SIDES = (30, 90)
"""Side of the smallest and largest shape in pixels of a 224 pixel picture."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """What is drawn: shapes by `names`, on pictures of `size` (width, height), `objects` (fewest, most) of them; `count`
    pictures, each from `key` and its number.
    """

    name: str
    split: str
    names: tuple[str, ...]
    count: int
    size: tuple[int, int]
    objects: tuple[int, int]
    key: tuple[int, int]

    @classmethod
    def of(
        cls, name: str, split: str, where: Mapping[str, Any], classes: Sequence[str] | None, options: Mapping[str, Any]
    ) -> Scenes:
        """`where`: `images` (count), `seed`; `options`: `size` [width, height], `objects` [low, high]. Raises DetrtError."""
        names = tuple(classes or CLASSES)
        for shape in names:
            if shape not in HUES:
                raise DetrtError(
                    f"no shape `{shape}`{nearest(shape, HUES)}", f"data.{name}.classes", f"shapes: {', '.join(HUES)}"
                )
        count, seed = int(where.get("images", 200)), int(where.get("seed", 0))
        width, height = (int(v) for v in options.get("size") or (224, 224))
        few, many = (int(v) for v in options.get("objects") or (1, 4))
        if not (
            0 < count <= 1_000_000
            and min(width, height) >= 32
            and max(width, height) <= 4096
            and 0 <= few <= many <= 32
        ):
            raise DetrtError(
                "a synthetic set needs 1 to 1,000,000 pictures of 32 to 4096 pixels with at most 32 objects",
                f"data.{name}",
            )
        return cls(name, split, names, count, (width, height), (few, many), (seed, zlib.crc32(split.encode())))

    def rng(self, number: int, part: int) -> Generator:
        """The luck of picture or video `number`: `part` 0 places, 1 draws, 2 moves."""
        return np.random.default_rng([*self.key, number, part])

    def labelled(self, shapes: Iterable[tuple[str, Polygon]]) -> Annotation:
        """The boxes and classes of shapes."""
        shapes = list(shapes)
        return Annotation.of(
            [extent(outline) for _, outline in shapes], [self.names.index(shape) for shape, _ in shapes]
        )


def open_synthetic(
    name: str, split: str, where: Mapping[str, Any], classes: Sequence[str] | None, options: Mapping[str, Any]
) -> DataSet:
    """A set that exists only while it is read; see `Scenes.of`. Raises DetrtError."""
    scenes = Scenes.of(name, split, where, classes, options)

    def placed(index: int) -> list[tuple[str, Polygon]]:
        return _place(scenes.rng(index, 0), scenes.size, scenes.objects, scenes.names)

    def image(picture: Picture) -> Image:
        index = int(picture.id.rsplit("_", 1)[1])
        return drawn(scenes.rng(index, 1), scenes.size, placed(index))

    ids = [f"{split}_{index:05d}" for index in range(scenes.count)]
    pictures = tuple(
        Picture(id, Path(f"{id}.png"), *scenes.size, scenes.labelled(placed(index))) for index, id in enumerate(ids)
    )
    return DataSet(name, split, scenes.names, pictures, image, on_disk=False)


def write_voc(folder: Path, counts: Mapping[str, int], seed: int = 0, options: Mapping[str, Any] | None = None) -> None:
    """Writes splits of the synthetic set as a VOC folder with PNG pictures; `counts` gives the pictures of each
    split.
    """
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for split, count in counts.items():
        if not count:
            continue
        dataset = open_synthetic("synthetic", split, {"images": count, "seed": seed}, None, options or {})
        for index in range(len(dataset)):
            sample = dataset.load(index)
            cv2.imwrite(str(folder / "JPEGImages" / f"{sample.id}.png"), sample.image)
            (folder / "Annotations" / f"{sample.id}.xml").write_text(_xml(dataset.pictures[index], dataset.classes))
        names = "".join(f"{picture.id}\n" for picture in dataset)
        (folder / "ImageSets/Main" / f"{split}.txt").write_text(names)


def _xml(picture: Picture, classes: Sequence[str]) -> str:
    lines = ["<annotation>", f"  <filename>{picture.path.name}</filename>"]
    lines.append(f"  <size><width>{picture.width}</width><height>{picture.height}</height><depth>3</depth></size>")
    for (x1, y1, x2, y2), label in zip(
        picture.annotation.boxes.tolist(), picture.annotation.labels.tolist(), strict=True
    ):
        corners = f"<xmin>{x1 + 1:.0f}</xmin><ymin>{y1 + 1:.0f}</ymin><xmax>{x2:.0f}</xmax><ymax>{y2:.0f}</ymax>"
        lines.append(
            f"  <object><name>{classes[label]}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>", ""])


# ---- where shapes stand ---------------------------------------------------------------------------------------------------


TRIES = 60
"""Candidates for the places of a picture's shapes."""


def _place(
    rng: Generator, size: tuple[int, int], objects: tuple[int, int], names: Sequence[str]
) -> list[tuple[str, Polygon]]:
    """Shapes that hardly touch: a candidate whose box meets another's by more than a sliver is dropped."""
    placed: list[tuple[str, Polygon]] = []
    wanted = int(rng.integers(objects[0], objects[1] + 1))
    for _ in range(TRIES):
        if len(placed) == wanted:
            break
        found = candidate(rng, size, names)
        if found is not None and all(_overlap(extent(found[1]), extent(other)) < 0.02 for _, other in placed):
            placed.append(found)
    return placed


def candidate(rng: Generator, size: tuple[int, int], names: Sequence[str]) -> tuple[str, Polygon] | None:
    """A shape somewhere in the picture; None if it does not lie inside."""
    shape = names[int(rng.integers(len(names)))]
    side = rng.uniform(*SIDES) * min(size) / 224
    centre = np.array(
        [rng.uniform(side * 0.55, size[0] - side * 0.55), rng.uniform(side * 0.55, size[1] - side * 0.55)]
    )
    outline = OUTLINES[shape](rng) * side / 2 + centre
    box = extent(outline)
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]
    return (shape, outline) if inside else None


def extent(outline: Polygon) -> tuple[float, float, float, float]:
    """Whole pixels that an outline in pixel centres covers."""
    low, high = np.floor(outline.min(axis=0) + 0.5), np.floor(outline.max(axis=0) + 0.5) + 1
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    inner = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return inner / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _round(rng: Generator) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ratio = rng.uniform(0.85, 1.0)
    return _turned(np.stack([np.cos(angle), ratio * np.sin(angle)], axis=1), rng.uniform(0, np.pi))


def _square(rng: Generator) -> Polygon:
    ratio = rng.uniform(0.8, 1.0)
    return _turned(np.array([[-1, -ratio], [1, -ratio], [1, ratio], [-1, ratio]]) * 0.9, rng.uniform(-0.2, 0.2))


def _triangle(rng: Generator) -> Polygon:
    return _turned(np.array([[0, -1.0], [0.95, 0.8], [-0.95, 0.8]]), rng.uniform(-0.25, 0.25))


def _cross(rng: Generator) -> Polygon:
    a = 0.32
    arms = [[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a], [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]]
    return _turned(np.array(arms), rng.uniform(-0.3, 0.3))


def _turned(points: Polygon, angle: float) -> Polygon:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[c, s], [-s, c]]), np.float64)


OUTLINES: dict[str, Callable[[Generator], Polygon]] = {
    "disc": _round,
    "square": _square,
    "triangle": _triangle,
    "ring": _round,
    "cross": _cross,
}
"""A shape's outline in a square from -1 to 1."""


# ---- how they look --------------------------------------------------------------------------------------------------------


def drawn(rng: Generator, size: tuple[int, int], shapes: Sequence[tuple[str, Polygon]]) -> Image:
    """The picture, uint8 BGR. Ground, colours, light and grain come from `rng` alone: with the same one only the outlines
    decide what differs.
    """
    image = _ground(rng, size)
    for shape, outline in shapes:
        colour = _colour(rng, shape)
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        if shape == "ring":
            middle = outline.mean(axis=0)
            cv2.fillPoly(
                mask, [np.round(((outline - middle) * 0.55 + middle) * 16).astype(np.int32)], 0, cv2.LINE_AA, shift=4
            )
        shade = _waves(rng, size, 3)[..., None] * rng.uniform(10, 30)
        alpha = mask[..., None].astype(np.float32) / 255
        image += alpha * (colour + shade - image)
        edge = (colour * rng.uniform(0.45, 0.7)).tolist()
        if shape != "ring":
            cv2.polylines(image, [np.round(outline * 16).astype(np.int32)], True, edge, 1, cv2.LINE_AA, shift=4)
    image += rng.normal(0, rng.uniform(2, 7), image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def _ground(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    base = rng.uniform(90, 200, 3).astype(np.float32) * 0.4 + rng.uniform(60, 190) * 0.6
    coarse, fine = _waves(rng, size, 4)[..., None], _waves(rng, size, 28)[..., None]
    tint = rng.uniform(-1, 1, 3).astype(np.float32)
    ground: NDArray[np.float32] = base + coarse * (25 + 12 * tint) + fine * rng.uniform(6, 18)
    return np.ascontiguousarray(ground, np.float32)


def _waves(rng: Generator, size: tuple[int, int], cells: int) -> NDArray[np.float32]:
    """Smooth noise between about -1 and 1 with `cells` bumps a side."""
    small = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _colour(rng: Generator, shape: str) -> NDArray[np.float32]:
    hue = (HUES[shape] + rng.normal(0, 9)) % 180
    hsv = np.array([[[hue, rng.uniform(120, 230), rng.uniform(110, 245)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0], np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes a VOC folder; the options are those of the module's text."""
    parser = argparse.ArgumentParser(
        prog="python -m detrt.data.synthetic", description="write a synthetic detection set as a VOC folder"
    )
    parser.add_argument("folder", type=Path)
    for split, count in (("train", 240), ("val", 48), ("test", 24)):
        parser.add_argument(
            f"--{split}", type=int, default=count, metavar="N", help=f"pictures of the {split} split (default {count})"
        )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=224, help="side of a picture in pixels")
    given = parser.parse_args(argv)
    counts = {split: getattr(given, split) for split in ("train", "val", "test")}
    try:
        write_voc(given.folder, counts, given.seed, {"size": [given.size, given.size]})
    except (DetrtError, OSError) as error:
        print(f"error: {error}")
        return 1
    print(f"wrote {sum(counts.values())} pictures to {given.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
