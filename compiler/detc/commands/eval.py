"""mAP of an artifacts folder (run in the device's own arithmetic) or of a checkpoint, beside the figures of all stages and of the
folder's ONNX file; top-1 and top-5 of a classifier."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.commands.classifying import report_classes
from detc.commands.outcome import OK, refuse, warn_of

if TYPE_CHECKING:
    from detrt.evaluate.result import Result
    from detrt.lock import Lock

RULES = ("coco", "pycocotools", "voc", "voc2007")
SPLITS = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="an artifacts folder, an .onnx file in it, or a checkpoint"
    )
    parser.add_argument("--build", type=Path, metavar="DIR", help="the build folder (default: the one MODEL lies in)")
    parser.add_argument("--split", choices=SPLITS, help="default: test if there is one, else val")
    parser.add_argument("--rule", choices=RULES, default="coco", help="how boxes are scored (default: coco)")
    parser.add_argument("--iou", type=float, metavar="X", help="average precision at this overlap alone, e.g. 0.4")
    parser.add_argument("--images", type=int, metavar="N", help="only the first N pictures")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where relative data roots start")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="for a checkpoint: cpu or cuda (default: cpu)")
    parser.add_argument(
        "--on",
        default="",
        metavar="MACHINE",
        help="run the C code of the artifacts there: host, qemu-m4, qemu-m7 or qemu-m55",
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the figures there as JSON too")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write curves, confusion matrix and threshold sweep there"
    )
    parser.add_argument(
        "--sensitivity",
        action="store_true",
        help="of an int8 checkpoint: which layer costs the mAP, each quantised alone (default: 100 pictures of val)",
    )


def run(args: argparse.Namespace) -> int:
    from detc.commands.finished import LOCK, above
    from detc.commands.progress import bar
    from detc.commands.writing import write_whole
    from detrt.errors import DetrtError

    try:
        if _without_head(args.model):
            return refuse(
                f"{args.model} has no head: what its outputs mean is not known, so no boxes can be scored",
                "import the file that it was made from (`detc import`), give the spec a head and data, and train or "
                "calibrate it; `detc run` writes the raw outputs",
            )
    except DetrtError as error:
        return refuse(str(error))
    folder = args.build or above(args.model)
    if folder is None:
        return refuse(f"{args.model} lies in no build folder", "give it with --build: its lock names the data")
    if args.images is not None and args.images < 1:
        return refuse(f"--images {args.images}: at least 1 picture is needed")
    if args.sensitivity:
        return _layer_by_layer(args, folder)
    try:
        from detrt.data.check import check_labels
        from detrt.evaluate import summary
        from detrt.evaluate.in_time import watch_all, watches
        from detrt.evaluate.report import analyse, write_report
        from detrt.evaluate.score import detect_all, require_same_classes, score
        from detrt.lock import read_lock
        from detrt.predictor import open_predictor

        predictor = open_predictor(args.model, args.device, args.on)
        lock = read_lock(folder / LOCK)
        stage = getattr(predictor, "stage", "")
        split, dataset = _dataset(lock, folder / LOCK, stage, args.split, args.data_root)
        dataset, report = check_labels(dataset)
        for line in report.lines():
            print(line)
        part = dataset if args.images is None else dataset.first(args.images)
        record = None
        with bar(f"{predictor.name}, {predictor.kind}") as tick:
            if watches(predictor, part):
                require_same_classes(predictor, part)
                found, record = watch_all(predictor, part, lambda done: tick(done, len(part)))
            else:
                found = detect_all(predictor, part, lambda done: tick(done, len(part)))
        if predictor.whole:
            report_classes(args, predictor, part, found, split)
            return OK
        result = score(part, found, args.rule, args.iou)
        beside = _in_onnxruntime(args, part)
        analysis = analyse(part, found, result)
        if args.report is not None:
            write_report(analysis, args.report, f"{predictor.name}, {predictor.kind}, {split} split")
    except DetrtError as error:
        return refuse(str(error))
    print(f"{predictor.name}, {predictor.kind}, {split} split, {args.rule} rules")
    print("\n".join(f"  {line}" for line in result.lines()))
    if result.summary:
        print("\nCOCO figures:")
        print("\n".join(f"  {line}" for line in summary.lines(result.summary)))
    if record is not None:
        print("\nevents a frame:")
        print("\n".join(f"  {line}" for line in record.lines()))
    warn_of(predictor)
    print(f"\n{_suggestion(*analysis.overall.at(analysis.best), analysis.best)}")
    if args.report is not None:
        print(f"curves and confusion matrix in {args.report / 'index.html'}")
    stages = _stages(folder, split)
    if stages or beside:
        print(f"\nbeside {'the stages of training (their own arithmetic, same split)' if stages else 'onnxruntime'}:")
        print("\n".join(_table(stages, {predictor.kind: result, **beside})))
    if args.out is not None:
        figures = {"schema": 1, "model": predictor.name, "kind": predictor.kind, "split": split, "stages": stages}
        if record is not None:
            figures["events"] = record.as_dict()
        if beside:
            figures["beside"] = {kind: {"map50": other.map50, "map": other.map} for kind, other in beside.items()}
        write_whole(
            args.out, json.dumps({**figures, "figures": result.figures(), "result": result.as_dict()}, indent=2) + "\n"
        )
    return OK


def _without_head(model: Path) -> bool:
    """Whether these are artifacts that only give raw outputs. Raises DetrtError where they cannot be read."""
    from detrt.devices.artifacts_folder import DESCRIPTION, read_description

    if not (model / DESCRIPTION).is_file():
        return False
    head = read_description(model).get("head")
    return isinstance(head, dict) and head.get("kind") == ""


def _layer_by_layer(args: argparse.Namespace, folder: Path) -> int:
    """The table of what each layer of an int8 checkpoint costs, as text and JSON."""
    from detc.commands.finished import LOCK
    from detc.commands.progress import bar
    from detc.commands.writing import write_whole
    from detrt.errors import DetrtError
    from detrt.lock import read_lock
    from detrt.predictor import model_classes
    from detrt.train.sensitivity import sensitivity

    if args.model.is_dir():
        return refuse(f"{args.model} is a folder", "--sensitivity wants the best.safetensors of an int8 stage")
    try:
        lock = read_lock(folder / LOCK)
        classes = model_classes(folder, lock)
        with bar(f"{args.model}, layer by layer") as tick:
            found = sensitivity(
                classes, lock, folder / LOCK, args.model, args.split, args.images, args.data_root, args.device, tick
            )
    except DetrtError as error:
        return refuse(str(error))
    print("\n".join(found.lines()))
    if args.out is not None:
        write_whole(args.out, json.dumps(found.as_dict(), indent=2) + "\n")
    return OK


def _dataset(lock: Lock, lock_path: Path, id: str, split: str | None, data_root: Path | None) -> tuple[str, Any]:
    """The split that is asked for, else test, else val, of the data that stage `id`, else the last stage, learns from.
    Raises DetrtError.
    """
    import torch

    from detrt.errors import DetrtError
    from detrt.train.roots import data_bases
    from detrt.train.tasks import task_of

    stages = [stage for stage in reversed(lock.stages) if stage.data]
    stage = next((stage for stage in stages if stage.id == id), next(iter(stages), None))
    if stage is None:
        raise DetrtError("the spec has no stage with data, so there is nothing to score on", lock_path)
    task = task_of(lock, stage.model, stage.data, data_bases(data_root, lock_path), torch.device("cpu"))
    chosen = split or next((s for s in ("test", "val") if task.has_split(s)), "train")
    if not task.has_split(chosen):
        raise DetrtError(f"the data set `{stage.data}` has no split `{chosen}`", lock_path)
    return chosen, task.dataset(chosen)


def _stages(folder: Path, split: str) -> list[dict[str, Any]]:
    """The final figures of the stages of the newest finished run, where they were taken on the same split."""
    runs = sorted(folder.glob("runs/*/result.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        return []
    try:
        stages = json.loads(runs[-1].read_text(encoding="utf-8"))["stages"]
        return [
            {"name": stage["name"], **{key: stage["final"][key] for key in ("map50", "map")}}
            for stage in stages
            if stage["final_split"] == split and {"map50", "map"} <= stage["final"].keys()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _in_onnxruntime(args: argparse.Namespace, part: Any) -> dict[str, Result]:
    """The figures of an artifacts folder's own int8 ONNX file, where it has one and onnxruntime is installed."""
    from importlib.util import find_spec

    from detc.commands.progress import bar
    from detrt.evaluate.score import detect_all, score
    from detrt.onnx_model import open_onnx

    file = args.model / "model_int8.onnx"
    if not file.is_file() or find_spec("onnxruntime") is None:
        return {}
    predictor = open_onnx(file)
    with bar(f"{predictor.name}, {predictor.kind}") as tick:
        found = detect_all(predictor, part, lambda done: tick(done, len(part)))
    return {predictor.kind: score(part, found, args.rule, args.iou)}


def _table(stages: list[dict[str, Any]], measured: dict[str, Result]) -> list[str]:
    rows = [*stages, *({"name": kind, "map50": result.map50, "map": result.map} for kind, result in measured.items())]
    width = max(len(row["name"]) for row in rows)
    head = f"  {'':<{width}}  {'mAP@0.5':>8}  {'mAP':>6}"
    return [head, *(f"  {row['name']:<{width}}  {row['map50']:8.3f}  {row['map']:6.3f}" for row in rows)]


def _suggestion(precision: float, recall: float, f1: float, score: float) -> str:
    """What to say of the score with the best F1, which means nothing where no object was found."""
    if not f1 > 0:
        return "no score threshold to suggest: no object was found at any"
    return f"suggested score threshold {score:.2f}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}"
