"""mAP by the rules of COCO against the reference program, of VOC against cases counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detrt.data.sample import Annotation, DataSet, Picture
from detrt.errors import DetrtError
from detrt.evaluate import score
from detrt.evaluate.coco import score_coco
from detrt.evaluate.voc import average_precision, score_voc
from detrt.heads.detections import Detections

SIZE = 200


def dataset_of(annotations: list[Annotation], classes: tuple[str, ...] = ("a", "b", "c")) -> DataSet:
    pictures = [Picture(str(i), Path(f"{i}.png"), SIZE, SIZE, a) for i, a in enumerate(annotations)]
    return DataSet(
        "data", "val", classes, tuple(pictures), lambda p: np.zeros((SIZE, SIZE, 3), np.uint8), on_disk=False
    )


def random_case(seed: int, pictures: int = 30) -> tuple[DataSet, list[Detections]]:
    """Boxes with detections that are near them, doubled, of the wrong class, or nowhere; some crowds and difficult
    ones.
    """
    rng = np.random.default_rng(seed)
    annotations, found = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 7))
        corner = rng.uniform(0, 140, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(4, 60, (count, 2))], axis=1)
        labels = rng.integers(0, 3, count)
        annotations.append(
            Annotation.of(
                boxes.tolist(), labels.tolist(), (rng.random(count) < 0.1).tolist(), (rng.random(count) < 0.1).tolist()
            )
        )
        near = np.concatenate(
            [boxes + rng.normal(0, 4, boxes.shape), boxes + rng.normal(0, 12, boxes.shape), rng.uniform(0, 199, (2, 4))]
        )
        near[-2:] = np.sort(near[-2:].reshape(2, 2, 2), axis=1).reshape(2, 4)
        own = np.concatenate(
            [labels, np.where(rng.random(count) < 0.2, rng.integers(0, 3, count), labels), rng.integers(0, 3, 2)]
        )
        scores = rng.integers(1, 40, len(own)) / 40  # many ties
        found.append(Detections((near / SIZE).astype(np.float32), scores.astype(np.float32), own.astype(np.int64)))
    return dataset_of(annotations), found


@pytest.mark.parametrize("seed", range(6))
def test_the_fast_tool_equals_the_reference(seed: int) -> None:
    dataset, found = random_case(seed)
    fast, reference = (score_coco(dataset, found, tool) for tool in ("faster-coco-eval", "pycocotools"))
    assert 0.1 < fast.map50 < 1
    pairs = [(fast.map, reference.map), (fast.map50, reference.map50), (fast.map75, reference.map75)]
    for a, b in zip(fast.classes, reference.classes, strict=True):
        pairs += [(a.ap, b.ap), (a.ap50, b.ap50)]
    for a, b in pairs:
        assert a is not None and b is not None and abs(a - b) <= 1e-12


def one(box: tuple[float, float, float, float], value: float, label: int = 0) -> tuple[list[float], float, int]:
    return [v / SIZE for v in box], value, label


def detections(*rows: tuple[list[float], float, int]) -> Detections:
    boxes = np.array([r[0] for r in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([r[1] for r in rows], np.float32), np.array([r[2] for r in rows], np.int64))


def test_perfect_detections_score_one_under_every_rule() -> None:
    dataset = dataset_of([Annotation.of([(10, 10, 50, 50), (60, 60, 90, 90)], [0, 1]), Annotation.of([], [])])
    found = [detections(one((10, 10, 50, 50), 0.9), one((60, 60, 90, 90), 0.8, 1)), Detections.none()]
    for rule in ("coco", "pycocotools", "voc", "voc2007"):
        result = score(dataset, found, rule)
        assert result.map50 == pytest.approx(1.0)
        assert [c.ap50 for c in result.classes] == [pytest.approx(1.0), pytest.approx(1.0), None]
        assert result.figures().keys() == {"map50", "map", "map50/a", "map50/b"}
    with pytest.raises(DetrtError, match="no scoring rule"):
        score(dataset, found, "iou")


def test_nothing_found_and_nothing_asked_for() -> None:
    dataset = dataset_of([Annotation.of([(10, 10, 50, 50)], [0])])
    for rule in ("coco", "voc"):
        result = score(dataset, [Detections.none()], rule)
        assert (result.map50, result.classes[0].ap50, result.classes[1].ap50) == (0.0, 0.0, None)
        assert score(dataset_of([Annotation.of([], [])]), [Detections.none()], rule).map50 == 0.0


def test_average_precision_by_hand() -> None:
    """Right, wrong, right of 4: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 1/2."""
    hits = np.array([True, False, True])
    assert average_precision(hits, 4) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert average_precision(hits, 4, eleven=True) == pytest.approx((3 * 1 + 3 * 2 / 3) / 11)


def test_a_box_is_found_once_and_doubles_count_as_wrong() -> None:
    dataset = dataset_of([Annotation.of([(10, 10, 50, 50)], [0])], ("a",))
    double = [detections(one((10, 10, 50, 50), 0.9), one((11, 10, 50, 50), 0.8))]
    assert score_voc(dataset, double).map50 == 1.0
    worse_first = [detections(one((11, 100, 50, 140), 0.9), one((10, 10, 50, 50), 0.8))]
    assert score_voc(dataset, worse_first).map50 == 0.5


def test_difficult_boxes_are_neither_asked_for_nor_wrong() -> None:
    hard = Annotation.of([(10, 10, 50, 50), (60, 60, 90, 90)], [0, 0], None, [False, True])
    found = [detections(one((60, 60, 90, 90), 0.9), one((10, 10, 50, 50), 0.8))]
    for rule in ("coco", "voc"):
        result = score(dataset_of([hard], ("a",)), found, rule)
        assert result.map50 == pytest.approx(1.0)
        assert result.classes[0].boxes == 1


def test_the_inclusive_pixel_decides_at_the_edge() -> None:
    """Boxes of 2x2 shifted by one: 2/6 as they are, 6/12 = 0.5 with inclusive pixels, which is not above 0.5; 0.4
    tells them apart.
    """
    dataset = dataset_of([Annotation.of([(10, 10, 12, 12)], [0])], ("a",))
    found = [detections(one((11, 10, 13, 12), 0.9))]
    assert score_voc(dataset, found, iou=0.4, plus_one=True).map50 == 1.0
    assert score_voc(dataset, found, iou=0.4, plus_one=False).map50 == 0.0
    assert score_voc(dataset, found, iou=0.5, plus_one=True).map50 == 0.0


def test_the_table_is_readable() -> None:
    dataset = dataset_of([Annotation.of([(10, 10, 50, 50)], [0])], ("cell", "platelet"))
    lines = score(dataset, [detections(one((10, 10, 50, 50), 0.9))]).lines()
    assert lines == [
        "class      boxes    AP50      AP",
        "cell           1   1.000   1.000",
        "platelet       0       -       -",
        "all            1   1.000   1.000",
    ]
