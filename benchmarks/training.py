"""Training of gnetdet224 at width 0.25: pictures a second of the engine, beside two plain loops fed from memory.

`engine` is the real thing: pictures from the loader with augmentation, EMA, clipping, curves and checkpoints. `plain` is the
same network, optimiser and number format in the shortest loop, its batches made beforehand; `nchw` is the loop of a first
draft: float32, torch's default memory format. Each runs in processes of its own, in turns, and the best epoch of each counts.

    python benchmarks/training.py [--rounds 2] [--threads N]
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MODES = ("engine", "plain", "nchw")
PICTURES, BATCH, EPOCHS = 32, 16, 3


def build(folder: Path) -> None:
    """Writes the project, and turns its lock to a synthetic set and a short stage."""
    from detc.cli import main as detc

    command = [
        "build",
        "gnetdet224",
        "--target",
        "gti5801",
        "--set",
        "width=0.25",
        "--set",
        "classes=3",
        "--build",
        str(folder),
        "-q",
    ]
    if detc(command):
        raise SystemExit("detc build failed")
    path = folder / "spec.lock.json"
    lock = json.loads(path.read_text())
    lock["model"]["heads"][0]["options"]["names"] = ["disc", "square", "triangle"]
    lock["data"]["pictures"] = {
        "format": "synthetic", "root": ".", "classes": ["disc", "square", "triangle"], "classes_file": None,
        "train": {"images": PICTURES, "seed": 1}, "val": None, "test": None, "options": {"size": [640, 480], "objects": [1, 4]},
    }  # fmt: skip
    stage = lock["stages"][0] | {"epochs": EPOCHS, "batch": BATCH, "amp": "bf16", "ema": 0.99, "clip": 5.0, "gates": []}
    stage |= {
        "optimizer": {"name": "adamw", "lr": 1e-4, "weight_decay": 1e-4, "l2": "optimizer"},
        "schedule": {"name": "constant"},
    }
    lock["stages"] = [stage]
    path.write_text(json.dumps(lock))


class Clocked:
    """A loader that notes CPU and wall time at both ends of each epoch."""

    def __init__(self, loader: Any, marks: list[tuple[float, float]]) -> None:
        self.loader, self.marks = loader, marks

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))
        self.loader.set_epoch(epoch, first_batch)

    def __iter__(self) -> Iterator[Any]:
        yield from self.loader
        self.marks.append((time.process_time(), time.perf_counter()))

    def __len__(self) -> int:
        return len(self.loader)


def engine(folder: Path, model: type[Any]) -> list[tuple[float, float]]:
    from detrt.train.engine import train
    from detrt.train.options import parse_options
    from detrt.train.task import DetectionTask

    marks: list[tuple[float, float]] = []

    class ClockedTask(DetectionTask):
        def train_loader(self, *args: Any, **options: Any) -> Any:
            return Clocked(super().train_loader(*args, **options), marks)

    options = parse_options(["-q", "--track", "csv", "--device", "cpu"])
    train(
        model,
        folder / "spec.lock.json",
        options,
        lambda lock, stage, bases, p: ClockedTask(lock, stage.model, stage.data, bases, p.device),
    )
    return marks


def loop(folder: Path, model: type[Any], plain: bool) -> list[tuple[float, float]]:
    """The shortest loop; with `plain`, in the engine's number and memory formats."""
    import torch

    from detrt.heads import build_head
    from detrt.lock import read_lock
    from detrt.train.precision import autocast_dtype
    from detrt.train.task import DetectionTask

    lock = read_lock(folder / "spec.lock.json")
    stage = lock.stages[0]
    task = DetectionTask(lock, stage.model, stage.data, [folder], torch.device("cpu"))
    head = build_head(lock.raw["model"]["heads"][0], stage.loss)
    batches = list(task.train_loader(stage, seed=0, rank=0, world=1, workers=1))
    form = torch.channels_last if plain else torch.contiguous_format
    inputs = [batch.inputs.contiguous(memory_format=form) for batch in batches]
    net = model().to(memory_format=form)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=1e-4)
    dtype = autocast_dtype(stage, torch.device("cpu"), lambda line: None) if plain else None
    marks: list[tuple[float, float]] = []
    for _ in range(EPOCHS):
        marks.append((time.process_time(), time.perf_counter()))
        for x, batch in zip(inputs, batches, strict=True):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
                outputs = net(x)
            loss: Any = sum(head.loss(outputs.float(), batch.targets).values())
            loss.backward()
            optimizer.step()
        marks.append((time.process_time(), time.perf_counter()))
    return marks


def measure(mode: str, folder: Path, threads: int) -> None:
    """Prints the best epoch of one mode as JSON: seconds a picture."""
    import torch

    torch.set_num_threads(threads)
    sys.path.insert(0, str(folder))
    model = importlib.import_module("model").Gnetdet224
    modes: dict[str, Callable[[], list[tuple[float, float]]]] = {
        "engine": lambda: engine(folder, model),
        "plain": lambda: loop(folder, model, True),
        "nchw": lambda: loop(folder, model, False),
    }
    marks = modes[mode]()
    epochs = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(marks[::2], marks[1::2], strict=True)]
    print(json.dumps({"cpu": min(e[0] for e in epochs) / PICTURES, "wall": min(e[1] for e in epochs) / PICTURES}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.mode:
        measure(found.mode, found.folder, found.threads)
        return
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        build(folder)
        for _ in range(found.rounds):
            for mode in MODES:
                command = [
                    sys.executable,
                    __file__,
                    "--mode",
                    mode,
                    "--folder",
                    str(folder),
                    "--threads",
                    str(found.threads),
                ]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds = json.loads(done.stdout.strip().splitlines()[-1])
                kept = best.setdefault(mode, seconds)
                best[mode] = {clock: min(kept[clock], seconds[clock]) for clock in seconds}
    figures: dict[str, Any] = {f"{mode}_pictures_a_cpu_second": round(1 / best[mode]["cpu"], 1) for mode in MODES}
    for clock in ("cpu", "wall"):
        for peer in ("plain", "nchw"):
            figures[f"engine_over_{peer}_{clock}"] = round(best[peer][clock] / best["engine"][clock], 2)
    figures |= {"bf16": _bf16(), "threads": found.threads}
    print(json.dumps(figures))


def _bf16() -> bool:
    import torch

    from detrt.lock import Stage
    from detrt.train.precision import autocast_dtype

    stage = Stage(name="s", id="s", model="m", data="d", amp="bf16")
    return autocast_dtype(stage, torch.device("cpu"), lambda line: None) is not None


if __name__ == "__main__":
    main()
