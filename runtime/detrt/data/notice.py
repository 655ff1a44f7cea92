"""One thing that is wrong with a data set, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "missing image",
    "broken image",
    "missing label file",
    "broken label file",
    "broken label line",
    "broken name",
    "unknown class",
    "degenerate box",
    "box outside",
    "box partly outside",
    "wrong size",
    "stray box",
    "repeated picture",
    "repeated box",
    "repeated id",
    "class without box",
    "class without picture",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """`where` names a picture or file of the set, `detail` the actual value, `action` what was done in the past
    tense.
    """

    kind: Kind
    where: str
    detail: str
    action: str
