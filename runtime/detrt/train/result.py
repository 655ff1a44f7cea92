"""`result.json` of a run, and the table of its stages."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch

from detrt.lock import Lock
from detrt.train.checkpoint import read_checkpoint
from detrt.train.folder import RunFolder, StageResult, write_text


def table(results: Sequence[StageResult]) -> str:
    """A line a stage, on the test split if there is one, else on validation: mAP@0.5 over all classes, each class, COCO
    mAP; for classifiers top-1 and top-5. Of stages in time also what a frame costs.
    """
    trained = [result for result in results if result.final]
    parts = [_table(kind) for kind in (_with(trained, "top1"), _with(trained, "map50")) if kind]
    parts += [_costs(kind) for kind in (_with(trained, "event_rate"),) if kind]
    return "\n".join(parts) if parts else "no stage has been scored"


def _with(results: Sequence[StageResult], figure: str) -> list[StageResult]:
    return [result for result in results if figure in result.final]


def _table(results: Sequence[StageResult]) -> str:
    """Of stages with the same figures."""
    classes = dict.fromkeys(name for r in results for name in r.identity.get("classes", ()))
    columns = {"map50": "map50", **{f"map50/{name}": name for name in classes}, "map": "map"}
    if "top1" in results[0].final:
        columns = {"top1": "top1", "top5": "top5"}
    header = ["stage", *columns.values()]
    rows = [[r.name, *(_cell(r.final.get(key)) for key in columns)] for r in results]
    return "\n".join([f"on the {results[-1].final_split} split:", *_aligned([header, *rows])])


def _costs(results: Sequence[StageResult]) -> str:
    """Events and synaptic operations of a step, as the device package counted them."""
    rows = [
        [r.name, f"{r.final['event_rate']:.2%}", *(f"{r.final.get(key, 0):,.0f}" for key in ("events", "synops"))]
        for r in results
    ]
    return "\n".join(["a frame costs:", *_aligned([["stage", "of neurons send", "events", "synops"], *rows])])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def versions() -> dict[str, str]:
    """Of everything whose change could move a number."""
    found = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "machine": platform.machine(),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def write_result(
    folder: RunFolder,
    lock: Lock,
    results: Sequence[StageResult],
    classes: Sequence[str],
    data_hashes: Mapping[str, str],
    verdict: str,
) -> Path:
    """Writes `result.json` of the run; `verdict` is `finished`, `gate failed` or `stopped`."""
    content: dict[str, Any] = {
        "schema": 1,
        "spec": {
            "name": lock.spec.name,
            "sha256": lock.spec.sha256,
            "params": lock.spec.params,
            "overrides": lock.spec.overrides,
        },
        "command": [_from_here(word) for word in sys.argv],
        "verdict": verdict,
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "data": dict(data_hashes),
        "classes": list(classes),
        "stages": [_stage(folder, result) for result in results],
    }
    path = folder.path / "result.json"
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
    return path


def _from_here(word: str) -> str:
    """A word of the command; a path below the working folder without the way there, which is no one else's."""
    here = str(Path.cwd())
    return os.path.relpath(word, here) if word.startswith(here + os.sep) else word


def _stage(folder: RunFolder, result: StageResult) -> dict[str, Any]:
    keys = (
        "id",
        "name",
        "kind",
        "ended",
        "epochs",
        "best_epoch",
        "seed",
        "seconds",
        "metrics",
        "final",
        "final_split",
        "caps",
        "pruned",
        "transfer",
        "frozen",
        "engine",
        "gates",
    )
    entry = {key: getattr(result, key) for key in keys}
    best = folder.best(result.id)
    if best.exists():
        entry["checkpoint"] = str(best.relative_to(folder.path))
        entry["weights_sha256"] = weights_sha256(best)
    return entry


def weights_sha256(path: Path) -> str:
    """Identity of a checkpoint's weights: sha256 over names, types, shapes and bytes, whatever else the file holds."""
    import hashlib

    digest = hashlib.sha256()
    for name, tensor in sorted(read_checkpoint(path).tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()
