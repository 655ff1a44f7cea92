"""What all readers of other tools' networks hold a file to, and how they refuse one."""

from __future__ import annotations

from detc.diagnostics import Rule

MOST_BYTES = 1 << 28
"""256 MiB: a hundred times the nets that small chips hold."""
MOST_OPS = 10_000
MOST_TENSORS = 40_000
MOST_AXES = 8
LONGEST_SIDE = 1 << 24
MOST_ELEMENTS = 1 << 28
"""Of one tensor."""
LONGEST_NAME = 200

UNREADABLE = Rule(
    "IMP201",
    "error",
    """`{path}` is no {format} file that can be read: {reason}

    A file is read with bounds on all that it can make grow: its size, operators, tensors, axes and attributes. What points
    outside of the file, is cut off, or runs in a circle is refused.""",
    help="{remedy}",
)


class Unreadable(Exception):
    """A file that is damaged, hostile or too large. Leaves a reader; never leaves `importers.reading`."""

    def __init__(self, reason: str, remedy: str = "export the model again") -> None:
        super().__init__(reason)
        self.remedy = remedy


def checked_shape(shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The shape, an open side as -1. Raises Unreadable where no tensor of a small net has it."""
    if len(shape) > MOST_AXES:
        raise Unreadable(f"tensor `{short(name)}` has {len(shape)} axes, at most {MOST_AXES} are read")
    elements = 1
    for side in shape:
        if not -1 <= side <= LONGEST_SIDE:
            raise Unreadable(f"tensor `{short(name)}` has a side of {side:,}, at most {LONGEST_SIDE:,} are read")
        elements *= max(side, 1)
    if elements > MOST_ELEMENTS:
        raise Unreadable(f"tensor `{short(name)}` has {elements:,} elements, at most {MOST_ELEMENTS:,} are read")
    return shape


def short(name: str) -> str:
    """A name of the file as it may be shown: printable and not long."""
    return "".join(c if c.isprintable() and c not in "`{}" else "?" for c in name[:LONGEST_NAME])
