"""What a frame costs an artifact of a chip that computes with events: by layer, on a picture that moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detc.commands.outcome import OK, refuse, warn_of

FILES = "*.net"


def holds_nets(folder: Path) -> bool:
    return (folder / "MANIFEST.json").is_file() and any(folder.glob(FILES))


def run(folder: Path, frames: int, out: Path | None) -> int:
    """`detc benchmark ARTIFACTS`."""
    from detc.commands.writing import write_whole

    figures = measured(folder, frames)
    if isinstance(figures, str):
        return refuse(figures)
    if out is not None:
        write_whole(out, json.dumps({"schema": 1, "events": figures}, indent=2) + "\n")
        print(f"wrote {out}")
    return OK


def measured(folder: Path, frames: int) -> dict[str, Any] | str:
    """All figures as plain values; a sentence where nothing could be measured. Prints them."""
    from detc.commands.waiting import busy
    from detrt.devices.loihi2.artifacts import load_artifacts
    from detrt.devices.loihi2.measuring import BLOCK, SHIFT, measure
    from detrt.errors import DetrtError

    if frames < 1:
        return f"--runs {frames}: at least 1 frame is needed"
    try:
        with busy(f"running {folder}"):
            model = load_artifacts(folder)
            cost = measure(model, frames)
    except DetrtError as error:
        return str(error)
    print(f"{model.name}, means of {frames} frames: squares of {BLOCK} pixels that move by {SHIFT} pixels a frame")
    print("\n".join(f"  {line}" for line in cost.lines()))
    print(f"simulator: {cost.milliseconds:.1f} ms a frame; the chip: {model.latency} steps until a frame is through")
    print("`detc eval` and `detc run` tell the events of your own pictures")
    warn_of(model)
    return {"name": model.name, "latency_steps": model.latency, **cost.as_dict()}
