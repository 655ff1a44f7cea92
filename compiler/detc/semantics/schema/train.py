"""The keys of train blocks and stages. Defaults are the recipe of the GNetDet MDK's training code where it has one."""

from __future__ import annotations

from detc.semantics.schema.augment import AUGMENTS, SIZES
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import Choice, Dotted, Either, Flag, ListOf, Maybe, Number, Text, Word
from detc.semantics.schema.optimizing import EPOCHS, OPTIMIZERS, RATE, SCHEDULES

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

RANGES = {
    "minmax": Schema("minmax", ()),
    "percentile": Schema(
        "percentile",
        (
            Key("q", Number(above=50, high=100), 99.99, "percentile of all values; the other end is 100 - q"),
            Key(
                "choose",
                Maybe(ListOf(Number(above=50, high=100), least=1)),
                None,
                "percentiles of which the one that validates best is taken",
            ),
        ),
    ),
    "entropy": Schema("entropy", ()),
    "mse": Schema("mse", ()),
}
"""How the range of a tensor is read off what calibration saw of it."""

EVENTS = {
    "sparsity": Schema(
        "sparsity",
        (
            Key("weight", Number(low=0), 0.01, "factor of the penalty in the loss", known_as=("sp_lam", "lam")),
            Key(
                "rate",
                Number(low=0),
                0.01,
                "mean |message| of a layer up to which it costs nothing",
                known_as=("sp_rate", "max_rate"),
            ),
        ),
    )
}
"""What keeps the events of a net few; defaults and meaning of lava-dl's SparsityEnforcer (slayer/loss.py)."""

LONGEST_CLIP = 4096
"""Steps of a clip: as many as data may have."""

SEED = Either({"auto": None}, Maybe(Number(whole=True, low=0, high=2**63 - 1)))

SHARED: tuple[Key, ...] = (
    Key("data", Dotted("the name of a data block"), None, "what it learns from"),
    Key("batch", Number(whole=True, low=1), 16, "pictures a step, over all processes"),
    Key("accumulate", Number(whole=True, low=1), 1, "parts of a batch that go through the net one after the other"),
    Key("optimizer", Choice(OPTIMIZERS), {"name": "sgd", **OPTIMIZERS["sgd"].defaults(), **OPTIMIZERS["sgd"].fixed}),
    Key("lr", RATE, None, "the optimiser's rate"),
    Key("lr.*", RATE, None, "the rate of a part of the model, as in `lr trunk = 1e-4`"),
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
    Key(
        "ema_warmup",
        Maybe(Number(whole=True, low=1, unit="steps", bare=True)),
        None,
        "steps n over which the decay rises as 1 - exp(-step / n); none: as (1 + step) / (10 + step)",
    ),
    Key("sync_bn", Flag(), True, "batch norms see the batch of all processes"),
    Key(
        "deterministic",
        Flag(),
        True,
        "the same kernels each time, where torch has them",
        known_as=("deterministic_ops",),
    ),
    Key("amp", Maybe(Word(("bf16", "fp16"))), None, "autocast; float stages only"),
    Key("clip", Maybe(Number(above=0)), None, "largest norm of the gradient"),
    Key("channels_last", Flag(), True),
    Key(
        "steps",
        Maybe(Number(whole=True, low=1, high=LONGEST_CLIP, unit="steps", bare=True)),
        None,
        "length of the clips of a stage with `quantize events`; none: the data's, else the input's",
    ),
    Key("regularize.events", Maybe(Choice(EVENTS)), None, "a penalty on events; stages with `quantize events`"),
    Key(
        "heads",
        Maybe(ListOf(Number(whole=True, low=0), single=True, least=1)),
        None,
        "numbers of the head's maps that train, from 0; none: all",
    ),
    Key("validate_every", EPOCHS, 1, known_as=("eval_interval",)),
    Key("save_every", Maybe(EPOCHS), None, "keep a checkpoint every so often, besides the best and the last"),
    Key("save_history", Flag(), False, "keep a checkpoint of every epoch", known_as=("save_history_ckpt",)),
    Key(
        "choose",
        Word(("map50", "map", "top1", "top5", "loss")),
        "map50",
        "what makes a checkpoint the best; of a classifier top1",
    ),
    Key("early_stop", Maybe(EPOCHS), None, "epochs without a better checkpoint after which the stage ends"),
    Key("score", Word(("coco", "voc")), "coco", "rules of the mean average precision"),
    Key("seed", SEED, 123, "of weights, order and augmentation; auto: a new one each run", known_as=("global_seed",)),
)
"""What a train block and its stages may both set."""

PER_STAGE: tuple[Key, ...] = (
    Key("start", Maybe(Dotted("a stage's checkpoint, such as `float.best`")), None, "weights it begins with"),
    Key("pretrained", Maybe(Text(path=True)), None, "a file of weights it begins with: .pt, .safetensors or .onnx"),
    Key("pretrained_dataset", Maybe(Text()), None, "what those weights were trained on, for the record"),
    Key(
        "pretrained_input_shape",
        Maybe(ListOf(Number(whole=True, low=1), length=3)),
        None,
        "channels, height and width that they were trained on",
    ),
    Key("load", ListOf(Dotted("a part of the model"), single=True), [], "parts of the model that are taken over"),
    Key("freeze", ListOf(Dotted("a part of the model"), single=True), [], "parts that do not learn"),
    Key("start_epoch", Number(whole=True, low=0, unit="epochs", bare=True), 0, "the epoch that it begins with"),
    Key("for_epochs", Maybe(Number(whole=True, low=1, unit="epochs", bare=True)), None, "how long they are frozen"),
    Key("quantize.weights", Maybe(Word(("masks",))), None),
    Key("quantize.activations", Maybe(Dotted("the caps of a calibration stage, such as `measure.caps`")), None),
    Key("quantize.folded", Maybe(Word(("u5",))), None),
    Key(
        "quantize.events",
        Maybe(Word(("sigma_delta", "chip"))),
        None,
        "the net runs in time and its neurons send events: trained as lava-dl does, or as the chip runs it",
    ),
    Key("quantize.int8", Maybe(Dotted("the ranges of a calibration stage, such as `ptq.ranges`")), None),
    Key("calibrate.caps", Maybe(Choice(CAPS)), None, "measure activation caps instead of training"),
    Key("calibrate.ranges", Maybe(Choice(RANGES)), None, "measure the ranges of int8 instead of training"),
    Key("equalize", Flag(), False, "even out the channels of neighbouring layers before measuring ranges"),
    Key("correct_bias", Flag(), False, "take what rounded weights add on average out of the biases"),
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
