"""`result.json` of a run, and the table of its stages."""

from __future__ import annotations

import json
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


def table(results: Sequence[StageResult], classes: Sequence[str]) -> str:
    """A line a stage: mAP@0.5 over all classes, each class, COCO mAP; on the test split if there is one, else on validation."""
    trained = [result for result in results if result.kind != "calibrate" and result.final]
    if not trained:
        return "no stage has been scored"
    header = ["stage", "map50", *classes, "map"]
    rows = [
        [r.name, *(_cell(r.final.get(key)) for key in ("map50", *(f"map50/{name}" for name in classes), "map"))]
        for r in trained
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    ]
    return "\n".join([f"on the {trained[-1].final_split} split:", *lines])


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
        "command": sys.argv,
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
