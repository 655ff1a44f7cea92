"""`detc eval` of a classifier: top-1, top-5, its worst classes and most frequent mistakes."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from detc.commands.writing import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detrt.data.sample import DataSet
    from detrt.heads.detections import Detections
    from detrt.predictor import Predictor


def report_classes(
    args: argparse.Namespace, predictor: Predictor, dataset: DataSet, found: Sequence[Detections], split: str
) -> None:
    """Prints the figures of `found`, and writes what the options ask for. Raises DetrtError."""
    from detrt.errors import DetrtError
    from detrt.evaluate.classifying import classified
    from detrt.evaluate.classifying_report import write_classes_report

    if not dataset.whole:
        raise DetrtError("a classifier is scored on class folders", f"data.{dataset.name}.format")
    result = classified(dataset, found)
    title = f"{predictor.name}, {predictor.kind}, {split} split"
    print(title)
    print("\n".join(f"  {line}" for line in result.lines()))
    mistaken = result.mistaken()
    if mistaken:
        print("\nmost frequent mistakes:")
        print("\n".join(f"  {count:>5}  {truth} called {said}" for truth, said, count in mistaken))
    if args.report is not None:
        write_classes_report(result, args.report, title)
        print(f"classes and confusion matrix in {args.report / 'index.html'}")
    if args.out is not None:
        about = {"schema": 1, "model": predictor.name, "kind": predictor.kind, "split": split}
        content = {**about, "figures": result.figures(), "result": result.as_dict()}
        write_whole(args.out, json.dumps(content, indent=2) + "\n")
