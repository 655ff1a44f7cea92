"""`detc sweep`: the points of a grid, what is refused before training, and runs on this machine and on Ray."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detc.cli import main
from detc.sweep.grid import Axis, Point, points_of, read_axis

SPEC = """\
param width: int = 8
data shapes = data.synthetic(train = 8 images, val = 4 images, size = [32, 32], objects = 1 .. 2)

model tiny extends detector {
  input frame: u8[3, 28, 28] = camera(order = bgr)
  output grid = frame |> conv(width) |> relu |> maxpool(2x2) |> conv(13, k = 1x1) |> relu
  head gnetdet on grid { boxes = 2  classes = 3 }
}

train steps on tiny { data = shapes  batch = 4  optimizer = adamw(lr = 1e-3)  stage float { epochs = 1 } }
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.det"
    path.write_text(SPEC)
    return path


def test_an_axis_keeps_brackets_and_quotes_together() -> None:
    axis = read_axis('train.a.augment = [[flip(0.5), hsv(0.8 .. 1.2)], [], "a, b"]')
    assert axis == Axis("train.a.augment", ("[flip(0.5), hsv(0.8 .. 1.2)]", "[]", '"a, b"'))


@pytest.mark.parametrize("text", ["lr", "lr=1e-3", "=[1]", "lr=[]", "lr=[1,,2]", "lr=[1, 1]", "lr=[1"])
def test_what_is_no_axis_says_why(text: str) -> None:
    assert isinstance(read_axis(text), str)


def test_the_last_axis_runs_fastest() -> None:
    points = points_of([Axis("a", ("1", "2")), Axis("train.b.lr", ("x", "y"))])
    assert isinstance(points, list)
    assert [point.sets for point in points][:2] == [{"a": "1", "train.b.lr": "x"}, {"a": "1", "train.b.lr": "y"}]
    assert [point.folder for point in points] == ["000-a=1,lr=x", "001-a=1,lr=y", "002-a=2,lr=x", "003-a=2,lr=y"]


def test_a_grid_has_bounds_and_an_axis_stands_once() -> None:
    many = tuple(map(str, range(40)))
    assert "1,600 points" in str(points_of([Axis("a", many), Axis("b", many)]))
    assert "two axes" in str(points_of([Axis("a", ("1",)), Axis("a", ("2",))]))


@given(st.text(max_size=120), st.text(max_size=200))
def test_a_folder_name_stays_one_plain_name(name: str, value: str) -> None:
    folder = Point(3, ((name, value),)).folder
    assert folder.startswith("003-") and len(folder) <= 84
    assert not set(folder) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=,-")


def test_points_that_do_not_hold_together_stop_the_sweep_before_training(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", str(spec), "--over", "width=[4, 0]", "-o", "out"]) == 1
    shown = capsys.readouterr()
    assert "000  width = 4  ok" in shown.out and "001  width = 0  does not fit" in shown.out
    assert "1 of 2 points" in shown.err and not Path("out").exists()
    assert main(["sweep", str(spec), "--over", "width=[4, 0]", "--skip-unfit", "--dry-run"]) == 0
    assert main(["sweep", str(spec)]) == 1
    assert "at least one axis" in capsys.readouterr().err


@pytest.mark.long
def test_a_sweep_trains_every_point_and_goes_on_where_it_ended(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", str(spec), "--over", "width=[4, 8]", "-o", "out", "--workers", "0", "--device", "cpu"]
    assert main([*command, "--jobs", "2"]) == 0
    with open("out/sweep.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["width"], row["verdict"]) for row in rows] == [("4", "done"), ("8", "done")]
    assert all(0 <= float(row["map50"]) <= 1 for row in rows)
    assert json.loads(Path("out/001-width=8/spec.lock.json").read_text())["spec"]["overrides"] == {"width": 8}
    weights = Path("out/000-width=4/runs/sweep/float/best.safetensors")
    before = weights.stat().st_mtime_ns
    assert main(command) == 0
    assert "2 of 2 points are done already" in capsys.readouterr().out
    assert weights.stat().st_mtime_ns == before


@pytest.mark.long
@pytest.mark.alone
def test_the_same_on_a_local_ray(
    spec: Path, needs: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    needs("ray", "sweep")
    command = ["sweep", str(spec), "--over", "train.steps.float.lr=[1e-3, 1e-2]", "--ray", "-o", "out"]
    assert main([*command, "--workers", "0", "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert "000-lr=1e-3: done" in table and "001-lr=1e-2: done" in table
    runs = json.loads(Path("out/sweep.json").read_text())["runs"]
    assert [run["verdict"] for run in runs] == ["done", "done"]
