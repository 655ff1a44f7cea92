"""What heads ask for that the whole-number post-processing behind a net does not do."""

from __future__ import annotations

from collections.abc import Iterator

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Model

MOST_CLASSES = 4096
"""As detrt.devices.stm32.postprocess.building: a share of a softmax is off by at most one 2^17th a class."""

SOFT = Rule(
    "STM305",
    "error",
    """head `{name}` asks for soft suppression, `soft = {actual}`; behind an int8 net boxes are suppressed by whole numbers alone

    The device keeps or drops a box; it has no scores to lower.""",
    help="leave `soft` out",
)
TOO_MANY = Rule(
    "STM306",
    "error",
    """head `{name}` has {actual:,} classes; the post-processing of an int8 net takes at most {allowed:,}

    A softmax over more of them would no longer be exact enough to tell its shares.""",
    help="fewer classes",
)


def check_heads(model: Model) -> Iterator[Finding]:
    """A finding for each head that the C code cannot decode."""
    for head in model.heads:
        soft, classes = str(head.options.get("soft", "none")), int(head.options.get("classes") or 0)
        if soft != "none":
            yield SOFT(head.option_spans.get("soft") or head.span, name=head.kind, actual=soft)
        if classes > MOST_CLASSES:
            span = head.option_spans.get("classes") or head.span
            yield TOO_MANY(span, name=head.kind, actual=classes, allowed=MOST_CLASSES)
