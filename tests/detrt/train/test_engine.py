"""Whole runs of a tiny detector through every stage, and everything that may stop or change one."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_detector import Tiny, all_stages, lock, run, stage, write_lock

from detrt.train import evaluate_main
from detrt.train.checkpoint import read_checkpoint, read_weights
from detrt.train.result import weights_sha256


def result(folder: Path, name: str = "a") -> dict[str, Any]:
    return json.loads((folder / "runs" / name / "result.json").read_text())


def hashes(folder: Path, name: str = "a") -> dict[str, str]:
    return {stage["name"]: stage.get("weights_sha256", "") for stage in result(folder, name)["stages"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run `a` of all stages."""
    folder = tmp_path_factory.mktemp("finished")
    assert run(write_lock(folder, all_stages()), "--name", "a") == 0
    return folder


def test_all_stages_leave_their_checkpoints_curves_and_result(finished: Path) -> None:
    found = result(finished)
    assert found["verdict"] == "finished"
    assert [stage["name"] for stage in found["stages"]] == ["float", "weights", "measure", "acts", "chip"]
    assert set(found["data"]) == {"shapes"}
    assert found["stages"][2]["ended"] == "calibrated"
    assert set(found["stages"][2]["caps"]) == {"relu1", "relu2", "relu3"}
    for entry in found["stages"]:
        if entry["kind"] == "train":
            assert entry["final_split"] == "test"
            assert {"map50", "map", "loss"} <= set(entry["final"])
            assert weights_sha256(finished / "runs/a" / entry["checkpoint"]) == entry["weights_sha256"]
    rows = list(csv.DictReader((finished / "runs/a/float/metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[0]["lr"]) == 1e-4
    assert {"train/loss", "train/loc", "val/map50", "time/loader_share"} <= set(rows[0])


def test_the_best_checkpoint_has_the_keys_of_the_model(finished: Path) -> None:
    for name in ("float", "weights", "acts", "chip"):
        assert set(read_weights(finished / f"runs/a/{name}/best.safetensors")) == set(Tiny().state_dict())


def test_the_chip_checkpoint_carries_its_caps_and_scale(finished: Path) -> None:
    state = read_checkpoint(finished / "runs/a/chip/best.safetensors").state
    assert state["output_scale"] == pytest.approx(state["caps"]["relu3"] / 31)
    assert state["identity"]["stage"]["id"] == "steps.chip"


def test_two_runs_are_equal(finished: Path, tmp_path: Path) -> None:
    assert run(write_lock(tmp_path, all_stages()), "--name", "a") == 0
    assert hashes(tmp_path) == hashes(finished)


def test_workers_change_nothing(finished: Path, tmp_path: Path) -> None:
    assert run(write_lock(tmp_path, all_stages()[:1]), "--name", "a", "--workers", "2") == 0
    assert hashes(tmp_path)["float"] == hashes(finished)["float"]


def test_another_seed_changes_everything(finished: Path, tmp_path: Path) -> None:
    assert run(write_lock(tmp_path, all_stages()[:1]), "--name", "a", "--seed", "1") == 0
    assert hashes(tmp_path)["float"] != hashes(finished)["float"]
    assert result(tmp_path)["stages"][0]["seed"] == 1


def test_without_a_seed_each_run_has_its_own(tmp_path: Path) -> None:
    path = write_lock(tmp_path, all_stages()[:1])
    assert run(path, "--name", "a", "--seed", "none") == 0
    assert run(path, "--name", "b", "--seed", "none") == 0
    assert hashes(tmp_path, "a") != hashes(tmp_path, "b")
    assert run(path, "--name", "a", "--seed", "none", "--resume") == 0


def test_evaluate_gives_the_figures_of_training(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("float", "chip"):
        out = tmp_path / "figures.json"
        argv = ["--name", "a", "--stage", name, "--json", str(out), "--workers", "0"]
        assert evaluate_main(Tiny, finished / "spec.lock.json", argv) == 0
        expected = next(entry for entry in result(finished)["stages"] if entry["name"] == name)["final"]
        found = json.loads(out.read_text())
        assert found["split"] == "test"
        assert found["figures"] == {name: value for name, value in expected.items() if name.startswith("map")}


def test_a_run_is_not_written_over(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(finished / "spec.lock.json", "--name", "a") == 1
    assert "there is a run of this name" in capsys.readouterr().err


def test_a_finished_run_has_nothing_to_resume(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = hashes(finished)
    assert run(finished / "spec.lock.json", "--resume") == 0
    assert hashes(finished) == before
    assert "float: done before" in capsys.readouterr().out


def test_runs_are_numbered(tmp_path: Path) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=1)])
    assert run(path) == run(path) == 0
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == ["1", "2"]


def test_one_stage_can_be_done_anew(tmp_path: Path) -> None:
    path = write_lock(tmp_path, all_stages())
    assert run(path, "--name", "a", "--stage", "float") == 0
    assert run(path, "--name", "a", "--stage", "weights,measure") == 0
    before = hashes(tmp_path)
    assert run(path, "--name", "a", "--stage", "weights", "--seed", "7") == 0
    after = hashes(tmp_path)
    assert after["float"] == before["float"]
    assert after["weights"] != before["weights"]
    assert (tmp_path / "runs/a/weights.1/best.safetensors").exists()


def test_a_stage_needs_what_it_begins_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lock(tmp_path, all_stages())
    assert run(path, "--name", "a", "--stage", "weights") == 1
    assert "begins with the result of `steps.float`" in capsys.readouterr().err
    assert run(path, "--name", "b", "--stage", "wieghts") == 1
    assert "there is no stage `wieghts`" in capsys.readouterr().err


GATE = {
    "text": "map50 >= 2",
    "condition": {"op": ">=", "left": {"name": "map50"}, "right": {"value": 2, "unit": None}},
    "message": "never good enough",
    "verdict": "unjudged",
}


def test_a_failed_gate_stops_after_its_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = all_stages()[:2]
    stages[0]["gates"] = [GATE]
    path = write_lock(tmp_path, stages)
    assert run(path, "--name", "a") == 1
    printed = capsys.readouterr().out
    assert "gate failed: map50 >= 2" in printed
    assert "never good enough" in printed
    assert result(tmp_path)["verdict"] == "gate failed"
    assert (tmp_path / "runs/a/float/best.safetensors").exists()
    assert not (tmp_path / "runs/a/weights").exists()
    assert run(path, "--name", "a", "--resume") == 1
    assert run(path, "--name", "a", "--resume", "--past-gate") == 0
    assert list(hashes(tmp_path)) == ["float", "weights"]


def test_a_checkpoint_of_another_spec_is_refused_with_the_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=3)])
    assert run(path, "--name", "a") == 0
    (tmp_path / "runs/a/float/stage.json").unlink()
    other = lock([stage("float", epochs=3, ema=0.5)])
    other["model"]["heads"][0]["options"]["names"] = ["disc", "cross"]
    other["data"]["shapes"]["classes"] = ["disc", "cross"]
    path.write_text(json.dumps(other))
    assert run(path, "--name", "a", "--resume") == 1
    error = capsys.readouterr().err
    assert "is of another spec" in error
    assert "stage.ema: 0.9 in the checkpoint, 0.5 now" in error
    assert "classes: ['disc', 'square'] in the checkpoint, ['disc', 'cross'] now" in error


