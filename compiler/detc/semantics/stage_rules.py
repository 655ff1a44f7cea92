"""What can be wrong with train blocks and stages, beyond their single keys."""

from __future__ import annotations

from detc.diagnostics import Rule

NO_MODEL = Rule(
    "TRN110",
    "error",
    """train `{name}` names no model of this spec{got}

    A train block stands on the model whose weights its stages train.""",
    help="{remedy}",
)
NO_DATA = Rule(
    "TRN111",
    "error",
    """stage `{name}` learns from data `{actual}`, which this spec does not declare

    `data` names a data block.""",
    help="{remedy}",
)
UNKNOWN_STAGE = Rule(
    "TRN112",
    "error",
    """`{key}` of stage `{name}` refers to `{actual}`, and there is no such stage

    A stage of the same block goes by its name, one of another block by `BLOCK.STAGE`; behind it stands `best` or `last`
    for its weights, `caps` or `ranges` for what it measured.""",
    help="{remedy}",
)
NO_CHECKPOINT = Rule(
    "TRN113",
    "error",
    """`{actual}` does not say which weights of that stage it means

    A stage keeps two: those that validated best, and those of its last epoch.""",
    help="write `{fix}.best` or `{fix}.last`",
)
CYCLE = Rule(
    "TRN114",
    "error",
    """the stages {actual} wait for each other

    Each stage comes after those whose weights, caps or results it uses, so they can form no circle.""",
    help="let one of them start without the others",
)
DOUBLED_STAGE = Rule(
    "TRN115",
    "error",
    """`{name}` is the name of two {what}

    A stage is called by its name, so each has its own.""",
    help="rename one of the two",
)
OTHER_MODEL = Rule(
    "TRN116",
    "warning",
    """stage `{name}` starts from weights of another model, `{actual}`, and does not say which parts it takes

    Only layers whose names and shapes are equal in both models can be taken over; the others begin anew.""",
    help="say it with `load = PART`",
)
NO_PART = Rule(
    "TRN117",
    "error",
    """model `{model}` has no part `{actual}` to {key}

    `load` and `freeze` name a let, an output or a layer of the model; everything below it goes along.""",
    help="{remedy}",
)
CALIBRATION = Rule(
    "TRN118",
    "error",
    """stage `{name}` {problem}

    A calibration runs pictures through the net of an earlier stage and measures; it takes no step, so it has `images` and a
    `start` and neither epochs nor an optimiser. A stage that trains has `epochs`.""",
    help="{remedy}",
)
NOT_MEASURED = Rule(
    "TRN119",
    "error",
    """`{actual}` of stage `{name}` is no calibration: it measures no {what}

    `quantize activations` takes the caps that a stage with `calibrate caps` measured, `quantize int8` the ranges of one with
    `calibrate ranges`.""",
    help="add a stage `{{ start = .. {fix} images = 500 }}` and name it",
)
QUANTIZE_ORDER = Rule(
    "TRN120",
    "error",
    """stage `{name}` {problem}

    Folding makes every cap the same by moving it into the weights, so the activations have to be quantised before, in this
    stage or in one that it starts from. int8 takes the ranges of weights as its calibration left them, and goes without masks,
    caps and folding.""",
    help="{remedy}",
)
AUTOCAST = Rule(
    "TRN121",
    "error",
    """stage `{name}` is quantised and asks for {actual} autocast

    Quantised stages compute exactly what the device computes, which half precision cannot hold.""",
    help="set `amp` in the float stages only, or in the train block: quantised stages leave it out by themselves",
)
CLASS_COUNT = Rule(
    "TRN122",
    "error",
    """data `{data}` has {actual} classes, the head of model `{model}` {allowed}

    A label of a class that the head does not have could not be learned.""",
    help="set the head's classes to {actual}, or list fewer in the data",
)
FEWER_CLASSES = Rule(
    "TRN123",
    "warning",
    """data `{data}` has {actual} classes, the head of model `{model}` {allowed}: the rest learns only to stay silent

    Training works, with channels that never see an object.""",
    help="set the head's classes to {actual}",
)
CLASS_WEIGHTS = Rule(
    "TRN124",
    "error",
    """`loss.class_weights` of stage `{name}` has {actual} factors for {allowed} classes

    There is one factor for each class, in their order.""",
    help="give {allowed} factors, or leave it out",
)
NO_LABELS = Rule(
    "TRN125",
    "error",
    """stage `{name}` would learn from `{actual}`, which has no labels

    Pictures without labels serve calibration only.""",
    help="name labelled data, such as data.voc or data.coco",
)
WITHOUT_DATA = Rule(
    "TRN126",
    "warning",
    """stage `{name}` has no data, and the spec declares none: it can be checked, not trained

    A spec that only describes its models and stages is complete for `detc check`; training needs something to learn from.""",
    help='declare `data NAME = data.voc(root = path(".."))` and give the train block `data = NAME`',
)

ACCUMULATE = Rule(
    "TRN127",
    "error",
    """stage `{name}` takes its batch of {allowed} pictures in {actual} parts, which cannot be equal

    `batch` counts the pictures of one step of the optimiser, over all processes; `accumulate` says in how many equal parts
    they go through the net, where they do not fit into memory at once.""",
    help="make `batch` a multiple of {actual}",
)
CONTRADICTION = Rule(
    "TRN128",
    "error",
    """stage `{name}` {problem}

    Two settings of the stage cannot hold at the same time.""",
    help="{remedy}",
)
NO_EFFECT = Rule(
    "TRN129",
    "warning",
    """`{key}` of stage `{name}` changes nothing: {reason}

    The stage trains as if the key were not there.""",
    help="{remedy}",
)
SCHEDULE = Rule(
    "TRN130",
    "warning",
    """the learning rate of stage `{name}` {problem}

    Warmup, drops and the cosine count epochs of their own stage.""",
    help="{remedy}",
)
PRUNING = Rule(
    "TRN140",
    "error",
    """stage `{name}` {problem}

    `prune channels = l2` takes the weights of an earlier stage, keeps the channels with the largest norms and cuts every tensor
    down to the pruned model that the train block stands on. It takes no step; a stage behind it trains what is left.""",
    help="{remedy}",
)

RULES = (
    NO_MODEL, NO_DATA, UNKNOWN_STAGE, NO_CHECKPOINT, CYCLE, DOUBLED_STAGE, OTHER_MODEL, NO_PART, CALIBRATION, NOT_MEASURED,
    QUANTIZE_ORDER, AUTOCAST, CLASS_COUNT, FEWER_CLASSES, CLASS_WEIGHTS, NO_LABELS, WITHOUT_DATA,
    ACCUMULATE, CONTRADICTION, NO_EFFECT, SCHEDULE, PRUNING,
)  # fmt: skip
