"""What int8 costs: two nets of the library, narrow, trained on drawn shapes and calibrated.

python examples/int8-shapes/run.py             both nets; figures in build/int8-shapes
python examples/int8-shapes/run.py --smoke     the same on a few pictures: does it run?
python examples/int8-shapes/run.py --record    writes recorded/NAME.json and the table of the README
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402

from detrt.data.synthetic import write_voc  # noqa: E402

SIDE = 160
PICTURES = {"train": 600, "val": 200, "test": 400}
SHARED = {
    "classes": 3,
    "data__coco__classes": '["disc", "square", "triangle"]',
    "data__coco__train": '"train"',
    "data__coco__val": '"val"',
    "data__coco__test": '"test"',
    "train__steps__optimizer": "adamw(lr = 2e-3, weight_decay = 1e-4)",
    "train__steps__augment": "[flip(), hsv(0.8 .. 1.2)]",
    "train__steps__ema": 0.99,
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
            "train__steps__detect__epochs": 40,
        },
    ),
    "ssdlite_mobilenetv2": (
        "stm32n6570_dk",
        {"width": 0.25, "train__steps__batch": 8, "train__steps__detect__epochs": 16},
    ),
}
"""By spec of the library: the board, and what differs from its own recipe."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a few pictures and one epoch")
    parser.add_argument("--record", action="store_true", help="write recorded/ and the README's table")
    parser.add_argument("--only", choices=NETS, help="this net alone")
    parser.add_argument("--out", type=Path, default=Path("build/int8-shapes"), help="default: build/int8-shapes")
    found = parser.parse_args()
    data = smoke.fresh(found.out)  # the library's specs look for data/coco
    counts = smoke.SPLITS if found.smoke else PICTURES
    write_voc(data / "voc", counts, seed=7, options={"size": [SIDE, SIDE], "objects": [1, 3]})
    classes = ",".join(smoke.SHAPES)
    smoke.detc(
        "data", "convert", "--format", "voc", "--root", data / "voc", "--classes", classes, "--to", "coco",
        "--set", "test=test", "-o", data / "coco",
    )  # fmt: skip
    for name in [found.only] if found.only else NETS:
        figures = loss_of(name, found.out, found.out / name, found.smoke)
        if found.record:
            (HERE / "recorded").mkdir(exist_ok=True)
            (HERE / "recorded" / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
    if found.record:
        readme = HERE / "README.md"
        before, _, rest = readme.read_text(encoding="utf-8").partition("<!-- recorded -->")
        after = rest.partition("<!-- end -->")[2]
        readme.write_text(f"{before}<!-- recorded -->\n{table()}\n<!-- end -->{after}", encoding="utf-8")
    return 0


def loss_of(name: str, root: Path, build: Path, short: bool) -> dict[str, Any]:
    """Trains, calibrates, exports and scores one net; its figures on the test split."""
    board, own = NETS[name]
    values = {**SHARED, **own} | ({"train__steps__batch": 4, "train__steps__detect__epochs": 1} if short else {})
    smoke.detc(
        "train", name, "--target", board, "--build", build, "--data-root", root, "--name", "run", *smoke.sets(**values)
    )
    smoke.detc("export", build, "--name", "run")
    smoke.detc("eval", build / "artifacts", "--build", build, "--data-root", root, "-o", build / "artifact.json")
    result = json.loads((build / "runs" / "run" / "result.json").read_text())
    stages = {stage["name"]: stage for stage in result["stages"]}
    return {
        "spec": name,
        "board": board,
        "set": {key.replace("__", "."): value for key, value in values.items()},
        "split": stages["int8"]["final_split"],
        "float": stages["detect"]["final"],
        "int8": stages["int8"]["final"],
        "artifact": json.loads((build / "artifact.json").read_text())["figures"],
        "minutes": round(sum(stage["seconds"] for stage in result["stages"]) / 60, 1),
        "versions": result["versions"],
    }


def table() -> str:
    """The recorded figures as Markdown."""
    lines = ["| net | float mAP@0.5 | int8 | artifact | loss in points | minutes |", "|---" * 6 + "|"]
    for path in sorted((HERE / "recorded").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        exact, whole, device = (found[key]["map50"] for key in ("float", "int8", "artifact"))
        row = [found["spec"], f"{exact:.4f}", f"{whole:.4f}", f"{device:.4f}", f"{100 * (exact - whole):+.2f}"]
        lines.append("| " + " | ".join([*row, f"{found['minutes']:.0f}"]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
