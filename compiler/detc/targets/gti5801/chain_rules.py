"""What keeps a net from being a chain of the 5801's layers."""

from __future__ import annotations

from detc.diagnostics import Rule

UNSUPPORTED = Rule(
    "GTI107",
    "error",
    """`{name}` is a {actual}; the 5801 computes convolutions with ReLU, 2x2 pools and short residuals, nothing else

    There is no circuit on the chip for it, and the host cannot step in between two layers: the whole net runs from the
    first layer to the last without leaving the chip. Batch norm right behind a conv is fine:
    it is folded into the conv.""",
    help="take it out, or put it and all that follows on the host: `host(LAYER)`",
)
NO_RELU = Rule(
    "GTI108",
    "error",
    """`{name}` has no ReLU right behind it; every layer of the 5801 ends in one, the head included

    The chip clips each sum to 0 .. 31 before it stores it. A net trained without the ReLU would see other numbers on the chip. A
    pool comes after the ReLU, a residual sum before it.""",
    help="write `|> relu(cap = {cap})` behind it; detection heads learn positive outputs",
)
NOT_RELU = Rule(
    "GTI109",
    "error",
    """`{name}` ends in {actual}; the only activation of the 5801 is a ReLU clipped at {allowed}""",
    help="use `relu(cap = {allowed})`; it costs nothing on the chip",
)
BRANCH = Rule(
    "GTI110",
    "error",
    """`{name}` does not read the layer before it; the 5801 runs one chain of layers

    The chip keeps only the input and the output of the layer at work. The one exception is a residual over two
    convolutions.""",
    help="make the net a chain; a residual `x |> conv |> relu |> conv + x |> relu` is allowed",
)
ONE_OUTPUT = Rule(
    "GTI111",
    "error",
    """`{name}` is read from outside the chip, but it is not the last layer; the 5801 gives out its last layer only""",
    help="end the model at one output; a head can carry all values of a cell in its channels",
)
RESIDUAL = Rule(
    "GTI112",
    "error",
    """the sum `{name}` {reason}; the 5801 adds the input of one conv to the result of the next, before its ReLU

    A shortcut starts at the input of sublayer s and ends in the sum of sublayer s + 1, always over exactly two convolutions of
    one major layer, and nothing may stand on it.""",
    help="write `x |> conv(c) |> relu |> conv(c) + x |> relu`",
)
POOL_PLACE = Rule(
    "GTI113",
    "error",
    """the pool `{name}` {reason}; the 5801 pools only the result of a convolution, once""",
    help="put a conv with its ReLU between them",
)
ONE_INPUT = Rule(
    "GTI116", "error", "the model has {actual} inputs; the 5801 reads one picture", help="join them on the host"
)
HOST_FIRST = Rule(
    "GTI117",
    "error",
    """`{name}` reads `{source}` from the host; the 5801 takes nothing from the host but the picture

    Work can move to the host only behind the last layer of the chip.""",
    help="put `{name}` on the host too, or `{source}` on the chip",
)
