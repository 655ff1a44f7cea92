"""What can be wrong with a head: its kind, the tensors it is put on, and options that do not fit them."""

from __future__ import annotations

from detc.diagnostics import Rule

UNKNOWN_KIND = Rule(
    "HED110",
    "error",
    """no head is called `{actual}`

    A head turns the tensors of a model into boxes or classes, and brings the loss that trains them.""",
    help="{remedy}",
)
OUTPUTS = Rule(
    "HED111",
    "error",
    """a {kind} head reads {allowed}, and is put on {actual}

    Each kind of head decodes a fixed number of outputs, in a fixed order.""",
    help="write `head {kind} on {fix} {{ .. }}`",
)
CHANNELS = Rule(
    "HED112",
    "error",
    """`{output}` has {actual} channels; a {kind} head with these options reads {formula}

    A head decodes every channel of its tensor, so their number follows from its options.""",
    help="give the last layer {allowed} channels{remedy}",
)
NOT_A_MAP = Rule(
    "HED113",
    "error",
    """`{output}` is {actual}; a {kind} head reads a map [channels, height, width]

    The cells of the map are the places at which the head looks for objects.""",
    help="put the head on an output that is a map",
)
NAMES = Rule(
    "HED114",
    "error",
    """the head has {allowed} classes and {actual} names

    Every class has one name, in the order of the classes.""",
    help="give as many names as classes, or leave `names` to the data",
)
GRID = Rule(
    "HED115",
    "error",
    """`grid` takes a tensor of the model, whose height and width it is

    It is asked for only where the head's own tensor has no grid.""",
    help="{remedy}",
)
NOT_A_VECTOR = Rule(
    "HED116",
    "error",
    """`{output}` is {actual}; a {kind} head reads a vector [features]

    The head itself says which feature belongs to which class, so the features stand in a row.""",
    help="put `flatten` or a linear layer before the output",
)
FEATURES = Rule(
    "HED117",
    "error",
    """`{output}` has {actual} features; a {kind} head with these options reads {formula}

    A head decodes every feature of its vector, so their number follows from its options and its grid.""",
    help="give the last layer {allowed} features{remedy}",
)
ONE_A_MAP = Rule(
    "HED118",
    "error",
    """`{option}` has {actual} entries for the {allowed} maps of `{output}`

    Each map has its own entry, in the order of the maps.""",
    help="give `{option}` {allowed} entries",
)
SAME_MAPS = Rule(
    "HED119",
    "error",
    """`{output}` has {actual}, `{other}` {allowed}

    The outputs of a head describe the same cells: as many maps each, of the same heights and widths.""",
    help="let both outputs come from the same layers",
)
MASK = Rule(
    "HED120",
    "error",
    """`masks` asks for anchor {actual}; there are {allowed}

    The masks say which of the anchors each map predicts, by their numbers from 0.""",
    help="number the anchors {range}, or give more `anchors`",
)
PRIORS = Rule(
    "HED121",
    "error",
    """`{output}` is {actual}; its priors are made for a grid of {allowed}

    The priors of an SSD head belong to maps of one size: another image size needs its own priors.""",
    help="write `image: {image}` and `grid: {grid}` in level {number} of `ssd.priors`, with steps and sizes to match",
)
PRIOR_IMAGE = Rule(
    "HED122",
    "error",
    """the priors are made for pictures of {allowed} x {allowed}; the input is {actual}

    Sizes of priors are pixels of one picture size: another image size needs its own priors.""",
    help="{remedy}",
)
STRIDE = Rule(
    "HED123",
    "error",
    """`{output}` is {actual}; at stride {stride} a picture of {image} gives {allowed}

    A cell of a map stands for a square of the picture whose side is the stride.""",
    help="{remedy}",
)
CLASSES = Rule(
    "HED124",
    "error",
    """`{output}` has {actual} channels; no number of classes gives these: a {kind} head reads {formula}

    A head without `classes` takes their number from the channels of its tensor.""",
    help="say `classes = ..` to see how many channels it needs",
)

ORDER = Rule(
    "HED125",
    "error",
    """the outputs {actual} stand in another order than a {kind} head reads them

    The place of an output says what the head takes it for; these have the very names of what it reads, but other places.""",
    help="write `head {kind} on {fix} {{ .. }}`",
)

RULES = (
    UNKNOWN_KIND, OUTPUTS, CHANNELS, NOT_A_MAP, NAMES, GRID, NOT_A_VECTOR, FEATURES, ONE_A_MAP, SAME_MAPS, MASK, PRIORS,
    PRIOR_IMAGE, STRIDE, CLASSES, ORDER,
)  # fmt: skip
