"""The rules of names, types, calls and shapes: each text is the message, the page of `detc explain` and the manual."""

from __future__ import annotations

from detc.diagnostics import Rule

# ---- names ----------------------------------------------------------------------------------------------------------

UNKNOWN_NAME = Rule(
    "SEM101",
    "error",
    """nothing here is called `{name}`

    A name is a parameter, a `let`, a block, an op or a library that this place can see. Words such as `same` or `bgr` have a
    meaning only where an argument takes words.""",
    help="{remedy}",
)
REDEFINED = Rule(
    "SEM102",
    "error",
    """`{name}` is defined already

    Every name has one meaning in its scope, so that a line can be read without knowing what stands below it. An inner scope may
    use a name of an outer one anew.""",
    help="choose another name",
)
USED_BEFORE = Rule(
    "SEM103",
    "error",
    """`{name}` is used before it is defined

    Items are evaluated from top to bottom; only blocks may be used above their definition.""",
    help="move the definition up",
)
RESERVED_NAME = Rule(
    "SEM104",
    "error",
    """`{name}` is an attribute of every tensor and cannot be the name of something inside a block

    `x.channels`, `x.height`, `x.width`, `x.shape` and `x.dtype` ask a tensor for its type; a member of the same name could not be
    reached.""",
    help="choose another name",
)
UNKNOWN_MEMBER = Rule(
    "SEM105",
    "error",
    """{owner} has no `{name}`

    An instance of a block has its lets and outputs for members, a tensor its attributes, a library its functions.""",
    help="{remedy}",
)
UNKNOWN_WORD = Rule(
    "SEM106",
    "error",
    """`{actual}` is no value of `{name}`: it takes {allowed}

    The argument takes one of a few words.""",
    help="{remedy}",
)
UNKNOWN_ITEM = Rule(
    "SEM107",
    "error",
    """`{name}` is nothing that {place} can hold

    The word at the start of an item says what it defines; each place knows its own words.""",
    help="{remedy}",
)

# ---- calls ----------------------------------------------------------------------------------------------------------

UNKNOWN_ARGUMENT = Rule(
    "SEM110",
    "error",
    """`{function}` has no argument `{name}`

    Arguments are given in their order or by their names.""",
    help="{remedy}",
)
MISSING_ARGUMENT = Rule(
    "SEM111",
    "error",
    """`{function}` needs its argument `{name}`

    An argument without a default has to be given.""",
    help="{remedy}",
)
TOO_MANY_ARGUMENTS = Rule(
    "SEM112",
    "error",
    """`{function}` takes {allowed}, not {actual}

    Arguments after those that may stand by their order are given by name. The tensor that is piped in counts as the first.""",
    help="{remedy}",
)
DOUBLED_ARGUMENT = Rule(
    "SEM113",
    "error",
    """`{function}` is given `{name}` twice

    Once by order or through the pipe, once by name.""",
    help="give it once",
)
WRONG_ARGUMENT = Rule(
    "SEM114",
    "error",
    """`{name}` of `{function}` takes {allowed}, not {actual}

    The value has the wrong kind for this argument.""",
    help="{remedy}",
)
NOT_A_FUNCTION = Rule(
    "SEM115",
    "error",
    """{actual} cannot be called

    Blocks, ops and library functions can be called.""",
)
NOT_APPLICABLE = Rule(
    "SEM116",
    "error",
    """the right side of `|>` is {actual}, not something a tensor can go through

    `x |> f` applies the block, op or composition f to x. A value that is no function has nothing to do with x.""",
    help="{remedy}",
)
NOT_A_TENSOR = Rule(
    "SEM117",
    "error",
    """`{function}` needs {allowed}, not {actual}

    Ops and blocks work on tensors; an instance of a block stands for its first output.""",
    help="{remedy}",
)
WRONG_VALUE = Rule(
    "SEM119",
    "error",
    """`{function}` takes {allowed}, not {actual}

    The function has no meaning for this kind of value.""",
)
RECURSION = Rule(
    "SEM118",
    "error",
    """`{name}` applies itself

    A block is expanded where it is applied, so one that applies itself, by whatever way, would never end.""",
    help="use `f * n`, or a comprehension, to repeat",
)

