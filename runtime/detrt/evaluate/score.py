"""One way in for every evaluation: artifacts, checkpoints, or detections that are there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.evaluate.coco import score_coco
from detrt.evaluate.result import Result
from detrt.evaluate.voc import score_voc
from detrt.heads.detections import Detections
from detrt.predictor import Predictor

RULES = ("coco", "pycocotools", "voc", "voc2007")


def score(dataset: DataSet, detections: Sequence[Detections], rule: str = "coco") -> Result:
    """Figures of a split; `detections[i]` belongs to picture i.

    `rule`: coco; pycocotools (the same rules by the reference program); voc (area under the curve); voc2007 (11
    points). Raises DetrtError.
    """
    if rule == "coco":
        return score_coco(dataset, detections)
    if rule == "pycocotools":
        return score_coco(dataset, detections, "pycocotools")
    if rule in ("voc", "voc2007"):
        return score_voc(dataset, detections, eleven=rule == "voc2007")
    raise DetrtError(f"no scoring rule `{rule}`", "score", f"known: {', '.join(RULES)}")


def evaluate(
    predictor: Predictor,
    dataset: DataSet,
    rule: str = "coco",
    images: int | None = None,
    tick: Callable[[int], None] | None = None,
) -> Result:
    """Runs a predictor over a checked split, or its first `images` pictures, and scores it. `tick` gets the count
    of pictures done.

    Raises DetrtError where the classes of the two differ.
    """
    if dataset.classes and tuple(predictor.classes) != tuple(dataset.classes):
        raise DetrtError(
            f"the detector knows {', '.join(predictor.classes)}; the data {', '.join(dataset.classes)}",
            f"data.{dataset.name}.classes",
        )
    part = dataset if images is None else dataset.first(images)
    found = []
    for index in range(len(part)):
        found.append(predictor.detect(part.load(index).image))
        if tick is not None:
            tick(index + 1)
    return score(part, found, rule)
