"""YOLO-KP from COCO to half of its channels on BDD100K, in time.

python examples/bdd-loihi2/run.py --data /folder/that/holds/coco_and_bdd100k
python examples/bdd-loihi2/run.py --shapes      a narrow net on drawn shapes, long enough to learn
python examples/bdd-loihi2/run.py --smoke
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402
from table import markdown, rows_of  # noqa: E402

from detrt.data.opening import open_dataset  # noqa: E402
from detrt.files import write_png  # noqa: E402

SPEC = HERE / "bdd.det"
TARGET = "kapoho_point"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A run on drawn shapes: pictures and videos of a split, sides in pixels, frames of a clip, and how long each stage takes."""

    pictures: dict[str, int]
    videos: dict[str, int]
    side: int
    steps: int
    width: int
    epochs: tuple[int, int, int]
    rate: float

    def sets(self) -> list[str]:
        """What the spec says for the real data, changed for these."""
        classes = json.dumps(list(smoke.SHAPES))
        stages = zip(("pretrain__dense", "wide__classes", "half__tune"), self.epochs, strict=True)
        trained = {}
        for stage, epochs in stages:
            trained |= {f"train__{stage}__epochs": epochs, f"train__{stage}__lr": self.rate}
            trained |= {f"train__{stage}__schedule": "cosine(0.01)"}
        return smoke.sets(
            width=self.width,
            image=self.side,
            things=len(smoke.SHAPES),
            data__coco__classes=classes,
            data__coco__train='"train"',
            data__coco__val='"val"',
            data__road__classes=classes,
            data__road__steps=self.steps,
            **trained,
        )


SMOKE = Drawn({"train": 16, "val": 8}, {"train": 4, "val": 2}, 64, 4, 4, (2, 1, 1), 1e-4)
SHAPES = Drawn({"train": 600, "val": 100}, {"train": 60, "val": 20}, 96, 8, 8, (30, 10, 20), 1e-3)


def main() -> int:
    found = smoke.options(__doc__ or "", "bdd-loihi2", shapes="a narrow net on drawn shapes: what does each step cost?")
    changes: list[str] = []
    data: Path = found.data
    drawn = SMOKE if found.smoke else SHAPES if found.shapes else None
    if drawn is not None:
        data = smoke.fresh(found.out)
        smoke.shapes_as_coco(data / "coco", drawn.side, drawn.pictures)
        shapes_as_tracks(data / "bdd100k", drawn)
        changes = drawn.sets()
    build = found.out / "project"
    smoke.detc("check", SPEC, "--target", TARGET, *changes)
    past = ["--past-gate"] if found.smoke else []  # a net that has learned nothing sends more than it should
    where = ("--target", TARGET, "--build", build, "--data-root", data, "--name", "run")
    smoke.detc("train", SPEC, *where, *past, *changes)
    text = markdown(rows_of(build))
    (found.out / "table.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")
    return 0


def shapes_as_tracks(folder: Path, drawn: Drawn) -> None:
    """Videos of moving shapes in the layout of BDD100K's tracking set."""
    data = {"format": "synthetic", "classes": list(smoke.SHAPES)}
    for split, videos in drawn.videos.items():
        where = {split: {"images": 2 * drawn.steps * videos, "seed": 7}}
        options = {"size": [drawn.side, drawn.side], "objects": [1, 2], "steps": drawn.steps, "frames": 2 * drawn.steps}
        pictures = open_dataset({**data, **where, "options": options}, split, folder)
        frames: dict[str, list[dict[str, object]]] = {}
        for picture in pictures:
            name = f"{picture.video}-{picture.frame + 1:07}.png"
            write_png(folder / "images" / "track" / split / picture.video / name, pictures.read_image(picture))
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