# ---- values ---------------------------------------------------------------------------------------------------------

WRONG_OPERANDS = Rule(
    "SEM120",
    "error",
    """`{op}` does not join {left} and {right}

    Numbers go with numbers, quantities with those of their dimension, tensors with tensors, lists with lists.""",
    help="{remedy}",
)
WRONG_DIMENSION = Rule(
    "SEM121",
    "error",
    """`{op}` joins {left} and {right}, which measure different things

    Units are part of a value: bytes do not add up with bits, nor epochs with seconds.""",
    help="{remedy}",
)
MISSING_UNIT = Rule(
    "SEM122",
    "error",
    """{what} needs a unit: {allowed}, not the bare number {actual}

    A number without unit leaves open what it counts.""",
    help="write `{fix}`",
)
NOT_BOOLEAN = Rule(
    "SEM123",
    "error",
    """{what} has to be true or false, not {actual}

    Conditions are not guessed from numbers, lists or tensors: compare them with something.""",
)
NO_VALUE = Rule(
    "SEM124",
    "error",
    """`{what}` has no value: {reason}

    The numbers lie outside of what the operation is defined for.""",
)
BAD_INDEX = Rule(
    "SEM125",
    "error",
    """{reason}

    Lists count from 0; a range takes both of its ends.""",
)
NOT_A_LIST = Rule(
    "SEM126",
    "error",
    """{what} goes over a list or a range, not over {actual}

    Tensors and instances are single values.""",
)
WRONG_UNPACKING = Rule(
    "SEM127",
    "error",
    """{names} take {allowed} values each time, the list gives {actual}

    With several names every element has to be a list or tuple of as many values.""",
)

# ---- limits ---------------------------------------------------------------------------------------------------------

TOO_MANY_NODES = Rule(
    "SEM130",
    "error",
    """the spec grows beyond {allowed} layers

    Blocks that repeat blocks grow fast. What does not end within this limit is refused.""",
    help="lower the repetitions; the layer named here is only the one that went over",
)
TOO_SLOW = Rule(
    "SEM131",
    "error",
    """the spec takes more than {allowed} to evaluate

    Repetitions of repetitions grow fast. What does not end within this limit is refused.""",
    help="lower the repetitions",
)
TOO_DEEP = Rule(
    "SEM132",
    "error",
    """expressions and blocks are nested more than {allowed} deep here

    Nesting this deep is refused.""",
    help="name a part by a `let`",
)
TOO_MANY_FINDINGS = Rule(
    "SEM159",
    "error",
    """more than {allowed} findings: reading stops here

    A spec with so many mistakes has one cause more often than many. The rest is not looked at.""",
    help="mend the first ones and check again",
)
TOO_LARGE = Rule(
    "SEM133",
    "error",
    """{what} is larger than {allowed}

    Numbers, strings and lists have limits far above what a detector needs.""",
)

# ---- files ----------------------------------------------------------------------------------------------------------

NO_FILE = Rule(
    "SEM140",
    "error",
    """{what} cannot be read: {reason}

    The file has to be there, readable, and UTF-8 text.""",
    help="{remedy}",
)
NO_MODULE = Rule(
    "SEM141",
    "error",
    """there is no `{name}` to use

    `use std.NAME` takes a library, `use targets.NAME` a target, `use "FILE"` a file beside the spec.""",
    help="{remedy}",
)
OUTSIDE = Rule(
    "SEM142",
    "error",
    """`use` leaves the folder of the spec: {name}

    A spec reads nothing outside of its own folder, also not through links, so that it can be handed on and trusted.""",
    help="copy the file below {allowed}",
)
CYCLE = Rule(
    "SEM143",
    "error",
    """files use each other in a circle: {chain}

    No file of the circle could be read first.""",
    help="move what they share into a file of its own",
)

RULES = tuple(value for value in dict(globals()).values() if isinstance(value, Rule))
