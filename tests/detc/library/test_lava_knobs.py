"""Every knob of lava-dl's train_sdnn.py, set from outside on the library's yolo_kp, arrives where training reads it."""

from __future__ import annotations

from typing import Any

import pytest

from detc.compilation import compile_spec
from detc.library import library_folder
from detc.semantics.elaborate import elaborate
from detc.semantics.lock import lock_of

TUNE = "train.steps.tune"
KNOBS: dict[str, tuple[str, Any, str]] = {
    "b": ("train.steps.batch", 8, "stage.batch"),
    "epoch": (f"{TUNE}.epochs", 30, "stage.epochs"),
    "lr": ("train.steps.lr", 2e-4, "stage.optimizer.lr"),
    "wd": ("train.steps.optimizer.weight_decay", 2e-5, "stage.optimizer.weight_decay"),
    "lrf": (f"{TUNE}.schedule.lrf", 0.02, "stage.schedule.floor"),
    "warmup": (f"{TUNE}.schedule.warmup", 3, "stage.schedule.warmup"),
    "sp_lam": (f"{TUNE}.regularize.events.sp_lam", 0.03, "stage.regularize.events.weight"),
    "sp_rate": (f"{TUNE}.regularize.events.sp_rate", 0.04, "stage.regularize.events.rate"),
    "clip": ("train.steps.clip", 10, "stage.clip"),
    "seed": ("train.steps.seed", 7, "stage.seed"),
    "tgt_iou_thr": ("train.steps.loss.tgt_iou_thr", 0.4, "stage.loss.tgt_iou_thr"),
    "lambda_coord": ("train.steps.loss.coord", 1.1, "stage.loss.coord"),
    "lambda_noobj": ("train.steps.loss.noobj", 2.1, "stage.loss.noobj"),
    "lambda_obj": ("train.steps.loss.obj", 2.2, "stage.loss.obj"),
    "lambda_cls": ("train.steps.loss.cls", 4.1, "stage.loss.cls"),
    "lambda_iou": ("train.steps.loss.iou", 2.3, "stage.loss.iou"),
    "alpha_iou": ("train.steps.loss.alpha_iou", 0.7, "stage.loss.alpha_iou"),
    "label_smoothing": ("train.steps.loss.label_smoothing", 0.2, "stage.loss.label_smoothing"),
    "track_iter": ("train.steps.loss.track_iter", 100, "stage.loss.track_iter"),
    "aug_prob": ("aug", 0.25, "stage.augment.0.p"),
    "clamp_max": ("head.clamp", 4.0, "head.options.clamp"),
    "threshold": ("delta", 0.15, "neuron.threshold"),
    "tau_grad": ("tau_grad", 0.3, "neuron.tau_grad"),
    "scale_grad": ("scale_grad", 0.2, "neuron.scale_grad"),
    "Heads": (f"{TUNE}.heads", [0], "stage.heads.maps"),
}
"""Option of train_sdnn.py (or of the scripts around it): what is set here, to what, and where it stands in the lock."""


def found(lock: dict[str, Any], place: str) -> Any:
    neuron = next(node for node in lock["model"]["nodes"] if node["op"] == "neuron.sigma_delta")
    at: Any = {
        "stage": next(stage for stage in lock["stages"] if stage["id"] == "steps.tune"),
        "head": lock["model"]["heads"][0],
        "neuron": neuron["attributes"],
    }
    for part in place.split("."):
        at = at[int(part)] if isinstance(at, list) else at[part]
    return at


def test_all_of_them_at_once() -> None:
    sets = {name: str(value) for name, value, _ in KNOBS.values()} | {
        f"{TUNE}.pretrained": "kp.pt",
        "trainable": "true",
    }
    sets |= {f"{TUNE}.start": "none", f"{TUNE}.schedule.warmup": "3 epochs"}
    program = elaborate(library_folder() / "yolo_kp.det", sets=sets)
    assert not [f.message for f in program.findings if f.level == "error"]
    model = program.models["yolo_kp"]
    lock = lock_of(program, model, model.graph, program.target, None)
    for option, (_, value, place) in KNOBS.items():
        assert found(lock, place) == value, option
    assert found(lock, "stage.pretrained.path") == "kp.pt" and found(lock, "neuron.trainable") is True


@pytest.mark.parametrize(("word", "sent"), [("none", None), ("sparsity", {"events": {"weight": 0.01, "rate": 0.01}})])
def test_sparsity_is_switched_off_and_on(word: str, sent: Any) -> None:
    done = compile_spec(library_folder() / "yolo_kp.det", None, sets={f"{TUNE}.regularize.events": word})
    (tune,) = (stage.options for stage in done.program.stages if stage.name == "tune")
    assert tune["regularize"] == sent and tune["quantize"]["events"] == "sigma_delta" and tune["steps"] == 4