def test_weights_of_another_network_are_refused_with_the_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from safetensors.torch import save_file

    save_file(
        {**Tiny().state_dict(), "head.weight": torch.zeros(3, 8, 3, 3), "extra": torch.zeros(1)},
        tmp_path / "other.safetensors",
    )
    path = write_lock(tmp_path, [stage("float")])
    assert run(path, "--name", "a", "--init-from", str(tmp_path / "other.safetensors")) == 1
    error = capsys.readouterr().err
    assert "extra: only in the checkpoint" in error
    assert "head.weight: [3, 8, 3, 3] in the checkpoint, [12, 8, 3, 3] in the model" in error


def test_training_goes_on_from_given_weights(finished: Path, tmp_path: Path) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=0)])
    assert run(path, "--name", "a", "--init-from", str(finished / "runs/a/float/best.safetensors")) == 0
    assert hashes(tmp_path)["float"] == hashes(finished)["float"]


def test_loads_and_freezes_parts(finished: Path, tmp_path: Path) -> None:
    first = stage("float", epochs=2)
    second = stage(
        "tuned",
        epochs=2,
        start={"stage": "steps.float", "which": "best"},
        load=["conv1", "conv2"],
        freeze={"prefixes": ["conv1"], "epochs": None},
    )
    assert run(write_lock(tmp_path, [first, second]), "--name", "a") == 0
    before, after = (read_weights(tmp_path / f"runs/a/{name}/best.safetensors") for name in ("float", "tuned"))
    assert (before["conv1.weight"] == after["conv1.weight"]).all()
    assert (before["conv2.weight"] != after["conv2.weight"]).any()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=4)])
    assert run(path, "--name", "whole") == 0
    assert run(path, "--name", "a") == 0
    (tmp_path / "runs/a/float/stage.json").unlink()
    last = tmp_path / "runs/a/float/last.safetensors"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 4
    last.write_bytes(content)
    assert run(path, "--name", "a", "--resume") == 0
    assert "going on from the one before it" in capsys.readouterr().out
    assert hashes(tmp_path) == hashes(tmp_path, "whole")
    for file in (last, last.with_name("last.previous.safetensors")):
        file.write_bytes(content)
    (tmp_path / "runs/a/float/stage.json").unlink()
    assert run(path, "--name", "a", "--resume") == 1
    assert "the checkpoint is damaged" in capsys.readouterr().err


