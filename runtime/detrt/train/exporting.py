"""`export.py`: the device's files of a trained checkpoint, written by the device package."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path

from detrt.devices import backend as device_package
from detrt.errors import DetrtError
from detrt.lock import Lock, read_lock
from detrt.train.finding import add_checkpoint_options, find_checkpoint, load_trained
from detrt.train.network import ModelClasses


def main(model: ModelClasses, lock_path: str | Path, argv: Sequence[str] | None = None) -> int:
    """Writes the artifacts. Returns 0, or 1 for a mistake."""
    found = _options(sys.argv[1:] if argv is None else argv)
    try:
        return _export(model, Path(lock_path), found)
    except DetrtError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("export.py", description="Writes the files that go to the device.")
    add_checkpoint_options(parser)
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: artifacts/ beside the lock")
    parser.add_argument("--vendor-inputs", action="store_true", help="also what the vendor's own converter reads")
    return parser.parse_args(list(argv))


def _export(model: ModelClasses, lock_path: Path, found: argparse.Namespace) -> int:
    lock = read_lock(lock_path)
    if lock.target is None:
        raise DetrtError(
            "the project was built without a target, so there is no device to export for",
            lock_path,
            "build with --target",
        )
    package = device_package(lock.target.name, lock.target.lineage)
    planned = {lock.model.name, *lock.plans}
    fit = [stage for stage in lock.stages if stage.model in planned and package.exports(stage.left().plain())]
    if not fit:
        raise DetrtError(
            "no stage of the spec computes as the device does",
            lock_path,
            "add a stage with `quantize folded = ..` or `calibrate ranges = ..`, as the target knows it",
        )
    path = find_checkpoint(lock, lock_path, found, fit)
    trained = load_trained(model, lock, path)
    if trained.stage.id not in [stage.id for stage in fit]:
        raise DetrtError(
            f"the checkpoint is of stage `{trained.stage.id}`, whose numbers are not yet the device's",
            path,
            f"--stage {fit[-1].name}",
        )
    out = found.out if found.out is not None else lock_path.parent / "artifacts"
    report = package.export(
        _with_names(lock, trained.stage.model, trained.state.get("identity", {}).get("classes", [])),
        trained.network.model.state_dict(),
        trained.network.caps,
        out,
        vendor_inputs=found.vendor_inputs,
    )
    print(f"{path}  stage {trained.stage.id}, epoch {trained.state.get('epoch')}")
    for finding in report.get("findings", []):
        print(f"{finding['level']}: {finding.get('layer', '')} {finding['message']}")
    width = max(16, *(len(name) for name in report["files"]))
    for name, file in sorted(report["files"].items()):
        print(f"  {name:<{width}} {file['bytes']:>10}  sha256 {file['sha256'][:16]}")
    print(f"written to {out}")
    return 0


def _with_names(lock: Lock, model: str, classes: Sequence[str]) -> dict[str, object]:
    """The lock as the device package reads it, of `model`; class names that stood in the data alone come from the checkpoint."""
    raw = copy.deepcopy(lock.raw_of(model))
    for head in raw["model"].get("heads", []):
        if not head["options"].get("names") and classes:
            head["options"]["names"] = list(classes)
    return raw
