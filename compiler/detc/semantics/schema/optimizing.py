"""Optimisers and learning-rate schedules of a stage."""

from __future__ import annotations

from typing import Any

from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Flag, ListOf, Maybe, Number, Word

RATE = Number(low=0)
SHARE = Number(low=0, below=1)
PROBABILITY = Number(low=0, high=1)
EPOCHS = Number(whole=True, low=1, unit="epochs")

# ---- optimisers -----------------------------------------------------------------------------------------------------

_BETAS = Key("betas", ListOf(SHARE, length=2), [0.9, 0.999], "decay of the running mean and square")
_L2 = Word(("loss", "optimizer"))
_DECAYED = Key(
    "decay",
    Word(("all", "weights")),
    "all",
    "what weight decay shrinks: all, or weights without biases and batch norms",
)

OPTIMIZERS = {
    "sgd": Schema(
        "sgd",
        (
            Key("lr", RATE, 1e-3, "learning rate", known_as=("learning_rate",)),
            Key("momentum", SHARE, 0.9),
            Key("weight_decay", RATE, 3e-6, "factor of the sum of squared weights"),
            Key("l2", _L2, "loss", "weight decay as a term of the loss, or inside the step"),
            Key("nesterov", Flag(), False, "look ahead along the momentum"),
            _DECAYED,
        ),
        {"betas": [0.9, 0.999]},
    ),
    "adamw": Schema(
        "adamw",
        (
            Key("lr", RATE, 1e-3, known_as=("learning_rate",)),
            Key("weight_decay", RATE, 1e-2, "decoupled from the gradient"),
            _BETAS,
            _DECAYED,
        ),
        {"momentum": 0.0, "l2": "optimizer", "nesterov": False},
    ),
    "adam": Schema(
        "adam",
        (
            Key("lr", RATE, 1e-3, known_as=("learning_rate",)),
            Key("weight_decay", RATE, 0.0),
            _BETAS,
            Key("l2", _L2, "optimizer"),
            _DECAYED,
        ),
        {"momentum": 0.0, "nesterov": False},
    ),
}

# ---- schedules ------------------------------------------------------------------------------------------------------

_NONE: dict[str, Any] = {
    "every": None,
    "milestones": [],
    "gamma": 0.1,
    "floor": 0.0,
    "t_max": None,
    "no_aug": 0,
    "warmup": 0,
    "warmup_from": 0.0,
}
"""What a schedule does not use stands in the lock with these values."""

_FLOOR_NAMES = ("min_lr_ratio", "lrf", "eta_min")
_AT_LEAST_NO = Number(whole=True, low=0, unit="epochs")
_GAMMA = Key("gamma", Number(above=0, high=1), 0.1, "factor of each drop")


def _by(default: str) -> Key:
    return Key("by", Word(("epoch", "step")), default, "whether the rate moves between epochs or between steps")


def _warmup(epochs: int = 0, start: float = 1e-10) -> tuple[Key, Key]:
    return (
        Key("warmup", _AT_LEAST_NO, epochs, "epochs in which the rate rises", known_as=("warmup_epochs",)),
        Key("warmup_from", RATE, start, "the rate that the warmup starts from", known_as=("warmup_lr",)),
    )


def _floor(default: float) -> Key:
    return Key("floor", PROBABILITY, default, "share of the rate that is left at the end", known_as=_FLOOR_NAMES)


def _schedule(name: str, *keys: Key, by: str = "epoch") -> Schema:
    own = {key.name for key in keys}
    fixed = {key: value for key, value in _NONE.items() if key not in own}
    return Schema(name, (*keys, _by(by)), fixed)


SCHEDULES = {
    "constant": _schedule("constant", *_warmup()),
    "step": _schedule(
        "step",
        Key("every", EPOCHS, example="every = 400 epochs", known_as=("step_size",)),
        _GAMMA,
        *_warmup(),
    ),
    "multistep": _schedule(
        "multistep",
        Key("at", ListOf(EPOCHS, least=1), example="at = [100 epochs, 150 epochs]", known_as=("milestones",)),
        _GAMMA,
        *_warmup(),
    ),
    "cosine": _schedule(
        "cosine",
        _floor(0.0),
        Key("t_max", Maybe(EPOCHS), None, "epochs from the top to the floor; none: all there are"),
        *_warmup(),
    ),
    "yoloxwarmcos": _schedule(
        "yoloxwarmcos",
        *_warmup(5, 0.0),
        _floor(0.05),
        Key(
            "no_aug",
            Maybe(_AT_LEAST_NO),
            None,
            "last epochs at the floor; none: as many as train without augmentation",
            known_as=("no_aug_epochs",),
        ),
        by="step",
    ),
    "lava": _schedule("lava", _warmup(10)[0], _floor(0.01)),
}
"""yoloxwarmcos with the defaults of YOLOX@6ddff48 (exp/yolox_base.py); lava with those of lava-dl's train_sdnn.py."""
