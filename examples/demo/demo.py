"""The whole way in a few minutes: pictures made by code, a spec checked, a net trained for the chip, its files, its detections.

    make demo                    or: python examples/demo/demo.py [--out FOLDER]

Each step is the command that a user would type; the demo only prints it and runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from detrt.data.synthetic import write_voc
from detrt.page import write_run_page

HERE = Path(__file__).resolve().parent
SPEC = Path(os.path.relpath(HERE / "shapes.det"))
SPLITS = {"train": 480, "val": 60, "test": 60}
SIDE = 112
SHOWN = 10


def main() -> int:
    """Runs all steps; 0 if each of them did, else the status of the one that did not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), help="where everything goes (default: build/demo)"
    )
    out: Path = parser.parse_args().out
    started = time.monotonic()
    project, artifacts, detections = out / "project", out / "project" / "artifacts", out / "detections"

    say("1  A small detection set, made by code", f"{sum(SPLITS.values())} pictures of discs, squares and triangles")
    write_voc(out / "pictures", SPLITS, seed=7, options={"size": [SIDE, SIDE], "objects": [1, 3]})
    unseen = ten_unseen(out)

    say("2  Does the detector fit the chip? Asked before training")
    detc("check", SPEC, "--target", "gti5801")

    say("3  Training through all stages: float, 3 and 8 bit weights, 5 bit activations, the chip's own arithmetic")
    shutil.rmtree(project / "runs" / "demo", ignore_errors=True)
    detc("train", SPEC, "--target", "gti5801", "--build", project, "--data-root", out, "--name", "demo")

    say("4  The chip's files")
    detc("export", project, "--name", "demo")

    say("5  What the chip will compute, bit for bit, on pictures it has not seen")
    detc("run", artifacts, unseen, "-o", detections)
    figures = out / "artifact.json"
    detc("eval", artifacts, "--build", project, "--data-root", out, "-o", figures)

    report = json.loads((project / "report.json").read_text(encoding="utf-8"))
    page = write_run_page(
        project / "runs" / "demo",
        out / "index.html",
        title="Shapes on a GTI 5801",
        facts=facts(report["metrics"]),
        rows=[("artifact", artifact_row(figures))],
        pictures=[(path, path.stem) for path in sorted(detections.glob("*.png"))],
        about=f"The demo of detc: from text to the chip's files in {(time.monotonic() - started) / 60:.1f} minutes.",
    )
    say("Done", f"in {(time.monotonic() - started) / 60:.1f} minutes")
    for name, path in {
        "page with figures and curves": page,
        "constraint report": project / "report.html",
        "training code": project / "model.py",
        "the chip's files": artifacts,
        "annotated pictures": detections,
    }.items():
        print(f"  {name:30} {path}")
    return 0


def ten_unseen(out: Path) -> Path:
    """A folder with the first pictures of the test split, which no stage was trained on or chosen by."""
    folder = out / "unseen"
    folder.mkdir(parents=True, exist_ok=True)
    names = (out / "pictures" / "ImageSets" / "Main" / "test.txt").read_text().split()[:SHOWN]
    for name in names:
        shutil.copyfile(out / "pictures" / "JPEGImages" / f"{name}.png", folder / f"{name}.png")
    return folder


def facts(metrics: Mapping[str, int]) -> dict[str, str]:
    """The figures at the head of the page."""
    return {
        "parameters": f"{metrics['params']:,}",
        "multiplications a picture": f"{metrics['macs'] / 1e6:.1f} M",
        "of 7 major layers": f"{metrics['major_layers']}",
        "weights on the chip": f"{metrics['weight_bytes'] / 1024:.0f} KiB",
    }


def artifact_row(path: Path) -> dict[str, float]:
    """The artifact's figures as `detc eval` wrote them."""
    figures: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return figures


def detc(*words: str | Path) -> None:
    """Prints the command and runs it; ends the demo with its status if it fails."""
    line = [str(word) for word in words]
    print(f"\n$ detc {' '.join(line)}\n", flush=True)
    status = subprocess.run([sys.executable, "-m", "detc", *line]).returncode
    if status:
        raise SystemExit(status)


def say(title: str, detail: str = "") -> None:
    print(f"\n== {title}" + (f": {detail}" if detail else ""), flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
