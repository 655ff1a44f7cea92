"""YOLO-KP from COCO to half of its channels on BDD100K, in time.

python examples/bdd-loihi2/run.py --data /folder/that/holds/coco_and_bdd100k
python examples/bdd-loihi2/run.py --smoke
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402
from table import table_of  # noqa: E402

from detrt.data.opening import open_dataset  # noqa: E402
from detrt.files import write_png  # noqa: E402

SPEC = HERE / "bdd.det"
TARGET = "kapoho_point"


def main() -> int:
    found = smoke.options(__doc__ or "", "bdd-loihi2")
    changes: list[str] = []
    data: Path = found.data
    if found.smoke:
        data = smoke.fresh(found.out)
        smoke.shapes_as_coco(data / "coco", 64)
        shapes_as_tracks(data / "bdd100k", 64)
        classes = json.dumps(list(smoke.SHAPES))
        changes = smoke.sets(
            width=4,
            image=64,
            things=len(smoke.SHAPES),
            data__coco__classes=classes,
            data__coco__train='"train"',
            data__coco__val='"val"',
            data__road__classes=classes,
            data__road__steps=4,
            train__pretrain__dense__epochs=2,
            train__pretrain__dense__schedule="constant()",
            train__wide__classes__epochs=1,
            train__wide__classes__schedule="constant()",
            train__half__tune__epochs=1,
            train__half__tune__schedule="constant()",
            train__half__tune__regularize__events__weight=0.1,
        )
    build = found.out / "project"
    smoke.detc("check", SPEC, "--target", TARGET, *changes)
    past = ["--past-gate"] if found.smoke else []  # a net that has learned nothing sends more than it should
    where = ("--target", TARGET, "--build", build, "--data-root", data, "--name", "run")
    smoke.detc("train", SPEC, *where, *past, *changes)
    text = table_of(build)
    (found.out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def shapes_as_tracks(folder: Path, side: int) -> None:
    """Videos of moving shapes in the layout of BDD100K's tracking set."""
    data = {"format": "synthetic", "classes": list(smoke.SHAPES)}
    for split, videos in (("train", 4), ("val", 2)):
        where = {split: {"images": 8 * videos, "seed": 7}}
        options = {"size": [side, side], "objects": [1, 2], "steps": 4, "frames": 8}
        drawn = open_dataset({**data, **where, "options": options}, split, folder)
        frames: dict[str, list[dict[str, object]]] = {}
        for picture in drawn:
            name = f"{picture.video}-{picture.frame + 1:07}.png"
            write_png(folder / "images" / "track" / split / picture.video / name, drawn.read_image(picture))
            boxes = picture.annotation.boxes.tolist()
            labels = [
                {"category": smoke.SHAPES[label], "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
                for label, box in zip(picture.annotation.labels, boxes, strict=True)
            ]
            frames.setdefault(picture.video, []).append({"name": name, "frameIndex": picture.frame, "labels": labels})
        labels_folder = folder / "labels" / "box_track_20" / split
        labels_folder.mkdir(parents=True, exist_ok=True)
        for video, rows in frames.items():
            (labels_folder / f"{video}.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
