"""One run of a grid: `detc train` in a process of its own, on this machine or on a Ray cluster."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = "sweep"
"""Name of the run in every build folder of a sweep."""
LOG = "sweep.log"


@dataclass(frozen=True, slots=True)
class Job:
    """A command line and the build folder it works in."""

    folder: Path
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `done`, `gate failed`, `failed` or `stopped`; `figures` are those of its last scored stage."""

    verdict: str
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def job_of(spec: str, sets: Mapping[str, str], folder: Path, options: Sequence[str]) -> Job:
    """`detc train` of one point. A run that was begun is gone on with."""
    resume = ["--resume"] if (folder / "runs" / RUN).is_dir() else []
    words = [part for name, value in sets.items() for part in ("--set", f"{name}={value}")]
    command = [
        sys.executable,
        "-m",
        "detc",
        "train",
        spec,
        "--build",
        str(folder),
        "--name",
        RUN,
        *resume,
        *words,
        *options,
    ]
    return Job(folder, tuple(command))


def finished(folder: Path) -> Outcome | None:
    """What a run has left, if it came to its end."""
    try:
        result = json.loads((folder / "runs" / RUN / "result.json").read_text(encoding="utf-8"))
        stages = [stage for stage in result["stages"] if stage["final"] or stage["metrics"]]
        seconds = sum(float(stage["seconds"]) for stage in result["stages"])
        figures = dict(stages[-1]["final"] or stages[-1]["metrics"]) if stages else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    verdict = {"finished": "done", "gate failed": "gate failed"}.get(result.get("verdict"))
    return Outcome(verdict, figures, seconds) if verdict else None


def execute(command: Sequence[str], folder: str, environment: Mapping[str, str], where: str) -> int:
    """Runs a command in the folder `where` with its output in the log of `folder`; gives its exit code."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, LOG), "ab") as log:
        return subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, env=dict(environment), cwd=where
        ).returncode


def here(jobs: Sequence[Job], at_once: int, stop: threading.Event) -> Iterator[tuple[int, int]]:
    """Runs jobs on this machine, `at_once` side by side: yields (number, exit code) as they end; none begins after `stop`."""
    environment = _environment()

    def run(job: Job) -> int:
        return -signal.SIGINT if stop.is_set() else execute(job.command, str(job.folder), environment, os.getcwd())

    with ThreadPoolExecutor(at_once) as pool:
        waiting = {pool.submit(run, job): number for number, job in enumerate(jobs)}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def on_ray(jobs: Sequence[Job], address: str | None, cpus: float) -> Iterator[tuple[int, int]]:
    """The same on a Ray cluster; every machine has detc and sees the folders under the same path. ImportError without Ray."""
    import ray

    options: dict[str, Any] = (
        {"address": address} if address else {"num_cpus": os.cpu_count(), "include_dashboard": False}
    )
    ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    try:
        remote = ray.remote(num_cpus=cpus, max_retries=2)(execute)
        environment = _environment()
        where = os.getcwd()  # paths in the commands start here
        waiting = {
            remote.remote(list(job.command), str(job.folder.resolve()), environment, where): number
            for number, job in enumerate(jobs)
        }
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(ready[0]), int(ray.get(ready[0]))
    finally:
        ray.shutdown()


def _environment() -> dict[str, str]:
    """Ours, with everything that this process can import."""
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).is_dir()]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
