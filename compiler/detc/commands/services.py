"""What a build may do after it is written: train, quantise, deploy, evaluate, predict, benchmark, one after another."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from detc.commands.outcome import OK, refuse

ORDER = ("train", "quantize", "deploy", "evaluate", "predict", "benchmark")
"""Services in the order in which they are done; the first that fails ends the chain."""


def add_services(parser: argparse.ArgumentParser) -> None:
    """A flag a service, and what several of them need."""
    group = parser.add_argument_group("services", "done after the build, in this order; the first that fails ends it")
    add = group.add_argument
    add("--train", action="store_true", help="train the float stages; with --quantize all stages")
    add("--quantize", action="store_true", help="the stages that quantise or calibrate, on the latest run")
    add("--deploy", action="store_true", help="write the device's files, as `detc export`")
    add("--evaluate", action="store_true", help="mAP of the artifacts, else of the last trained stage, with curves")
    add("--predict", type=Path, metavar="PICTURES", help="detect on a picture, a folder or a video")
    add("--benchmark", action="store_true", help="time of one picture on this machine")
    add("--data-root", type=Path, metavar="DIR", help="where relative data roots start")
    add("--device", metavar="NAME", help="cpu or cuda (default: the GPU if there is one)")
    add("--name", metavar="RUN", help="name of the run that is trained (default: the next free number)")


def wanted(args: argparse.Namespace) -> list[str]:
    return [service for service in ORDER if getattr(args, service, None)]


def serve(args: argparse.Namespace, folder: Path) -> int:
    """Runs the services that `args` ask for on the build in `folder`; the exit code of the first that fails, else 0."""
    stages = json.loads((folder / "spec.lock.json").read_text(encoding="utf-8"))["stages"]
    makers: dict[str, Callable[[], int]] = {
        "train": lambda: _train(args, folder, stages),
        "quantize": lambda: _quantize(args, folder, stages),
        "deploy": lambda: _program(folder, "export.py", []),
        "evaluate": lambda: _evaluate(args, folder, stages),
        "predict": lambda: _predict(args, folder, stages),
        "benchmark": lambda: _benchmark(args, folder),
    }
    for service in wanted(args):
        if service == "quantize" and args.train:
            continue  # done together with the training
        print(f"\n== {service}", flush=True)
        code = makers[service]()
        if code != OK:
            return code
    return OK


def _train(args: argparse.Namespace, folder: Path, stages: list[dict[str, Any]]) -> int:
    if not stages:
        return refuse(f"the spec `{args.spec}` has no train block", "add `train NAME on MODEL { .. }`")
    chosen = [] if args.quantize or not any(map(_quantises, stages)) else [s for s in stages if not _quantises(s)]
    return _program(folder, "train.py", [*_of_stages(chosen), *_options(args, new=True)])


def _quantize(args: argparse.Namespace, folder: Path, stages: list[dict[str, Any]]) -> int:
    chosen = [stage for stage in stages if _quantises(stage)]
    if not chosen:
        return refuse(
            "no stage of the spec quantises or calibrates",
            "add one that the target knows, such as `stage ptq { start = float.best  calibrate ranges = minmax  images = 200 }`",
        )
    return _program(folder, "train.py", [*_of_stages(chosen), *_options(args, new=False)])


def _quantises(stage: dict[str, Any]) -> bool:
    return stage["kind"] == "calibrate" or any(stage["quantize"].values())


def _of_stages(stages: list[dict[str, Any]]) -> list[str]:
    return [part for stage in stages for part in ("--stage", stage["id"])]


def _options(args: argparse.Namespace, new: bool) -> list[str]:
    """Options of train.py; a part of the stages goes on in the latest run unless one is named."""
    found = [] if args.device is None else ["--device", args.device]
    if args.name is not None:
        found += ["--name", args.name]
    elif new and args.train and not args.quantize:
        found += ["--name", "{number}"]
    from detc.commands.training import data_root

    root = data_root(args)
    return found if root is None else [*found, "--data-root", str(root)]


def _program(folder: Path, name: str, arguments: list[str]) -> int:
    from detc.commands.child import run_program

    if not (folder / name).is_file():
        missing = "stages" if name == "train.py" else "a target or without stages"
        return refuse(f"the build has no {name}: it was made without {missing}", "build with --target NAME")
    return run_program(folder, name, arguments)


def _model(folder: Path, stages: list[dict[str, Any]]) -> Path | None:
    """The artifacts if they are newer than the last trained checkpoint, else that checkpoint."""
    checkpoints = [path for path in folder.glob("runs/*/*/best.safetensors")]
    names = [stage["name"] for stage in stages] + [stage["id"] for stage in stages]
    known = [path for path in checkpoints if path.parent.name in names]
    newest = max(known, key=lambda path: path.stat().st_mtime_ns, default=None)
    manifest = folder / "artifacts" / "MANIFEST.json"
    if manifest.is_file() and (newest is None or manifest.stat().st_mtime_ns >= newest.stat().st_mtime_ns):
        return manifest.parent
    return newest


def _evaluate(args: argparse.Namespace, folder: Path, stages: list[dict[str, Any]]) -> int:
    from detc.commands import eval as evaluation
    from detc.commands.training import data_root

    model = _model(folder, stages)
    if model is None:
        return refuse("nothing is trained yet", "add --train")
    root = data_root(args)
    where = [] if root is None else ["--data-root", str(root)]
    report = folder / "evaluation"
    return _call(evaluation, [str(model), "--build", str(folder), "--report", str(report), *where])


def _predict(args: argparse.Namespace, folder: Path, stages: list[dict[str, Any]]) -> int:
    from detc.commands import run as prediction

    model = _model(folder, stages)
    if model is None:
        return refuse("nothing is trained yet", "add --train")
    return _call(prediction, [str(model), str(args.predict), "-o", str(folder / "detections")])


def _benchmark(args: argparse.Namespace, folder: Path) -> int:
    from detc.commands.benchmark import benchmark

    return benchmark(folder, 20, args.device or "cpu", folder / "benchmark.json")


def _call(command: ModuleType, words: list[str]) -> int:
    """Another command with the options that its own parser reads."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    code: int = command.run(parser.parse_args(words))
    return code
