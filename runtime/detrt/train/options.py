"""The options of `train.py`, the same as those of `detc train`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detrt.data.disk_cache import SIZE
from detrt.lock import Lock, parse_lock
from detrt.train.overrides import apply_sets
from detrt.train.run_names import problem_of
from detrt.train.trackers import TRACKERS

KEEP = -1
"""`--seed` not given: each stage has the seed of the spec."""
ENGINES = ("auto", "lava", "detrt")


@dataclass(frozen=True, slots=True)
class Options:
    """`seed` is a number, None for a new seed a run, or KEEP; `workers` is None for a number that suits the machine."""

    sets: tuple[str, ...] = ()
    device: str | None = None
    workers: int | None = None
    out: Path | None = None
    name: str | None = None
    seed: int | None = KEEP
    resume: bool = False
    stages: tuple[str, ...] = ()
    print_every: int | None = None
    data_root: Path | None = None
    cache: str | None = None
    past_gate: bool = False
    init_from: Path | None = None
    trackers: tuple[str, ...] = ("csv", "tensorboard")
    engine: str = "auto"
    quiet: bool = False

    def applied(self, lock: Lock) -> Lock:
        """The lock with `--set`, `--seed` and `--cache` written into it. Raises DetrtError."""
        lock = apply_sets(lock, self.sets)
        if self.seed == KEEP and self.cache is None:
            return lock
        raw = lock.raw_copy()
        for stage in raw["stages"] if self.seed != KEEP else ():
            stage["seed"] = self.seed
        if self.cache is not None:
            for data in raw["data"].values():
                data.setdefault("options", {})["cache"] = _cache(self.cache)
        return parse_lock(raw)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of training to `parser`; `detc train` calls this too."""
    add = parser.add_argument
    add(
        "--set",
        dest="sets",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a value of the spec, e.g. train.steps.float.lr=1e-3",
    )
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: the GPU if there is one)")
    add(
        "--workers", type=_count, metavar="N", help="loader processes of each process (default: chosen for the machine)"
    )
    add("--out", type=Path, metavar="DIR", help="where runs are kept (default: runs/ beside the lock)")
    add(
        "--name",
        type=_run_name,
        metavar="NAME",
        help="name of the run, or a pattern such as {spec}-{time} (default: {number})",
    )
    add(
        "--seed",
        type=_seed,
        default=KEEP,
        metavar="N|none",
        help="seed of every stage; `none` for a new one (default: as in the spec)",
    )
    add("--resume", action="store_true", help="go on with the named run, else with the latest")
    add(
        "--stage",
        dest="stages",
        action="append",
        default=[],
        metavar="NAME",
        help="only this stage, anew; may be repeated",
    )
    add("--print-every", type=_positive, metavar="N", help="print a line every N steps (default: one an epoch)")
    add(
        "--data-root",
        type=Path,
        metavar="DIR",
        help="the folder that relative data roots start from, or the data set itself",
    )
    add(
        "--cache",
        metavar="DIR",
        help="where decoded pictures are kept: a folder, `ram` or `none` (default: as in the spec)",
    )
    add("--past-gate", action="store_true", help="go on after a stage whose gate failed")
    add(
        "--init-from",
        type=Path,
        metavar="FILE",
        help="weights that the first stage of the run begins with: .safetensors, .pt or .onnx",
    )
    add(
        "--track",
        dest="trackers",
        type=_trackers,
        default=("csv", "tensorboard"),
        metavar="A,B",
        help=f"where curves go: {', '.join(TRACKERS)}",
    )
    add(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="whose code trains the stages in time of Loihi 2 (default: lava-dl's blocks where it is installed)",
    )
    add("-q", "--quiet", action="store_true", help="print findings and results only")


def parse_options(argv: Sequence[str], program: str = "train.py") -> Options:
    """Options from a command line; argparse prints and exits with 2 for a malformed one."""
    parser = argparse.ArgumentParser(program, description="Trains every stage of the spec. See README.md.")
    add_options(parser)
    return options_from(parser.parse_args(list(argv)))


def options_from(found: argparse.Namespace) -> Options:
    """Options from the names that `add_options` added."""
    return Options(
        sets=tuple(found.sets),
        device=found.device,
        workers=found.workers,
        out=found.out,
        name=found.name,
        seed=found.seed,
        resume=found.resume,
        stages=tuple(name for entry in found.stages for name in entry.split(",") if name),
        print_every=found.print_every,
        data_root=found.data_root,
        cache=found.cache,
        past_gate=found.past_gate,
        init_from=found.init_from,
        trackers=found.trackers,
        engine=found.engine,
        quiet=found.quiet,
    )


def _cache(word: str) -> dict[str, Any] | None:
    """The option `cache` of a data block of the lock."""
    if word == "none":
        return None
    return {"name": "ram", "size": None} if word == "ram" else {"name": "disk", "folder": word, "size": SIZE}


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("expected 0 or more")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def _seed(text: str) -> int | None:
    return None if text == "none" else _count(text)


def _run_name(text: str) -> str:
    problem = problem_of(text)
    if problem is not None:
        raise argparse.ArgumentTypeError(problem)
    return text


def _trackers(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in TRACKERS:
            raise argparse.ArgumentTypeError(f"unknown tracker `{name}`; known: {', '.join(TRACKERS)}")
    return names if "csv" in names else ("csv", *names)
