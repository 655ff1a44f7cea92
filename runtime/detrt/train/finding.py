"""Finding a trained checkpoint and making its network again, for evaluation and export."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detrt.devices import backend as device_package
from detrt.errors import DetrtError
from detrt.lock import Lock, Stage
from detrt.train.checkpoint import CheckpointError, check_fits, differing_keys, read_checkpoint, shortened
from detrt.train.folder import RunFolder, choose_run
from detrt.train.network import ModelClasses, Network, make_model, quantise


@dataclass(frozen=True, slots=True)
class Trained:
    """A checkpoint's network in evaluation mode, the stage it comes from and the checkpoint's state."""

    network: Network
    stage: Stage
    path: Path
    state: dict[str, Any]


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Options that say which checkpoint is meant."""
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="a best.safetensors (default: of the last stage of the run)",
    )
    parser.add_argument("--name", metavar="RUN", help="the run to take it from (default: the latest)")
    parser.add_argument("--stage", metavar="NAME", help="the stage to take it from (default: the last trained one)")
    parser.add_argument(
        "--out-runs", dest="runs", type=Path, metavar="DIR", help="where runs are kept (default: runs/ beside the lock)"
    )


def find_checkpoint(
    lock: Lock, lock_path: Path, found: argparse.Namespace, wanted: Sequence[Stage] | None = None
) -> Path:
    """The file that the options mean. Raises DetrtError, naming what there is, if it does not exist."""
    if found.checkpoint is not None:
        return Path(found.checkpoint)
    runs = found.runs if found.runs is not None else lock_path.parent / "runs"
    folder = RunFolder(choose_run(runs, found.name, resume=True), lock)
    stages = [
        stage for stage in (wanted if wanted is not None else lock.stages) if stage.kind != "calibrate" or stage.ranges
    ]
    if found.stage is not None:
        stages = [stage for stage in stages if found.stage in (stage.name, stage.id)]
        if not stages:
            raise DetrtError(f"there is no stage `{found.stage}` to take it from")
    for stage in reversed(stages):
        if folder.best(stage.id).exists():
            return folder.best(stage.id)
    names = ", ".join(stage.name for stage in stages)
    raise DetrtError(f"no trained stage found ({names})", folder.path, "train first: python train.py")


def load_trained(classes: ModelClasses, lock: Lock, path: Path) -> Trained:
    """The network of a checkpoint written by a training stage or a calibration of ranges. Raises CheckpointError if it is
    of another spec.
    """
    checkpoint = read_checkpoint(path)
    identity = checkpoint.state.get("identity", {})
    id = identity.get("stage", {}).get("id")
    stage = next((stage for stage in lock.stages if stage.id == id), None)
    present = {"spec": lock.spec.name, "params": lock.spec.params}
    if stage is not None:
        present["model"] = identity.get("model", {}) | {"sha256": lock.model_sha256(stage.model)}
        present["stage"] = {"quantize": stage.quantize.model_dump(mode="json")}
    saved = {key: identity.get(key) for key in ("spec", "params")}
    if stage is not None:
        saved["model"] = identity.get("model", {})
        saved["stage"] = {"quantize": identity.get("stage", {}).get("quantize")}
    lines = differing_keys(saved, present) or (
        [] if stage is not None else [f"stage: {id!r} in the checkpoint, not in the lock"]
    )
    if stage is None or lines:
        raise CheckpointError(
            f"the checkpoint is of another spec:\n{shortened(lines)}", path, "use the build folder it was trained in"
        )
    model = make_model(classes, lock, stage.model)
    weights = checkpoint.group("ema") or checkpoint.group("model") or checkpoint.tensors
    check_fits(model, weights, path)
    model.load_state_dict(weights)
    backend = device_package(lock.target.name, lock.target.lineage) if lock.target is not None else None
    network = quantise(model, lock, stage.left(), checkpoint.state.get("caps"), backend, False, lambda images: ())
    network.model.eval()
    return Trained(network, stage, path, checkpoint.state)
