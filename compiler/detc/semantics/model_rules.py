"""The rules of models and of the shapes of their tensors."""

from __future__ import annotations

from detc.diagnostics import Rule

# ---- models ---------------------------------------------------------------------------------------------------------

UNKNOWN_BASE = Rule(
    "SEM150",
    "error",
    """a model extends {allowed}, not `{name}`

    The base says what the outputs mean.""",
    help="{remedy}",
)
NO_OUTPUT = Rule(
    "SEM151",
    "error",
    """model `{name}` has no output

    What no output reads is not part of a model.""",
    help="add `output NAME = ..`",
)
NO_INPUT = Rule(
    "SEM152",
    "error",
    """model `{name}` has no input

    A model starts from its `input`.""",
    help="add `input frame: u8[3, 224, 224] = camera(order = bgr)`",
)
SECOND_INPUT = Rule(
    "SEM153",
    "error",
    """model `{name}` has two inputs

    A detector looks at one picture at a time.""",
)
BAD_INPUT = Rule(
    "SEM154",
    "error",
    """the input is {allowed}, not {actual}

    A type is a dtype with channels, height and width: `u8[3, 448, 448]`.""",
    help="{remedy}",
)
NOT_AN_OUTPUT = Rule(
    "SEM155",
    "error",
    """`{name}` is no output of model `{model}`

    A head reads outputs by their names.""",
    help="{remedy}",
)
OUTPUT_KIND = Rule(
    "SEM156",
    "error",
    """output `{name}` is a tensor or a list of tensors, not {actual}

    A generated model returns tensors only.""",
)
INCOMPLETE = Rule(
    "SEM157",
    "error",
    """{what} is incomplete: it needs {allowed}

    The item lacks a part that has no default.""",
    help="{remedy}",
)
WITHOUT_EFFECT = Rule(
    "SEM160",
    "warning",
    """`{name}` has no effect where pictures are resized by {actual}

    `pad` is the grey beside a letterboxed picture, `place` says where a letterboxed or cropped picture lies. A stretched
    picture fills the input.""",
    help="{remedy}",
)
BROKEN_REQUIRE = Rule(
    "SEM158",
    "error",
    """{message}

    A `require` of the spec, judged while it was evaluated, does not hold.""",
)

# ---- shapes ---------------------------------------------------------------------------------------------------------

NOT_POSSIBLE = Rule(
    "SHP101",
    "error",
    """`{name}` {reason}

    The op cannot be applied to the tensors it is given: their shapes, stated here, do not fit its arguments.""",
    help="{remedy}",
)
NOT_SHARED = Rule(
    "SHP102",
    "error",
    """`{name}` is one layer with the same weights everywhere, but here {reason}

    A `let` holds a layer: applied twice it shares its weights, so all its inputs need the channels of the first.""",
    help="write the layer out in each place, or put it into a block, for weights of its own",
)
TOO_BIG_TENSOR = Rule(
    "SHP103",
    "error",
    """`{name}` makes {actual}, larger than any device holds

    A tensor has at most {allowed} values; most likely a number has a digit too many.""",
)

RULES = tuple(value for value in dict(globals()).values() if isinstance(value, Rule))
