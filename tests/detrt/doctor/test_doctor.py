"""The doctor finds a sound patient healthy and names what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from detrt.data import open_dataset
from detrt.data.check import check_labels
from detrt.data.encode import Encoding
from detrt.doctor.examine import examine
from detrt.doctor.learning import loss_step, overfit, rate_curve
from detrt.doctor.looking import first_batch, matches
from detrt.doctor.patient import Patient
from detrt.heads import build_head
from detrt.lock import Optimizer

SIDE = 64


def small_net(bias: float = 0.3) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for out in (12, 16, 24, 24):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = out
    last = nn.Conv2d(channels, 13, 3, padding=1)
    net = nn.Sequential(*layers, last, nn.ReLU())
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        net[0].weight /= 10.0
        last.weight *= 0.1
        last.bias.fill_(bias)
    return net


def patient(make: Callable[[], nn.Module] = small_net) -> Patient:
    data = {
        "format": "synthetic",
        "train": {"images": 12, "seed": 1},
        "options": {"size": [SIDE, SIDE], "objects": [1, 2]},
    }
    dataset, _ = check_labels(open_dataset(data, "train", Path(".")))
    loss = {"noobj": 0.05, "detach_iou": True, "sqrt_eps": 1e-3, "norm_init": None}
    head = build_head({"kind": "gnetdet", "on": ["grid"], "options": {"classes": 3, "grid": [4, 4]}}, loss)
    return Patient("toy", dataset, Encoding(SIDE, SIDE, "bgr", "u5"), head, make, Optimizer(name="adamw"), 4, workers=0)


def test_looking_leaves_pictures_and_counts(tmp_path: Path) -> None:
    assert first_batch(patient(), tmp_path).verdict == "good"
    assert (tmp_path / "first-batch.png").is_file()
    check = matches(patient(), tmp_path)
    assert check.figures["asked"] == patient().dataset.box_count()
    assert check.lines[0].split() == ["class", "boxes", "in", "the", "target"]


def test_a_class_without_a_box_is_worth_a_look(tmp_path: Path) -> None:
    whole = patient()
    only = tuple(replace(p, annotation=p.annotation.take(p.annotation.labels == 0)) for p in whole.dataset)
    whole.dataset = replace(whole.dataset, pictures=only)
    check = matches(whole, tmp_path)
    assert check.verdict == "look" and "none of square, triangle" in check.text
    whole.dataset = replace(
        whole.dataset, pictures=tuple(replace(p, annotation=p.annotation.take(p.annotation.labels < 0)) for p in only)
    )
    assert matches(whole, tmp_path).verdict == "bad"


def test_one_step_finds_dead_and_broken_nets(tmp_path: Path) -> None:
    assert loss_step(patient(), tmp_path).verdict == "good"
    dead = loss_step(patient(lambda: small_net(bias=-1e6)), tmp_path)
    assert dead.verdict == "bad" and "no parameter gets a gradient" in dead.text
    broken = loss_step(patient(lambda: small_net(bias=float("nan"))), tmp_path)
    assert broken.verdict == "bad" and "nan" in broken.text


@pytest.mark.long
def test_a_net_that_cannot_learn_does_not_pass(tmp_path: Path) -> None:
    check = overfit(patient(lambda: small_net(bias=-1e6)), tmp_path)
    assert check.verdict == "bad"


@pytest.mark.long
def test_a_sound_patient_is_ready(tmp_path: Path) -> None:
    report = examine(patient(), tmp_path)
    assert report.healthy, report.text()
    assert [check.name for check in report.checks] == [
        "first batch",
        "targets",
        "one loss step",
        "overfit on 8 pictures",
        "learning rate",
    ]
    for check in report.checks:
        assert all((tmp_path / name).is_file() for name in check.files)
    assert (tmp_path / "doctor.json").is_file() and "ready to train" in (tmp_path / "doctor.txt").read_text()


@pytest.mark.long
def test_the_rate_curve_marks_the_stages_own(tmp_path: Path) -> None:
    check = rate_curve(patient(), tmp_path)
    assert 0 < check.figures["suggested"] < 1
    assert "the stage&#x27;s" in (tmp_path / "learning-rate.svg").read_text()
