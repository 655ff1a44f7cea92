"""Where curves go: the CSV, TensorBoard, and for real MLflow's file store and W&B offline, if they are installed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_detector import Tiny, environment, run, stage, write_lock

from detrt.train.trackers import Scene, Trackers

CONFIG = {"spec": "tiny", "seed": 0}


def track(name: str, folder: Path, epochs: range, first: int = 0) -> list[str]:
    """Feeds so many epochs to one tracker of a stage; what it said."""
    said: list[str] = []
    trackers = Trackers((name,), Scene("a", "steps.float", folder, first, CONFIG), said.append)
    for epoch in epochs:
        trackers.scalars(epoch, {"train/loss": 1.0 / epoch, "val/map50": 0.1 * epoch})
        trackers.histograms(epoch, {"parameters/conv1.weight": torch.linspace(-1, 1, 50)})
    trackers.close()
    return said


def test_a_resumed_csv_equals_one_of_a_piece(tmp_path: Path) -> None:
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    track("csv", tmp_path / "whole", range(1, 6))
    track("csv", tmp_path / "parts", range(1, 5))
    track("csv", tmp_path / "parts", range(3, 6), first=2)
    assert (tmp_path / "parts/metrics.csv").read_text() == (tmp_path / "whole/metrics.csv").read_text()


def test_a_csv_takes_new_columns(tmp_path: Path) -> None:
    trackers = Trackers(("csv",), Scene("a", "s", tmp_path), print)
    trackers.scalars(1, {"a": 1})
    trackers.scalars(2, {"a": 2, "b": 3})
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert rows == [{"epoch": "1", "a": "1", "b": ""}, {"epoch": "2", "a": "2", "b": "3"}]


def test_tensorboard_has_scalars_and_histograms(needs: Callable[[str, str], None], tmp_path: Path) -> None:
    needs("tensorboard", "trackers")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = write_lock(tmp_path, [stage("float", epochs=3)])
    assert run(path, "--name", "a", "--track", "csv,tensorboard") == 0
    events = EventAccumulator(str(tmp_path / "runs/a/float/events"), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    terms = {f"train/{term}" for term in ("loc", "contain", "not_contain", "noobj", "cls", "loss")}
    assert terms | {"lr", "val/map50", "val/loss"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("val/map50")] == [1, 2, 3]
    kinds = {tag.partition("/")[0] for tag in tags["histograms"]}
    assert kinds == {"parameters", "gradients", "activations"}
    assert {f"parameters/{name}" for name in Tiny().state_dict()} <= set(tags["histograms"])
    assert "activations/relu3" in tags["histograms"]
    rows = list(csv.DictReader((tmp_path / "runs/a/float/metrics.csv").open()))
    assert events.Scalars("train/loss")[2].value == pytest.approx(float(rows[2]["train/loss"]))


def test_tracking_changes_no_weight(tmp_path: Path) -> None:
    from detrt.train.result import weights_sha256

    path = write_lock(tmp_path, [stage("float")])
    assert run(path, "--name", "with", "--track", "tensorboard") == 0
    assert run(path, "--name", "without") == 0
    with_, without = (weights_sha256(tmp_path / f"runs/{name}/float/best.safetensors") for name in ("with", "without"))
    assert with_ == without


def test_mlflow_keeps_a_run_for_each_stage(needs: Callable[[str, str], None], tmp_path: Path) -> None:
    needs("mlflow", "trackers")
    folder = tmp_path / "runs/a/float"
    folder.mkdir(parents=True)
    assert track("mlflow", folder, range(1, 4)) == []
    assert track("mlflow", folder, range(3, 5), first=2) == []
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "runs/mlruns").as_uri())
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "a/steps.float"
    assert found.info.status == "FINISHED"
    assert found.data.params == {"spec": "tiny", "seed": "0"}
    assert {metric.step for metric in client.get_metric_history(found.info.run_id, "val/map50")} == {1, 2, 3, 4}


@pytest.mark.long
@pytest.mark.alone
def test_wandb_writes_an_offline_run(needs: Callable[[str, str], None], tmp_path: Path) -> None:
    needs("wandb", "trackers")
    import subprocess
    import sys

    program = f"import test_trackers, pathlib; print(test_trackers.track('wandb', pathlib.Path({str(tmp_path)!r}), range(1, 4)))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("[]"), done.stdout
    (found,) = tmp_path.glob("wandb/offline-run-*")
    (record,) = found.glob("run-*.wandb")
    content = record.read_bytes()
    assert b"val/map50" in content
    assert b"parameters/conv1.weight" in content


def test_a_tracker_that_is_not_installed_is_left_out_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "wandb", None)
    assert track("wandb", tmp_path, range(1, 2)) == [
        "not tracking with wandb: wandb is not installed (pip install wandb)"
    ]


def test_a_tracker_that_cannot_write_is_left_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detrt.train.trackers.csv_file import CsvFile

    def full(self: CsvFile, epoch: int, values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CsvFile, "scalars", full)
    assert track("csv", tmp_path, range(1, 4)) == ["csv cannot write (No space left on device); going on without it"]
