"""Moving shapes on Loihi 2: at rest, in time, on the chip's integers, and with a penalty on events.

python examples/video-loihi2/run.py             trains, exports, scores, runs over a video; all in build/video-loihi2
python examples/video-loihi2/run.py --smoke     the same with a narrow net on a few clips: does it run?
python examples/video-loihi2/run.py --record    writes recorded/ and the table of the README from what the run left
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402

from detrt.data.opening import open_dataset  # noqa: E402
from detrt.files import write_json, write_png  # noqa: E402
from detrt.video_out import VideoOut  # noqa: E402

SPEC = HERE / "moving.det"
STAGES = ("dense", "events", "sparse")
DEPLOYED = "events"
"""The stage whose weights go to the chip."""
SHOWN = (3, 60, 119)
"""Frames of the video that the README shows."""
SHORT = smoke.sets(
    width=4,
    image=64,
    data__shapes__train="64 images",
    data__shapes__val="16 images",
    data__shapes__test="16 images",
    data__shapes__size="[64, 64]",
    train__steps__dense__epochs=1,
    train__steps__events__epochs=1,
    train__steps__sparse__epochs=1,
)
"""`--set` options of the smoke run."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a narrow net on a few clips, one epoch a stage")
    parser.add_argument("--record", action="store_true", help="write recorded/ and the README's table; trains nothing")
    parser.add_argument("--out", type=Path, default=Path("build/video-loihi2"), help="default: build/video-loihi2")
    found = parser.parse_args()
    build = found.out / "project"
    if not found.record:
        if found.smoke:
            shutil.rmtree(build / "runs", ignore_errors=True)
        changes = [*SHORT, "--past-gate"] if found.smoke else []
        smoke.detc("train", SPEC, "--build", build, "--name", "run", *changes)
    score_and_run(found.out, build, frames=24 if found.smoke else 120)
    if found.record:
        record(found.out, build)
    return 0


def score_and_run(out: Path, build: Path, frames: int) -> None:
    """Exports a stage, scores the artifacts on the test videos, and runs them over one that goes on for longer."""
    smoke.detc("export", build, "--name", "run", "--stage", DEPLOYED)
    smoke.detc("eval", build / "artifacts", "-o", out / "artifact.json")
    write_video(out / "moving.mp4", frames)
    smoke.detc("run", build / "artifacts", out / "moving.mp4", "-o", out / "detections")


def write_video(path: Path, frames: int) -> None:
    """A video of shapes that no stage has seen, 25 frames a second."""
    options = {"size": [128, 128], "objects": [3, 4], "frames": frames}
    data = {"format": "synthetic", "test": {"images": frames, "seed": 9}, "options": options}
    dataset, video = open_dataset(data, "test", path.parent), VideoOut(path.parent, path.stem, 25.0)
    for index in range(frames):
        video.write(dataset.load(index).image)
    video.close()


# ---- the record -----------------------------------------------------------------------------------------------------


def record(out: Path, build: Path) -> None:
    """Keeps result, checkpoints, figures and pictures of a run beside the README, and writes its table anew."""
    kept, run = HERE / "recorded", build / "runs" / "run"
    shutil.rmtree(kept, ignore_errors=True)
    for name in STAGES:
        (kept / name).mkdir(parents=True)
        shutil.copy(run / name / "best.safetensors", kept / name)
    shutil.copy(run / "result.json", kept)
    write_json(kept / "video.json", read(out / "detections" / "events.json"))
    write_json(
        kept / "artifact.json", {key: read(out / "artifact.json")[key] for key in ("split", "figures", "events")}
    )
    shutil.copy(build / "artifacts" / "cores.txt", kept)
    write_png(kept / "frames.png", strip(out / "detections" / "moving.mp4"))
    chart = cv2.imread(str(out / "detections" / "events.png"))
    write_png(kept / "events.png", np.asarray(cv2.resize(chart, (960, 540), interpolation=cv2.INTER_AREA), np.uint8))
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition("<!-- figures -->")
    after = rest.partition("<!-- end -->")[2]
    readme.write_text(f"{before}<!-- figures -->\n{table()}\n<!-- end -->{after}", encoding="utf-8")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def strip(video: Path) -> np.ndarray:
    """A few annotated frames below each other, with the events beside them."""
    reader, number, rows = cv2.VideoCapture(str(video)), 0, []
    while True:
        good, frame = reader.read()
        if not good:
            break
        if number in SHOWN:
            height, width = frame.shape[:2]
            rows.append(cv2.resize(frame, (448, round(448 * height / width)), interpolation=cv2.INTER_AREA))
        number += 1
    reader.release()
    return np.concatenate(rows)


def table() -> str:
    """The recorded figures as Markdown: each stage, the artifact, and events against a dense net's activations."""
    kept = HERE / "recorded"
    result, artifact, video = read(kept / "result.json"), read(kept / "artifact.json"), read(kept / "video.json")
    stages = {stage["name"]: stage for stage in result["stages"]}
    dense = artifact["events"]["dense_activations"]
    lines = ["| net | mAP@0.5 | mAP | values sent a frame | of a dense net's | minutes |", "|---" * 6 + "|"]
    events = artifact["events"]["events_per_frame"]
    for name in STAGES:
        final, minutes = stages[name]["final"], stages[name]["seconds"] / 60
        lines.append(row(f"`{name}`", final, final.get("events", dense), dense, f"{minutes:.0f}"))
        if name == DEPLOYED:
            lines.append(row("its artifact, in whole numbers", artifact["figures"], events, dense, ""))
    lasting = video["events_per_frame"]
    lines += [
        "",
        f"In a video of {video['frames']} frames the artifact sends {lasting:,.0f} events a frame,"
        f" {lasting / video['dense_activations']:.1%} of a dense net's {video['dense_activations']:,} activations.",
    ]
    return "\n".join(lines)


def row(name: str, figures: dict[str, float], events: float, dense: int, minutes: str) -> str:
    cells = [
        name,
        f"{figures['map50']:.3f}",
        f"{figures['map']:.3f}",
        f"{events:,.0f}",
        f"{events / dense:.1%}",
        minutes,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
