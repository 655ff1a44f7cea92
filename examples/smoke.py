"""What the smoke runs of the examples share: tiny data sets made by code, and the commands that a user would type."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import cv2

from detrt.data.opening import open_dataset
from detrt.data.synthetic import write_voc
from detrt.files import write_png

SHAPES = ("disc", "square", "triangle")
SPLITS = {"train": 16, "val": 8, "test": 8}


def options(about: str, name: str, **flags: str) -> argparse.Namespace:
    """`--smoke`, `--out` and `--data` of an example, and `flags` of its own with what they do."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument(
        "--smoke", action="store_true", help="a narrow net on a few pictures made by code: does it run?"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the data sets (default: data)")
    parser.add_argument("--out", type=Path, default=Path("build") / name, help=f"default: build/{name}")
    for flag, what in flags.items():
        parser.add_argument(f"--{flag}", action="store_true", help=what)
    return parser.parse_args()


def fresh(out: Path) -> Path:
    """The folder of the smoke run's data; what an earlier smoke run left is gone."""
    for left in (out / "data", out / "project" / "runs" / "run"):
        shutil.rmtree(left, ignore_errors=True)
    return out / "data"


def detc(*words: str | Path) -> None:
    """Prints the command and runs it; ends with its status if it fails."""
    line = [str(word) for word in words]
    print(f"\n$ detc {' '.join(line)}\n", flush=True)
    status = subprocess.run([sys.executable, "-m", "detc", *line]).returncode
    if status:
        raise SystemExit(status)


def sets(**values: object) -> list[str]:
    """`--set` options; `__` in a name stands for a dot."""
    return [part for name, value in values.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]


def shapes_as_voc(folder: Path, side: int, splits: dict[str, int] = SPLITS) -> None:
    """A Pascal VOC folder of shapes."""
    write_voc(folder, splits, seed=3, options={"size": [side, side], "objects": [1, 3]})


def shapes_as_coco(folder: Path, side: int, splits: dict[str, int] = SPLITS) -> None:
    """The same as COCO json: train2017, val2017, annotations."""
    voc = folder.parent / f"{folder.name}-voc"
    shapes_as_voc(voc, side, splits)
    classes = ",".join(SHAPES)
    detc("data", "convert", "--format", "voc", "--root", voc, "--classes", classes, "--to", "coco", "-o", folder)


def shapes_as_folders(folder: Path, side: int) -> None:
    """Pictures of one shape each in a folder of its class, as ImageNet has them."""
    data = {"format": "synthetic", "classes": list(SHAPES)}
    for split, count in (("train", 24), ("val", 9)):
        where = {split: {"images": count, "seed": 5}, "options": {"size": [side, side], "objects": [1, 1]}}
        for picture in (found := open_dataset({**data, **where}, split, folder)):
            label = int(picture.annotation.labels[0])
            write_png(folder / split / SHAPES[label] / f"{picture.id}.png", found.read_image(picture))


def pictures_of(folder: Path, out: Path, count: int = 2) -> Path:
    """A folder with the first pictures of another, to detect on."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))[:count]:
        cv2.imwrite(str(out / f"{path.stem}.png"), cv2.imread(str(path)))
    return out
