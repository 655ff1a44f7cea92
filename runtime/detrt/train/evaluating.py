"""`evaluate.py`: the figures of one checkpoint on one split."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from detrt.errors import DetrtError
from detrt.evaluate.score import RULES
from detrt.lock import read_lock
from detrt.train.distributed import process_group
from detrt.train.finding import add_checkpoint_options, find_checkpoint, load_trained
from detrt.train.folder import write_text
from detrt.train.network import ModelClasses
from detrt.train.overrides import apply_sets
from detrt.train.precision import exact_float32, place
from detrt.train.roots import data_bases
from detrt.train.tasks import task_of
from detrt.train.validation import validate


def main(model: ModelClasses, lock_path: str | Path, argv: Sequence[str] | None = None) -> int:
    """Prints the figures. Returns 0, or 1 for a mistake."""
    found = _options(sys.argv[1:] if argv is None else argv)
    try:
        return _evaluate(model, Path(lock_path), found)
    except DetrtError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("evaluate.py", description="Scores a checkpoint on a split of its data set.")
    add_checkpoint_options(parser)
    parser.add_argument("--split", choices=("train", "val", "test"), help="default: test if there is one, else val")
    parser.add_argument("--rule", choices=RULES, help="how boxes are scored (default: as in training)")
    parser.add_argument(
        "--set", dest="sets", action="append", default=[], metavar="NAME=VALUE", help="e.g. head.conf=0.2"
    )
    parser.add_argument("--device", metavar="NAME")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--data-root", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args(list(argv))


def _evaluate(model: ModelClasses, lock_path: Path, found: argparse.Namespace) -> int:
    lock = apply_sets(read_lock(lock_path), found.sets)
    with process_group(found.device) as processes:
        path = find_checkpoint(lock, lock_path, found)
        trained = load_trained(model, lock, path)
        stage = trained.stage
        exact_float32(stage.left().quantize.any())
        task = task_of(lock, stage.model, stage.data, data_bases(found.data_root, lock_path), processes.device)
        split = found.split or ("test" if task.has_split("test") else "val")
        if not task.has_split(split):
            raise DetrtError(f"the data set `{stage.data}` has no split `{split}`")
        task.check_labels(lambda line: None)
        form = torch.channels_last if stage.channels_last else torch.contiguous_format
        place(trained.network.model, processes.device, form)
        rule = found.rule or stage.score
        loader = task.plain_loader(
            split,
            batch=stage.part,
            rank=processes.rank,
            world=processes.world,
            workers=found.workers,
            steps=stage.time_steps,
        )
        scores = validate(
            trained.network, trained.network.model, task, task.head(stage), split, loader, processes, rule
        )
    if scores is None or not processes.first:
        return 0
    # The loss is left out: its moving normaliser is the training's.
    figures = {name: value for name, value in scores.metrics.items() if name.startswith(("map", "top"))}
    rules = "" if "top1" in figures else f", {rule} rules"
    print(f"{path}  stage {stage.id}, epoch {trained.state.get('epoch')}, {split} split{rules}")
    for name, value in figures.items():
        print(f"  {name:<24} {value:.4f}")
    if found.json is not None:
        content = {
            "checkpoint": str(path),
            "stage": stage.id,
            "split": split,
            "score": rule,
            "figures": figures,
        }
        write_text(found.json, json.dumps(content, indent=2, sort_keys=True) + "\n")
    return 0