def test_a_full_disk_is_a_clear_error_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=4)])
    assert run(path, "--name", "whole") == 0
    real, calls = os.fsync, [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert run(path, "--name", "a") == 1
    assert "the disk is full" in capsys.readouterr().err
    monkeypatch.setattr(os, "fsync", real)
    assert run(path, "--name", "a", "--resume") == 0
    assert hashes(tmp_path) == hashes(tmp_path, "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_to_go_on_from(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from detrt.train.stages import TrainingStage

    path = write_lock(tmp_path, [stage("float", epochs=6)])
    assert run(path, "--name", "whole") == 0
    real, saves = TrainingStage.save, [0]

    def save(self: TrainingStage) -> None:
        real(self)
        saves[0] += 1
        if saves[0] == 2:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(TrainingStage, "save", save)
    assert run(path, "--name", "a") == 128 + number
    assert "go on with --resume" in capsys.readouterr().err
    assert run(path, "--name", "a", "--resume") == 0
    assert hashes(tmp_path) == hashes(tmp_path, "whole")
    assert (tmp_path / "runs/a/float/metrics.csv").read_text().count("\n") == 7


def test_a_signal_outside_the_loop_ends_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detrt.train.task import DetectionTask

    path = write_lock(tmp_path, all_stages())
    real, checks = DetectionTask.score, [0]

    def score(self: DetectionTask, split: str, detections: Any, rule: str) -> dict[str, float]:
        checks[0] += 1
        if split == "test":  # the figures of a stage, after its loop
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return real(self, split, detections, rule)

    monkeypatch.setattr(DetectionTask, "score", score)
    begun = time.monotonic()
    assert run(path, "--name", "a") == 143
    assert time.monotonic() - begun < 50
    monkeypatch.setattr(DetectionTask, "score", real)
    assert run(path, "--name", "a", "--resume") == 0


EVERY_KNOB = {
    "optimizer": {"name": "sgd", "lr": 1e-2, "nesterov": True, "weight_decay": 1e-3, "l2": "loss", "decay": "weights"},
    "rates": {"conv2": 1e-3},
    "schedule": {"name": "yoloxwarmcos", "by": "step", "warmup": 1, "warmup_from": 0.0, "floor": 0.1},
    "no_aug_epochs": 1,
    "accumulate": 2,
    "ema_warmup": 4,
    "freeze": {"prefixes": ["conv1"], "epochs": 2},
    "start_epoch": 1,
}


@pytest.mark.parametrize(("knobs", "every"), [({}, 3), (EVERY_KNOB, 4)], ids=["plain", "every knob"])
def test_an_interrupt_in_the_middle_of_an_epoch_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], every: int
) -> None:
    from detrt.train.interrupts import Interrupts

    path = write_lock(
        tmp_path, [stage("float", **{"epochs": 4 if knobs else 3, **knobs})], pictures=10 if knobs else 12
    )
    assert run(path, "--name", "whole") == 0
    real, looks = Interrupts.look, [0]

    def look(self: Interrupts, step: int, processes: Any) -> bool:
        looks[0] += 1
        if looks[0] % every == 0:
            self._asked = signal.SIGINT
        return real(self, step, processes)

    monkeypatch.setattr(Interrupts, "look", look)
    assert run(path, "--name", "a") == 130
    codes = []
    while not codes or codes[-1] == 130:
        codes.append(run(path, "--name", "a", "--resume"))
        assert len(codes) < 20
    assert codes[-1] == 0
    assert len(codes) > 2
    assert hashes(tmp_path) == hashes(tmp_path, "whole")

    def curves(name: str) -> list[list[str]]:
        rows = csv.DictReader((tmp_path / f"runs/{name}/float/metrics.csv").open())
        return [[value for key, value in row.items() if not key.startswith("time/")] for row in rows]

    assert curves("a") == curves("whole")


