"""Curves, threshold sweep, confusion matrix and the folder that holds them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_average_precision import dataset_of, detections, one, random_case

from detrt.data.sample import Annotation
from detrt.errors import DetrtError
from detrt.evaluate import score
from detrt.evaluate.coco import score_coco
from detrt.evaluate.confusion import confusion
from detrt.evaluate.matching import match
from detrt.evaluate.report import analyse, write_report
from detrt.evaluate.summary import NAMES
from detrt.evaluate.threshold import precision_over_recall, sweep

HERE, THERE, ELSEWHERE = (10, 10, 50, 50), (60, 60, 90, 90), (120, 120, 160, 160)


@pytest.mark.parametrize("seed", range(3))
def test_the_twelve_figures_equal_the_reference(seed: int) -> None:
    dataset, found = random_case(seed, 60)
    rng = np.random.default_rng(seed)
    scaled = [
        replace(p, annotation=replace(p.annotation, areas=rng.uniform(1, 2e4, len(p.annotation))))
        for p in dataset.pictures
    ]
    dataset = replace(dataset, pictures=tuple(scaled))
    fast, reference = (score_coco(dataset, found, tool).summary for tool in ("faster-coco-eval", "pycocotools"))
    assert fast is not None and reference is not None and list(fast) == list(NAMES)
    for name, value in reference.items():
        assert fast[name] == value or abs(fast[name] - value) <= 1e-12, name  # type: ignore[operator]


def test_at_a_chosen_iou_a_looser_overlap_counts() -> None:
    dataset = dataset_of([Annotation.of([HERE], [0])])
    half = [detections(one((10, 10, 50, 29), 0.9))]  # IoU 0.475
    for rule in ("coco", "pycocotools", "voc"):
        assert score(dataset, half, rule).map50 == 0
        loose = score(dataset, half, rule, iou=0.4)
        assert loose.map50 == pytest.approx(1) and loose.map == loose.map50 and loose.iou == 0.4
    with pytest.raises(DetrtError, match="between 0 and 1"):
        score(dataset, half, iou=1.5)


def test_each_box_is_found_once_and_ignored_boxes_take_the_rest() -> None:
    truth = Annotation.of([HERE, THERE], [0, 0], crowd=[False, True])
    dataset = dataset_of([truth])
    found = [detections(one(HERE, 0.9), one(HERE, 0.8), one(THERE, 0.7), one(THERE, 0.6), one(ELSEWHERE, 0.5))]
    matches = match(dataset, found)
    assert matches.scores.tolist() == pytest.approx([0.9, 0.8, 0.5])
    assert matches.right.tolist() == [True, False, False]
    assert matches.asked.tolist() == [1, 0, 0]


def test_the_suggested_threshold_keeps_what_is_right() -> None:
    dataset = dataset_of([Annotation.of([HERE, THERE], [0, 1])])
    found = [detections(one(HERE, 0.9), one(THERE, 0.7, 1), one(ELSEWHERE, 0.4), one(ELSEWHERE, 0.3, 1))]
    own = sweep(match(dataset, found))
    assert 0.4 < own.best <= 0.7
    assert own.at(own.best) == (1.0, 1.0, 1.0)
    assert own.at(0.0) == (0.5, 1.0, pytest.approx(2 / 3))
    assert own.at(0.7) == (1.0, 1.0, 1.0)  # 0.7 in float32 is not below the threshold 0.7
    assert own.at(0.8)[1] == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_curves_agree_with_the_coco_tool(seed: int) -> None:
    """The mean of the 101 precisions is COCO's AP at IoU 0.5, crowds and difficult boxes included."""
    dataset, tied = random_case(seed, 40)
    rng = np.random.default_rng(seed)
    found = []  # equal scores may stand in another order there, and boxes inside out are passed over
    for one_picture in tied:
        upright = one_picture.take((one_picture.boxes[:, :2] < one_picture.boxes[:, 2:]).all(axis=1))
        shaken = upright.scores + rng.uniform(0, 0.02, len(upright))
        found.append(replace(upright, scores=shaken.astype(np.float32)))
    result = score(dataset, found)
    matches = match(dataset, found)
    for label, entry in enumerate(result.classes):
        mean = precision_over_recall(matches.of_class(label)).mean()
        assert entry.ap50 is not None and abs(mean - entry.ap50) < 1e-9


def test_confusion_counts_classes_misses_and_inventions() -> None:
    truth = Annotation.of([HERE, THERE, ELSEWHERE], [0, 1, 2])
    dataset = dataset_of([truth])
    found = [detections(one(HERE, 0.9, 1), one(THERE, 0.9, 1), one((0, 150, 40, 190), 0.9, 0), one(ELSEWHERE, 0.2, 2))]
    table = confusion(dataset, found, 0.5)
    expected = np.zeros((4, 4), int)
    expected[0, 1] = 1  # a taken for b
    expected[1, 1] = 1  # b found
    expected[2, 3] = 1  # c missed: its detection scores too little
    expected[3, 0] = 1  # an a that is not there
    assert table.tolist() == expected.tolist()


def test_the_report_holds_figures_curves_and_pictures(tmp_path: Path) -> None:
    dataset, found = random_case(1)
    dataset = replace(dataset, classes=("<b>a", 'b,"', "c" * 60))
    result = score(dataset, found)
    written = write_report(analyse(dataset, found, result), tmp_path / "out", "a <net>")
    assert {path.name for path in written} == {path.name for path in (tmp_path / "out").iterdir()}
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["result"]["map50"] == result.map50 and set(content["result"]["summary"]) == set(NAMES)
    assert 0 < content["suggested"]["threshold"] < 1
    with open(tmp_path / "out" / "classes.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["class"] for row in rows] == list(dataset.classes)
    assert float(rows[0]["ap50"]) == pytest.approx(result.classes[0].ap50, abs=1e-6)
    with open(tmp_path / "out" / "precision_recall.csv", newline="") as stream:
        assert len(list(csv.reader(stream))) == 102
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<b>a" not in page and "a &lt;net&gt;" in page and page.count("<svg") == 2


def test_a_detector_that_finds_nothing_and_a_split_without_boxes_have_reports(tmp_path: Path) -> None:
    full, empty = dataset_of([Annotation.of([HERE], [0])]), dataset_of([Annotation.of([], [])])
    nothing, something = [detections()], [detections(one(HERE, 0.5))]
    for number, (dataset, found) in enumerate([(full, nothing), (empty, something), (empty, nothing)]):
        analysis = analyse(dataset, found, score(dataset, found))
        write_report(analysis, tmp_path / str(number), "net")
        assert analysis.overall.recall.max() == 0
