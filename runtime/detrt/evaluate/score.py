"""One way in for every evaluation: artifacts, checkpoints, or detections that are there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.evaluate.coco import score_coco
from detrt.evaluate.in_time import watch_all, watches
from detrt.evaluate.result import Result
from detrt.evaluate.voc import score_voc
from detrt.heads.detections import Detections
from detrt.predictor import Predictor

RULES = ("coco", "pycocotools", "voc", "voc2007")


def score(dataset: DataSet, detections: Sequence[Detections], rule: str = "coco", iou: float | None = None) -> Result:
    """Figures of a split; `detections[i]` belongs to picture i.

    `rule`: coco; pycocotools (the same rules by the reference program); voc (area under the curve); voc2007 (11
    points). `iou`: the overlap that makes a detection right, instead of the rule's own. Raises DetrtError.
    """
    if iou is not None and not 0 < iou < 1:
        raise DetrtError(f"an IoU of {iou:g} does not lie between 0 and 1", "iou")
    if rule == "coco":
        return score_coco(dataset, detections, iou=iou)
    if rule == "pycocotools":
        return score_coco(dataset, detections, "pycocotools", iou)
    if rule in ("voc", "voc2007"):
        return score_voc(dataset, detections, iou or 0.5, eleven=rule == "voc2007")
    raise DetrtError(f"no scoring rule `{rule}`", "score", f"known: {', '.join(RULES)}")


def evaluate(
    predictor: Predictor,
    dataset: DataSet,
    rule: str = "coco",
    images: int | None = None,
    tick: Callable[[int], None] | None = None,
    iou: float | None = None,
) -> Result:
    """Runs a predictor over a checked split, or its first `images` pictures, and scores it; see `detect_all` and `score`."""
    part = dataset if images is None else dataset.first(images)
    return score(part, detect_all(predictor, part, tick), rule, iou)


def detect_all(predictor: Predictor, dataset: DataSet, tick: Callable[[int], None] | None = None) -> list[Detections]:
    """What a predictor finds in each picture of a split; of a net in time in each frame of its videos. `tick` gets the count
    of pictures done.

    Raises DetrtError where the classes of the two differ.
    """
    require_same_classes(predictor, dataset)
    if watches(predictor, dataset):
        return watch_all(predictor, dataset, tick)[0]
    found = []
    for index in range(len(dataset)):
        found.append(predictor.detect(dataset.load(index).image))
        if tick is not None:
            tick(index + 1)
    return found


def require_same_classes(predictor: Predictor, dataset: DataSet) -> None:
    """Raises DetrtError where the classes of the two differ."""
    if dataset.classes and tuple(predictor.classes) != tuple(dataset.classes):
        raise DetrtError(
            f"the detector knows {', '.join(predictor.classes)}; the data {', '.join(dataset.classes)}",
            f"data.{dataset.name}.classes",
        )