def test_a_stage_can_be_ended_by_a_file_and_the_next_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = all_stages()[:2]
    stages[0]["epochs"] = 10_000
    path = write_lock(tmp_path, stages)

    def stop() -> None:
        while not (tmp_path / "runs/a/float/best.safetensors").exists():
            time.sleep(0.001)
        (tmp_path / "runs/a/float/stop").touch()

    thread = threading.Thread(target=stop)
    thread.start()
    assert run(path, "--name", "a") == 0
    thread.join()
    found = result(tmp_path)["stages"]
    assert found[0]["ended"] == "by hand"
    assert found[1]["ended"] == "all epochs"
    assert not (tmp_path / "runs/a/float/stop").exists()


def test_early_stop(tmp_path: Path) -> None:
    path = write_lock(
        tmp_path,
        [stage("float", epochs=100, early_stop={"patience": 2}, choose="loss", optimizer={"name": "sgd", "lr": 0.0})],
    )
    assert run(path, "--name", "a") == 0
    found = result(tmp_path)["stages"][0]
    assert found["ended"] == "early stop"
    assert found["epochs"] == found["best_epoch"] + 2


def test_patience_counts_epochs_whatever_is_validated(tmp_path: Path) -> None:
    sgd = {"name": "sgd", "lr": 0.0}
    entry = stage("float", epochs=40, early_stop={"patience": 4}, validate_every=2, ema=None, optimizer=sgd)
    assert run(write_lock(tmp_path, [entry]), "--name", "a") == 0
    found = result(tmp_path)["stages"][0]
    assert (found["best_epoch"], found["epochs"]) == (2, 6)


def test_changed_data_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lock(tmp_path, [stage("float")])
    assert run(path, "--name", "a") == 0
    (tmp_path / "runs/a/float/stage.json").unlink()
    content = json.loads(path.read_text())
    content["data"]["shapes"]["train"]["seed"] = 9
    path.write_text(json.dumps(content))
    assert run(path, "--name", "a", "--resume") == 0
    assert "the data set has changed" in capsys.readouterr().out


def test_numbered_checkpoints_and_rare_validation(tmp_path: Path) -> None:
    path = write_lock(tmp_path, [stage("float", epochs=5, save_every=2, validate_every=3)], test=False)
    assert run(path, "--name", "a") == 0
    assert sorted(file.name for file in (tmp_path / "runs/a/float").glob("epoch-*.safetensors")) == [
        "epoch-0002.safetensors",
        "epoch-0004.safetensors",
    ]
    rows = list(csv.DictReader((tmp_path / "runs/a/float/metrics.csv").open()))
    assert [row["epoch"] for row in rows if row["val/map50"]] == ["3", "5"]
    assert result(tmp_path)["stages"][0]["final_split"] == "val"


def test_without_a_validation_split_the_last_epoch_is_kept(tmp_path: Path) -> None:
    content = lock([stage("float")])
    content["data"]["shapes"]["val"] = None
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(content))
    assert run(path, "--name", "a") == 0
    assert result(tmp_path)["stages"][0]["best_epoch"] == 2


def test_a_loss_that_is_not_finite_stops_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lock(
        tmp_path,
        [stage("float", optimizer={"name": "sgd", "lr": 1e30}, clip=None, epochs=5, schedule={"name": "constant"})],
    )
    assert run(path, "--name", "a") == 1
    assert "--set train.steps.float.lr=" in capsys.readouterr().err


def test_missing_data_says_where_it_was_looked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = lock([stage("float")])
    content["data"]["shapes"] |= {"format": "voc", "root": "data/cells", "train": {"split": "train"}}
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(content))
    assert run(path, "--name", "a") == 1
    error = capsys.readouterr().err
    assert str(tmp_path / "data/cells") in error
    assert "--set data.shapes.root=FOLDER" in error


def test_a_quantised_stage_needs_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write_lock(tmp_path, all_stages(), target=None), "--name", "a") == 1
    assert "the lock has no target" in capsys.readouterr().err


def test_a_model_that_does_not_fit_its_lock_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = lock([stage("float")])
    content["model"]["nodes"][1]["name"] = content["model"]["nodes"][1]["module"] = "stem"
    path = tmp_path / "spec.lock.json"
    path.write_text(json.dumps(content))
    assert run(path, "--name", "a") == 1
    assert "Tiny has no layer stem" in capsys.readouterr().err
