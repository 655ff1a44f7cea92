"""What int8 costs: two nets of the library, narrow, trained on drawn shapes and calibrated.

python examples/int8-shapes/run.py             both nets, in build/int8-shapes
python examples/int8-shapes/run.py --smoke     the same on a few pictures: does it run?
python examples/int8-shapes/run.py --record    and keeps result.json and checkpoints in recorded/ (then: examples/figures.py)
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402

from detrt.data.synthetic import write_voc  # noqa: E402

SIDE = 160
PICTURES = {"train": 600, "val": 120, "test": 240}
SHARED = {
    "classes": 3,
    "data__coco__classes": '["disc", "square", "triangle"]',
    "data__coco__train": '"train"',
    "data__coco__val": '"val"',
    "data__coco__test": '"test"',
    "train__steps__optimizer": "adamw(lr = 2e-3, weight_decay = 1e-4)",
    "train__steps__augment": "[flip(), hsv(0.8 .. 1.2)]",
    "train__steps__ema": 0.99,
    "train__steps__validate_every": "4 epochs",
    "train__steps__detect__schedule": "cosine(warmup = 1 epochs)",
}
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "st_yolo_lc_v1": (
        "stm32h747i_disco",
        {
            "width": 0.5,
            "image": 128,
            "train__steps__loss__target": "darknet",
            "train__steps__batch": 16,
            "train__steps__augment": "[flip(), hsv(0.8 .. 1.2), scale(0.6 .. 2.0)]",  # drawn shapes are small for its anchors
            "train__steps__detect__epochs": 50,
        },
    ),
    "ssdlite_mobilenetv2": (
        "stm32n6570_dk",
        {"width": 0.25, "tail": 0.25, "train__steps__batch": 8, "train__steps__detect__epochs": 12},
    ),
}
"""By spec of the library: the board, and what differs from its own recipe."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a few pictures and one epoch")
    parser.add_argument("--record", action="store_true", help="keep result.json and checkpoints in recorded/")
    parser.add_argument("--only", choices=NETS, help="this net alone")
    parser.add_argument("--out", type=Path, default=Path("build/int8-shapes"), help="default: build/int8-shapes")
    found = parser.parse_args()
    draw(found.out, smoke.SPLITS if found.smoke else PICTURES)
    for name in [found.only] if found.only else NETS:
        build = found.out / name
        train(name, found.out, build, found.smoke)
        if found.record:
            record(build / "runs" / "run", HERE / "recorded" / name)
    return 0


def draw(out: Path, counts: Mapping[str, int]) -> None:
    """The pictures, in `out`/data/coco, where the library's specs look for them; a picture depends on its split and number."""
    data = smoke.fresh(out)
    write_voc(data / "voc", counts, seed=7, options={"size": [SIDE, SIDE], "objects": [1, 3]})
    classes = ",".join(smoke.SHAPES)
    smoke.detc(
        "data", "convert", "--format", "voc", "--root", data / "voc", "--classes", classes, "--to", "coco",
        "--set", "test=test", "-o", data / "coco",
    )  # fmt: skip


def spec(name: str, **changes: Any) -> list[str]:
    """The words that name a net of `NETS` to detc: spec, target, and all that is set."""
    board, own = NETS[name]
    return [name, "--target", board, *smoke.sets(**{**SHARED, **own, **changes})]


def train(name: str, root: Path, build: Path, short: bool) -> None:
    """Trains, calibrates and exports one net, then scores what was exported on the test split."""
    less = {"train__steps__batch": 4, "train__steps__detect__epochs": 1, "train__steps__validate_every": "1 epochs"}
    shutil.rmtree(build / "runs" / "run", ignore_errors=True)
    smoke.detc("train", *spec(name, **(less if short else {})), "--build", build, "--data-root", root, "--name", "run")
    smoke.detc("export", build, "--name", "run")
    smoke.detc("eval", build / "artifacts", "--build", build, "--data-root", root, "-o", build / "artifact.json")


def record(run: Path, where: Path) -> None:
    """Copies what a recorded run is made of: its result.json and the best checkpoint of each net, float and int8."""
    for part in ("result.json", "detect/best.safetensors", "int8/best.safetensors"):
        (where / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / part, where / part)


if __name__ == "__main__":
    raise SystemExit(main())
