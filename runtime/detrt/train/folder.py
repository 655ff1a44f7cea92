"""The folder of a run: `runs/NAME/STAGE/`, what is in it and which stages are done."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from detrt.errors import DetrtError
from detrt.lock import Lock, Stage
from detrt.train.checkpoint import write_beside
from detrt.train.run_names import expanded, is_pattern, matching


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a finished stage leaves: `metrics` of its best epoch on the validation split, `final` on the test split
    if there is one.

    `ended` is `all epochs`, `early stop`, `by hand` or `calibrated`. `caps` by name of the relu node, or ends of
    ranges; `pruned`: what
    a stage that prunes kept of each group; `transfer`: what was taken from other weights; `frozen`: what stood still.
    `gates` as printed.
    """

    id: str
    name: str
    kind: str
    metrics: dict[str, float]
    final: dict[str, float]
    final_split: str
    ended: str
    epochs: int = 0
    best_epoch: int | None = None
    seed: int | None = None
    seconds: float = 0.0
    caps: dict[str, float] = field(default_factory=dict)
    pruned: list[dict[str, Any]] = field(default_factory=list)
    transfer: dict[str, Any] | None = None
    frozen: dict[str, Any] | None = None
    engine: str | None = None
    gates: list[dict[str, str]] = field(default_factory=list)
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(gate["verdict"] == "failed" for gate in self.gates)


class RunFolder:
    """`path` is the run's own folder."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        names = [stage.name for stage in lock.stages]
        self._folders = {s.id: s.name if names.count(s.name) == 1 else s.id for s in lock.stages}

    def stage(self, id: str) -> Path:
        return self.path / self._folders[id]

    def best(self, id: str) -> Path:
        return self.stage(id) / "best.safetensors"

    def last(self, id: str) -> Path:
        return self.stage(id) / "last.safetensors"

    def result(self, id: str) -> StageResult | None:
        """The result of a finished stage, or None. Raises DetrtError for a file that is no result."""
        path = self.stage(id) / "stage.json"
        if not path.exists():
            return None
        try:
            return StageResult(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DetrtError(
                f"the result of stage `{id}` cannot be read: {error}", path, f"run the stage again: --stage {id}"
            ) from None

    def keep_result(self, result: StageResult) -> None:
        write_text(self.stage(result.id) / "stage.json", json.dumps(asdict(result), indent=2, sort_keys=True) + "\n")

    def set_aside(self, stage: Stage) -> Path | None:
        """Renames what a stage left earlier, so that doing it anew loses nothing."""
        old = self.stage(stage.id)
        if not old.exists():
            return None
        number = 1
        while (new := old.with_name(f"{old.name}.{number}")).exists():
            number += 1
        os.replace(old, new)
        return new


def choose_run(out: Path, name: str | None, resume: bool, part: bool = False, spec: str = "") -> Path:
    """The folder of the run: the named one, else with `resume` the latest, else the next free number.

    A name may be a pattern with `{spec}`, `{date}`, `{time}` and `{number}`; with `resume` it means the latest run that it
    may have named.

    With `part`, for single stages, an old run may be gone on with but need not be there. Raises DetrtError if there is
    nothing to resume, or if a new run would write over an old one.
    """
    runs = _runs(out)
    if name is not None and is_pattern(name):
        named = matching(name, spec, runs) if resume or part else []
        if resume and not named:
            raise DetrtError(
                "no run has a name of this pattern", out / name, f"runs found: {', '.join(runs) or 'none'}"
            )
        return out / (_latest(out, named) if named else expanded(name, spec, datetime.now(), runs))
    if name is not None:
        path = out / name
        if resume and name not in runs:
            raise DetrtError("there is no such run to go on with", path, f"runs found: {', '.join(runs) or 'none'}")
        if name in runs and any(path.iterdir()) and not (resume or part):
            raise DetrtError(
                "there is a run of this name", path, "go on with it with --resume, or choose another --name"
            )
        return path
    if resume and not runs:
        raise DetrtError("there is no run to go on with", out, "train first")
    if runs and (resume or part):
        return out / _latest(out, runs)
    return out / str(1 + max((int(run) for run in runs if run.isdigit()), default=0))


def _latest(out: Path, runs: list[str]) -> str:
    return max(runs, key=lambda run: (out / run).stat().st_mtime_ns)


def _runs(out: Path) -> list[str]:
    """Names of the runs; `mlruns` beside them is MLflow's store."""
    return (
        sorted(path.name for path in out.iterdir() if path.is_dir() and path.name != "mlruns") if out.is_dir() else []
    )


def write_text(path: Path, text: str) -> None:
    """Writes a small file whole or not at all. Raises DetrtError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(write_beside(path, text.encode("utf-8")), path)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise DetrtError(f"cannot write: {reason}", path, "make room, then go on with --resume") from None
