"""What keeps a layer out of detc's C code."""

from __future__ import annotations

from detc.diagnostics import Rule

UNSUPPORTED = Rule(
    "STM301",
    "error",
    """`{name}` is a {actual}, and detc's C code has no int8 kernel for it

    The C code knows convolutions (dense, grouped, depthwise), fully connected layers, pools, sums and products, concatenation,
    upsampling, borders of zeros, channel slices and shuffles, space to depth, and every activation that looks at one value alone.
    Batch norm is folded into the convolution right before it. On a part with a neural processor, such as the STM32N6, this C code
    runs on the core beside it, and what the processor's own compiler could do is not judged here.""",
    help="take it out, or replace it by one of these",
)
ONE_INPUT = Rule(
    "STM302",
    "error",
    """`{name}` is input number {actual} of the model; the C code of a net takes one picture""",
    help="keep one `input`",
)
INPUT_KIND = Rule(
    "STM303",
    "error",
    """`{name}` is {actual}; the C code takes a picture of bytes, `u8[channels, height, width]`

    The first kernel reads the camera's bytes as they are. Clips of several steps need layers that remember, which no int8 kernel
    does.""",
    help="declare it as `u8[3, 224, 224] = camera(..)`",
)
HOSTED = Rule(
    "STM304",
    "error",
    """`{name}` is put on the host; a microcontroller is its own host

    Decoding and non-maximum suppression run behind the net in any case and need no `host(..)`.""",
    help="write the layer without `host(..)`",
)
