"""The keys of train blocks and stages. Defaults are the recipe of the GNetDet MDK's training code where it has one."""

from __future__ import annotations

from typing import Any

from detc.semantics.schema.augment import AUGMENTS, PROBABILITY, SIZES
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Choice, Dotted, Either, Flag, ListOf, Maybe, Number, Word

RATE = Number(low=0)
SHARE = Number(low=0, below=1)
EPOCHS = Number(whole=True, low=1, unit="epochs")

_BETAS = Key("betas", ListOf(SHARE), [0.9, 0.999], "decay of the running mean and square")

OPTIMIZERS = {
    "sgd": Schema(
        "sgd",
        (
            Key("lr", RATE, 1e-3, "learning rate"),
            Key("momentum", SHARE, 0.9),
            Key("weight_decay", RATE, 3e-6, "factor of the sum of squared weights"),
            Key("l2", Word(("loss", "optimizer")), "loss", "weight decay as a term of the loss, or inside the step"),
        ),
        {"betas": [0.9, 0.999]},
    ),
    "adamw": Schema(
        "adamw",
        (Key("lr", RATE, 1e-3), Key("weight_decay", RATE, 1e-2, "decoupled from the gradient"), _BETAS),
        {"momentum": 0.0, "l2": "optimizer"},
    ),
    "adam": Schema(
        "adam",
        (
            Key("lr", RATE, 1e-3),
            Key("weight_decay", RATE, 0.0),
            _BETAS,
            Key("l2", Word(("loss", "optimizer")), "optimizer"),
        ),
        {"momentum": 0.0},
    ),
}

_WARMUP = (
    Key("warmup", Number(whole=True, low=0, unit="epochs"), 0, "epochs in which the rate rises linearly"),
    Key("warmup_from", RATE, 1e-10, "the rate that the warmup starts from"),
)
_NO_STEPS: dict[str, Any] = {"every": None, "milestones": [], "gamma": 0.1}

SCHEDULES = {
    "constant": Schema("constant", _WARMUP, {**_NO_STEPS, "floor": 0.0}),
    "step": Schema(
        "step",
        (Key("every", EPOCHS, example="every = 400 epochs"), Key("gamma", Number(above=0, high=1), 0.1), *_WARMUP),
        {"milestones": [], "floor": 0.0},
    ),
    "multistep": Schema(
        "multistep",
        (
            Key("at", ListOf(EPOCHS, least=1), example="at = [100 epochs, 150 epochs]"),
            Key("gamma", Number(above=0, high=1), 0.1),
            *_WARMUP,
        ),
        {"every": None, "floor": 0.0},
    ),
    "cosine": Schema(
        "cosine", (Key("floor", PROBABILITY, 0.0, "share of the rate that is left at the end"), *_WARMUP), _NO_STEPS
    ),
}

CAPS = {
    "percentile": Schema(
        "percentile",
        (
            Key("q", Number(above=0, high=100), 99.0, "percentile of the conv outputs"),
            Key(
                "choose",
                Maybe(ListOf(Number(above=0, high=100), least=1)),
                None,
                "percentiles of which the best is taken",
            ),
        ),
    )
}

SHARED: tuple[Key, ...] = (
    Key("data", Dotted("the name of a data block"), None, "what it learns from"),
    Key("batch", Number(whole=True, low=1), 16, "pictures a step, over all processes"),
    Key("optimizer", Choice(OPTIMIZERS), {"name": "sgd", **OPTIMIZERS["sgd"].defaults(), **OPTIMIZERS["sgd"].fixed}),
    Key("lr", RATE, None, "the optimiser's rate"),
    Key(
        "schedule",
        Choice(SCHEDULES),
        {"name": "constant", **SCHEDULES["constant"].defaults(), **SCHEDULES["constant"].fixed},
    ),
    Key("augment", ListOf(Choice(AUGMENTS)), [], "done in this order, each with its probability"),
    Key("no_aug_epochs", Number(whole=True, low=0, unit="epochs", bare=True), 0, "last epochs, without strong steps"),
    Key("multiscale", Maybe(Choice(SIZES)), None, "each batch at a size of its own"),
    Key("epochs", Number(whole=True, low=1, unit="epochs", bare=True), None),
    Key("run", EPOCHS, None, "another word for epochs"),
    Key("images", Number(whole=True, low=1, unit="images", bare=True), None, "pictures of a calibration"),
    Key("init.convs", Word(("kaiming", "data")), "kaiming", "how conv weights begin"),
    Key("init.head_bias", Maybe(Number()), None, "where the last bias begins"),
    Key("rescale", Maybe(Number(whole=True, low=1, unit="images")), None, "per-channel rescaling before the stage"),
    Key("ema", Maybe(Number(above=0, below=1)), None, "decay of the averaged weights"),
    Key("amp", Maybe(Word(("bf16", "fp16"))), None, "autocast; float stages only"),
    Key("clip", Maybe(Number(above=0)), None, "largest norm of the gradient"),
    Key("channels_last", Flag(), True),
    Key("validate_every", EPOCHS, 1),
    Key("save_every", Maybe(EPOCHS), None, "keep a checkpoint every so often"),
    Key("choose", Word(("map50", "map", "loss")), "map50", "what makes a checkpoint the best"),
    Key("early_stop", Maybe(EPOCHS), None, "epochs without a better checkpoint after which the stage ends"),
    Key("score", Word(("coco", "voc")), "coco", "rules of the mean average precision"),
    Key("seed", Either({"auto": None}, Maybe(Number(whole=True, low=0, high=2**63 - 1))), 0),
)
"""What a train block and its stages may both set."""

PER_STAGE: tuple[Key, ...] = (
    Key("start", Maybe(Dotted("a stage's checkpoint, such as `float.best`")), None, "weights it begins with"),
    Key("load", ListOf(Dotted("a part of the model"), single=True), [], "parts of the model that are taken over"),
    Key("freeze", ListOf(Dotted("a part of the model"), single=True), [], "parts that do not learn"),
    Key("for_epochs", Maybe(Number(whole=True, low=1, unit="epochs", bare=True)), None, "how long they are frozen"),
    Key("quantize.weights", Maybe(Word(("masks",))), None),
    Key("quantize.activations", Maybe(Dotted("the caps of a calibration stage, such as `measure.caps`")), None),
    Key("quantize.folded", Maybe(Word(("u5",))), None),
    Key("calibrate.caps", Maybe(Choice(CAPS)), None, "measure activation caps instead of training"),
    Key(
        "prune.channels",
        Maybe(Word(("l2", "l1", "random"))),
        None,
        "cut the weights of `start` down to this pruned model",
    ),
)
"""What only a stage sets."""


def train_schema(loss: tuple[Key, ...]) -> Schema:
    """The keys of a train block; `loss` are those of the model's head."""
    return Schema("a train block", (*SHARED, *loss))


def stage_schema(loss: tuple[Key, ...]) -> Schema:
    return Schema("a stage", (*SHARED, *PER_STAGE, *loss))
