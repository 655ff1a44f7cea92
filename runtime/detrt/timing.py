"""How long a detector takes for one picture on this machine: the net in torch, and a device's artifact in its simulator."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from detrt.errors import DetrtError

WARM = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of wall time for one picture: the least and the median of `runs`."""

    what: str
    least_ms: float
    median_ms: float
    runs: int
    device: str
    threads: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        return f"{self.what}: {self.median_ms:.1f} ms a picture (least {self.least_ms:.1f}, {self.runs} runs, {self.device})"


def time_build(folder: Path, runs: int = 20, device: str = "cpu") -> list[Timing]:
    """The forward pass of a build's main model with weights as they are born, and its artifacts if it has some. Raises
    DetrtError.
    """
    import torch

    from detrt.lock import read_lock
    from detrt.predictor import LOCK, model_classes
    from detrt.train.network import make_model

    lock = read_lock(folder / LOCK)
    try:
        place = torch.device(device)
        model = make_model(model_classes(folder, lock), lock, lock.model.name).to(place).eval()
        picture = torch.zeros(1, *lock.model.input.shape, device=place)
    except (RuntimeError, AssertionError) as error:
        raise DetrtError(f"no device `{device}`: {str(error).splitlines()[0]}", remedy="--device cpu") from error

    def forward() -> None:
        with torch.no_grad():
            model(picture)
        if place.type == "cuda":
            torch.cuda.synchronize(place)

    timings = [_timed("net, torch float32", forward, runs, device, torch.get_num_threads())]
    artifacts = folder / "artifacts"
    if (artifacts / "MANIFEST.json").is_file():
        from detrt.predictor import open_artifacts

        predictor = open_artifacts(artifacts)
        height, width = predictor.encoding.height, predictor.encoding.width
        grey = np.full((height, width, 3), 114, np.uint8)
        timings.append(_timed(f"{predictor.kind}, simulated", lambda: predictor.detect(grey), runs, "cpu", 1))
    return timings


def _timed(what: str, work: Callable[[], object], runs: int, device: str, threads: int) -> Timing:
    for _ in range(min(WARM, runs)):
        work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return Timing(what, round(min(times), 3), round(median(times), 3), runs, device, threads)
