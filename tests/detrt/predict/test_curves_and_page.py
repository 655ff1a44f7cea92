"""Curves and the page of a run, from files as training leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detrt.curves import Chart, Series, read_metrics, stage_charts, svg, ticks
from detrt.errors import DetrtError
from detrt.page import write_run_page

finite = st.floats(-1e6, 1e6, allow_nan=False)


def test_ticks_are_round_and_cover() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(3, 97) == [0, 20, 40, 60, 80, 100]


@given(st.lists(st.tuples(finite, finite), max_size=30))
def test_any_numbers_make_well_formed_svg(points: list[tuple[float, float]]) -> None:
    text = svg(Chart("<&> title", (Series("a & b", tuple(sorted(points))), Series("none", ()))))
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "nan" not in text and "inf" not in text


def make_run(folder: Path) -> Path:
    (folder / "float").mkdir(parents=True)
    (folder / "float/metrics.csv").write_text(
        "epoch,lr,train/loss,train/loc,val/loss,val/map50,val/map50/<b>\n"
        "1,0.1,2.0,1.0,2.5,0.1,0.2\n2,0.1,1.0,0.5,nan,0.4,0.3\n3,0.1,0.5,0.2,1.5,0.7,\n"
    )
    stage = {
        "id": "steps.float",
        "name": "float",
        "kind": "train",
        "epochs": 3,
        "seconds": 12.0,
        "final": {"map50": 0.7, "map": 0.4, "map50/<b>": 0.61},
        "final_split": "test",
        "metrics": {},
        "gates": [{"text": "map50 >= 50 %", "verdict": "passed"}],
    }
    measured = {"id": "steps.measure", "name": "measure", "kind": "calibrate", "final": {}, "metrics": {}, "gates": []}
    result = {
        "spec": {"name": "demo & co", "params": {"width": 0.125}},
        "classes": ["<b>"],
        "stages": [stage, measured],
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_metrics_are_read_as_training_writes_them(tmp_path: Path) -> None:
    columns = read_metrics(make_run(tmp_path) / "float/metrics.csv")
    assert columns["val/loss"] == ((1, 2.5), (3, 1.5))
    charts = stage_charts("float", columns)
    assert [chart.title for chart in charts] == [
        "float: mAP on validation",
        "float: loss",
        "float: terms of the training loss",
    ]
    with pytest.raises(DetrtError, match="no column `epoch`"):
        (tmp_path / "other.csv").write_text("a,b\n1,2\n")
        read_metrics(tmp_path / "other.csv")
    with pytest.raises(DetrtError):
        read_metrics(tmp_path / "gone.csv")


def test_the_page_holds_everything_and_lets_no_markup_through(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 40, 3), 90, np.uint8))
    page = write_run_page(
        run,
        tmp_path / "page.html",
        facts={"chip.dat": "5.3 MB"},
        rows=[("chip.dat in the simulator", {"map50": 0.69})],
        pictures=[(tmp_path / "a.png", "unseen <1>")],
    )
    text = page.read_text()
    for expected in (
        "demo &amp; co",
        "0.700",
        "0.690",
        "on the test split",
        "passed",
        "5.3 MB",
        "data:image/jpeg;base64,",
        "unseen &lt;1&gt;",
    ):
        assert expected in text
    assert "<b>0" not in text and '<th class="n">&lt;b&gt;</th>' in text
    assert text.count("<svg") == 3
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_run_without_a_result_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DetrtError, match="train first"):
        write_run_page(tmp_path, tmp_path / "page.html")
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(DetrtError, match="no result"):
        write_run_page(tmp_path, tmp_path / "page.html")
