"""Training of three nets: the engine's pictures a CPU second beside those of plain PyTorch loops, all fed from memory.

`engine` is what `detc train` does with the recipe of the library's spec: EMA, fused optimiser, curves and checkpoints; its
batches were made beforehand, as those of the loops. `with_loader` is the engine whose pictures come from the loader's threads,
augmented anew each epoch, which the loops do without: it tells what the loader costs. `default` and `channels_last` are the
shortest loop a person writes, with torch's own SGD, in float32 and one of the two memory formats; where the CPU is good at bf16
there is a third, channels last under autocast, and then the engine uses it too. Loops have the same network, batches and loss.

Each mode is a process of its own; they train in turns, an epoch each, and the best epoch counts; beside it stands the median
of all but the first, which tells how quiet the machine was. CPU seconds are of the whole
process: what the loader's threads do is the engine's cost. A ratio over 1 says that the engine is the faster.

    python benchmarks/training.py [NET ..] [--epochs 6] [--pictures 16] [--batch 8] [--threads 1] [--set NAME=VALUE ..]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

PLAIN = {"default": False, "channels_last": False, "channels_last_bf16": True}
"""The plain loops, and whether they run under autocast."""
ENGINE = ("engine", "with_loader")
SHAPES = ["disc", "square", "triangle"]
NETS = {"yolox_nano": [], "ssdlite_mobilenetv2": [], "gnetdet224": ["width=0.25"]}
"""Nets of the library, and what is set of each."""


# ---- what is trained


def build(net: str, sets: Sequence[str], folder: Path, size: dict[str, int]) -> None:
    """Writes the project of `net`, and turns its lock to a synthetic set and one short stage."""
    from detc.cli import main as detc

    options = [part for value in (*NETS[net], *sets) for part in ("--set", value)]
    if detc(["build", net, *options, "--build", str(folder), "-q"]):
        raise SystemExit("detc build failed")
    path = folder / "spec.lock.json"
    lock = json.loads(path.read_text())
    head = lock["model"]["heads"][0]["options"]
    head["names"] = [*SHAPES, *(f"other{number}" for number in range(head["classes"] - len(SHAPES)))]
    lock["data"] = {
        "shapes": {
            "format": "synthetic", "root": ".", "classes": SHAPES, "classes_file": None, "val": None, "test": None,
            "train": {"images": size["pictures"], "seed": 1}, "options": {"size": [640, 480], "objects": [1, 4]},
        }
    }  # fmt: skip
    # The first stage of the net's own recipe at one size; its average of the weights too, where it has none itself.
    stage = lock["stages"][0]
    stage |= {"data": "shapes", "multiscale": None, "no_aug_epochs": 0, "amp": "bf16", "ema": stage["ema"] or 0.9998}
    stage |= {"epochs": size["epochs"], "batch": size["batch"], "gates": []}
    lock["stages"], lock["gates"] = [stage], []
    path.write_text(json.dumps(lock))


# ---- one mode, in a process of its own


class Turns:
    """Lets one epoch run when the parent says so, and tells it what the epoch took: CPU and wall seconds."""

    def __init__(self, answers: IO[str]) -> None:
        self.answers, self.began = answers, (0.0, 0.0)

    def begin(self) -> None:
        print("ready", file=self.answers, flush=True)
        if not sys.stdin.readline():
            raise SystemExit("the benchmark has ended")
        self.began = time.process_time(), time.perf_counter()

    def end(self) -> None:
        took = time.process_time() - self.began[0], time.perf_counter() - self.began[1]
        print(json.dumps(took), file=self.answers, flush=True)


class Remembered:
    """The first epoch of a loader, again and again."""

    def __init__(self, loader: Any) -> None:
        self.batches = list(loader)

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Clocked:
    """A loader whose epochs wait for their turn."""

    def __init__(self, loader: Any, turns: Turns) -> None:
        self.loader, self.turns = loader, turns

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        self.turns.begin()
        self.loader.set_epoch(epoch, first_batch)

    def __iter__(self) -> Iterator[Any]:
        yield from self.loader
        self.turns.end()  # the step of the last batch is done when the next one is asked for

    def __len__(self) -> int:
        return len(self.loader)


def engine(folder: Path, model: type[Any], mode: str, turns: Turns) -> None:
    from detrt.train.engine import train
    from detrt.train.options import parse_options
    from detrt.train.task import DetectionTask

    class ClockedTask(DetectionTask):
        def train_loader(self, *args: Any, **options: Any) -> Any:
            loader = super().train_loader(*args, **options)
            return Clocked(loader if mode == "with_loader" else Remembered(loader), turns)

    failed = train(
        model,
        folder / "spec.lock.json",
        parse_options(["-q", "--track", "csv", "--device", "cpu"]),
        lambda lock, stage, bases, p: ClockedTask(lock, stage.model, stage.data, bases, p.device),
    )
    if failed:
        raise SystemExit("the engine failed")


def loop(folder: Path, model: type[Any], mode: str, turns: Turns) -> None:
    """The shortest loop, its batches prepared and in its memory format."""
    import torch

    from detrt.lock import read_lock
    from detrt.train.task import DetectionTask

    lock = read_lock(folder / "spec.lock.json")
    stage = lock.stages[0]
    task = DetectionTask(lock, stage.model, stage.data, [folder], torch.device("cpu"))
    head = task.head(stage)
    batches = list(task.train_loader(stage, seed=0, rank=0, world=1, workers=1))
    form = torch.contiguous_format if mode == "default" else torch.channels_last
    inputs = [batch.inputs.contiguous(memory_format=form) for batch in batches]
    net = model().to(memory_format=form)
    how = stage.optimizer
    optimizer = torch.optim.SGD(net.parameters(), how.lr, how.momentum, weight_decay=how.weight_decay)
    for _ in range(stage.epochs):
        turns.begin()
        for x, batch in zip(inputs, batches, strict=True):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=PLAIN[mode]):
                outputs = net(x)
            loss: Any = sum(head.loss(outputs, batch.targets).values())
            loss.backward()
            optimizer.step()
        turns.end()


def run(mode: str, folder: Path, threads: int) -> None:
    """What a child does. Only the turns go to its standard output, whatever else the engine prints."""
    import torch

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    sys.path.insert(0, str(folder))
    name = json.loads((folder / "spec.lock.json").read_text())["model"]["class"]
    model = getattr(importlib.import_module("model"), name)
    if mode in ENGINE:
        engine(folder, model, mode, Turns(answers))
    else:
        loop(folder, model, mode, Turns(answers))


# ---- all modes, in turns


def measured(net: str, found: argparse.Namespace, modes: Sequence[str]) -> dict[str, Any]:
    """Ratios of a net, and every epoch of every mode as seconds a picture."""
    size = {"pictures": found.pictures, "batch": found.batch, "epochs": found.epochs}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        build(net, found.sets, folder, size)
        command = [sys.executable, __file__, "--folder", str(folder), "--threads", str(found.threads), "--mode"]
        children = {mode: Child([*command, mode]) for mode in modes}
        try:
            for _ in range(found.epochs):
                for child in children.values():
                    child.turn()
        finally:
            for child in children.values():
                child.close()
    seconds = {
        clock: {mode: [took[at] / found.pictures for took in child.epochs] for mode, child in children.items()}
        for at, clock in enumerate(("cpu", "wall"))
    }
    figures: dict[str, Any] = {}
    for clock, epochs in seconds.items():
        best = {mode: min(values) for mode, values in epochs.items()}
        plain = min((mode for mode in best if mode not in ENGINE), key=lambda mode: best[mode])
        for mode in ENGINE:
            figures[f"{mode}_over_best_plain_{clock}"] = round(best[plain] / best[mode], 3)
        figures[f"best_plain_{clock}"] = plain
        middle = {mode: median(values[1:] or values) for mode, values in epochs.items()}
        figures[f"engine_over_best_plain_median_{clock}"] = round(
            min(value for mode, value in middle.items() if mode not in ENGINE) / middle["engine"], 3
        )
        figures[f"seconds_a_picture_{clock}"] = {m: [round(v, 5) for v in values] for m, values in epochs.items()}
    figures["pictures_a_cpu_second"] = {mode: round(1 / min(v), 2) for mode, v in seconds["cpu"].items()}
    return figures


class Child:
    """A process that trains one epoch a turn."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.epochs: list[tuple[float, float]] = []
        self._expect("ready")

    def turn(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        cpu, wall = json.loads(self._expect("["))
        self.epochs.append((cpu, wall))
        self._expect("ready", "")  # what follows an epoch is over too, so that it disturbs no other's turn

    def _expect(self, *starts: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not any(line.startswith(start) if start else not line for start in starts):
            raise SystemExit(f"{' '.join(self.process.args[-1:])} stopped: {line!r}")  # type: ignore[index]
        return line

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def bf16() -> bool:
    import torch

    from detrt.lock import Stage
    from detrt.train.precision import autocast_dtype

    stage = Stage(name="s", id="s", model="m", data="d", amp="bf16")
    return autocast_dtype(stage, torch.device("cpu"), lambda line: None) is not None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help=f"of {', '.join(NETS)}")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    found = parser.parse_args(argv)
    if found.mode:
        run(found.mode, found.folder, found.threads)
        return
    unknown = [net for net in found.nets if net not in NETS]
    if unknown:
        raise SystemExit(f"no net {', '.join(unknown)}; known: {', '.join(NETS)}")
    import cv2
    import numpy as np
    import torch

    good = bf16()
    modes = [*ENGINE, *(mode for mode, amp in PLAIN.items() if good or not amp)]
    nets = {net: measured(net, found, modes) for net in found.nets or NETS}
    ratio = min(figures["engine_over_best_plain_cpu"] for figures in nets.values())
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    shape = {"threads": found.threads, "pictures": found.pictures, "batch": found.batch, "epochs": found.epochs}
    machine = {"cpu": torch.backends.cpu.get_cpu_capability(), "cores": os.cpu_count(), "bf16": good}
    print(json.dumps({"least_ratio_cpu": ratio, **shape, **machine, "versions": versions, "nets": nets}))


if __name__ == "__main__":
    main()
