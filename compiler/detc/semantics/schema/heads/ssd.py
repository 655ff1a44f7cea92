"""The ssd head: priors on several maps, each with its box offsets and its classes besides the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detc.semantics.schema.heads import rules
from detc.semantics.schema.heads.kind import HeadKind, Output, Placed, size
from detc.semantics.schema.heads.shared_options import DERIVED_CLASSES, NAMES, POSITIVE, SHARE, WEIGHT, decoding
from detc.semantics.schema.key import REQUIRED, Key, Schema
from detc.semantics.schema.kind import MISSING, Kind, ListOf

if TYPE_CHECKING:
    from detc.semantics.reading import Reader
    from detc.syntax import tree

LEVEL_KEYS = ("grid", "step", "min", "max", "ratios")
EXAMPLE = "priors = ssd.priors(image = 300, levels = [{grid: 19, step: 16, min: 60, max: 105, ratios: [2, 3]}, ..])"


def problem_of(image: Any, levels: Any) -> str:
    """What is wrong with the two arguments of `ssd.priors`; empty if nothing."""
    if not POSITIVE.holds(image) or not isinstance(levels, list) or not levels:
        return "it needs `image` (pixels) and `levels` (a list of maps with grid, step, min, max, ratios)"
    for number, level in enumerate(levels):
        if not isinstance(level, dict) or sorted(level) != sorted(LEVEL_KEYS):
            return f"level {number} needs exactly {', '.join(LEVEL_KEYS)}"
        ratios, numbers = level["ratios"], [level[key] for key in LEVEL_KEYS[:-1]]
        if not isinstance(ratios, list) or not all(POSITIVE.holds(v) for v in (*ratios, *numbers)):
            return f"level {number} holds numbers above 0, its `ratios` a list of them"
        if level["grid"] != int(level["grid"]):
            return f"level {number} has a grid that is no whole number"
        if level["min"] > level["max"]:
            return f"level {number} has a min above its max"
    return ""


def priors_a_cell(level: dict[str, Any]) -> int:
    """Two squares, and two boxes a ratio."""
    return 2 + 2 * len(level["ratios"])


class Priors(Kind):
    """What `ssd.priors(..)` gives: {"image": .., "levels": [..]}."""

    @property
    def describe(self) -> str:
        return "the priors that `ssd.priors(image = .., levels = [..])` gives"

    def read(self, expr: tree.Expr, at: Reader, key: str) -> Any:
        before = len(at.findings)
        value = at.plain(expr)
        if value is MISSING and len(at.findings) > before:
            return MISSING
        good = isinstance(value, dict) and set(value) == {"image", "levels"}
        if not good or problem_of(value["image"], value["levels"]):
            return at.wrong(expr, key, self.describe)
        return value


def _check(head: Placed) -> None:
    if not head.maps() or not head.same_maps():
        return
    loc, conf = head.outputs
    priors = head.options["priors"]
    levels = priors["levels"]
    if not head.one_each("priors", loc, len(levels)):
        return
    before = len(head.findings)
    for index, level in enumerate(levels):
        _check_grid(head, loc, index, level)
    if len(head.findings) == before and head.image != (priors["image"], priors["image"]):
        height, width = head.image
        remedy = f"write `image = {width}` in `ssd.priors`, with steps and sizes to match"
        span = head.spans.get("priors", head.span)
        actual = f"{height} x {width}"
        head.findings.append(rules.PRIOR_IMAGE(span, allowed=f"{priors['image']:g}", actual=actual, remedy=remedy))
    formula = "priors * (classes + 1)"
    if not head.derive_classes(conf, priors_a_cell(levels[0]), 1, formula):
        return
    for index, level in enumerate(levels):
        count = priors_a_cell(level)
        head.channels(loc, index, count * 4, "priors * 4", {"priors": count})
        head.channels(conf, index, count * (head.options["classes"] + 1), formula, {"priors": count})


def _check_grid(head: Placed, output: Output, index: int, level: dict[str, Any]) -> None:
    type, grid = output.types[index], int(level["grid"])
    if (type.height, type.width) != (grid, grid):
        head.findings.append(
            rules.PRIORS(
                output.span,
                output=output.called(index),
                actual=size(type),
                allowed=f"{grid}x{grid}",
                image=head.image[1],
                grid=type.width,
                number=index,
                related=output.made(index, f"gives {size(type)}"),
            )
        )


SSD = HeadKind(
    Schema(
        "an ssd head",
        (
            Key("priors", Priors(), REQUIRED, "the prior boxes of each map", example=EXAMPLE),
            Key(
                "variance",
                ListOf(POSITIVE, length=2),
                [0.1, 0.2],
                "what offsets of centres and of sizes are divided by",
            ),
            DERIVED_CLASSES,
            NAMES,
            *decoding(score=0.01, nms=0.45),
        ),
    ),
    loss=(
        Key("loss.neg_ratio", WEIGHT, 3.0, "hardest negatives kept for each positive"),
        Key("loss.iou", SHARE, 0.5, "overlap with an object from which a prior is positive"),
        Key("loss.cls", WEIGHT, 1.0, "classes"),
        Key("loss.loc", WEIGHT, 1.0, "box offsets of positive priors"),
    ),
    reads=("loc", "conf"),
    check=_check,
    one_size=True,
    lists=True,
)
"""Loss and priors of qfgaohao/pytorch-ssd, as ST's model zoo has them."""
