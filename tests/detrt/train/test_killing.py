"""A run that is killed again and again ends as one that never was."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_detector import all_stages, environment, run, write_lock

from detrt.train import checkpoint

EPOCHS = 30
KILLS = 20


def stages() -> list[dict[str, Any]]:
    found = all_stages()
    for stage in found:
        stage["epochs"] = EPOCHS
        stage["early_stop"] = {"patience": 50}
    return found


def train_quietly(path: str, name: str, resume: bool, die_in_write: int | None = None) -> None:
    """What a killed process runs. With `die_in_write` it kills itself after half the bytes of so many checkpoint files."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if die_in_write is not None:
        real, calls = checkpoint.write_beside, [0]

        def half(target: Path, content: bytes) -> Path:
            calls[0] += 1
            if calls[0] == die_in_write:
                target.with_name(f".{target.name}.{os.getpid()}.tmp").write_bytes(content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(target, content)

        checkpoint.write_beside = half
    raise SystemExit(run(Path(path), "--name", name, *(["--resume"] if resume else [])))


def weights_and_curves(folder: Path, name: str) -> tuple[list[Any], list[Any]]:
    result = json.loads((folder / "runs" / name / "result.json").read_text())
    weights = [
        (stage["name"], stage.get("weights_sha256"), stage["caps"], stage["best_epoch"], stage["final"])
        for stage in result["stages"]
    ]
    curves = []
    for file in sorted((folder / "runs" / name).glob("*/metrics.csv")):
        curves += [
            [value for key, value in row.items() if not key.startswith("time/")] for row in csv.DictReader(file.open())
        ]
    return weights, curves


@pytest.mark.long
@pytest.mark.alone
def test_killed_at_twenty_random_moments_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lock(tmp_path, stages())
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])  # the fork server imports before it knows our path
    context = multiprocessing.get_context("forkserver")
    # Imported once, not twenty times; an optimiser imports torch._dynamo when it is made.
    context.set_forkserver_preload(["tiny_detector", "torch._dynamo", "torch._inductor", "faster_coco_eval"])

    def start(name: str, resume: bool, die_in_write: int | None = None) -> Any:
        process = context.Process(target=train_quietly, args=(str(path), name, resume, die_in_write))
        process.start()
        return process

    start("warm", False).join()  # the first of all pays for importing
    whole = start("whole", False)
    begun = time.monotonic()
    whole.join()
    length = time.monotonic() - begun
    assert whole.exitcode == 0

    def rows() -> int:
        return sum(file.read_text().count("\n") for file in (tmp_path / "runs/killed").glob("*/metrics.csv"))

    moments = random.Random(5801)
    an_epoch = length / (4 * EPOCHS)
    rows_at_kills = []
    for kill in range(KILLS):
        there = (tmp_path / "runs/killed").exists()
        if kill % 7 == 3:
            process = start("killed", there, die_in_write=moments.randint(3, 12))
        else:
            process = start("killed", there)
            # A few epochs further, then at any moment of the next two: slow machines get as far as fast ones.
            until = rows() + moments.randint(0, 6)
            while process.is_alive() and rows() < until:
                time.sleep(0.001)
            process.join(moments.uniform(0, 2) * an_epoch)
            process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run was over before it was killed often enough"
        rows_at_kills.append(rows())
    assert len(set(rows_at_kills)) > KILLS / 2, "the kills hit the same place again and again"
    last = start("killed", True)
    last.join()
    assert last.exitcode == 0
    assert weights_and_curves(tmp_path, "killed") == weights_and_curves(tmp_path, "whole")
