"""`head KIND on OUTPUTS { .. }`: the options of a head, and whether its tensors have the channels it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detc.diagnostics import Finding, Related, Rule, Span
from detc.ir.types import TensorType
from detc.semantics.program import Head
from detc.semantics.reading import Reader, did_you_mean, label_of
from detc.semantics.schema.head import HEADS
from detc.semantics.schema.kind import MISSING
from detc.syntax import tree

UNKNOWN_KIND = Rule(
    "HED110",
    "error",
    """no head is called `{actual}`

    A head turns the tensors of a model into boxes, and brings the loss that trains them.""",
    help="{remedy}",
)
OUTPUTS = Rule(
    "HED111",
    "error",
    """a {kind} head reads {allowed} output, and is put on {actual}

    Each kind of head decodes a fixed number of tensors.""",
    help="write `head {kind} on OUTPUT {{ .. }}`",
)
CHANNELS = Rule(
    "HED112",
    "error",
    """`{output}` has {actual} channels; a {kind} head with these options reads {formula} = {allowed}

    A head decodes every channel of its tensor, so their number follows from its options.""",
    help="give the last layer {allowed} channels, or change {names}",
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
    help="name a tensor that is a map, or leave it out",
)

RULES = (UNKNOWN_KIND, OUTPUTS, CHANNELS, NOT_A_MAP, NAMES, GRID)


def read_head(
    block: tree.Block,
    on: Sequence[tuple[str, Span, Sequence[TensorType]]],
    at: Reader,
    tensors: Mapping[str, TensorType] | None = None,
    related: Mapping[str, Span] | None = None,
) -> Head | None:
    """The head that `block` declares on outputs `on` (name, span of the use, types); None where it has no known kind.

    `tensors` are the model's other tensors by name (for `grid = features`); `related` where each output's last layer stands.
    """
    label = block.label
    kind = label_of(block)
    known = HEADS.get(kind)
    if known is None:
        at.report(UNKNOWN_KIND((label or block.kind).span, actual=kind, remedy=did_you_mean(kind, tuple(HEADS))))
        return None
    at.what = known.schema.what
    grid: list[int] = []

    def special(item: tree.AnyItem) -> bool:
        if isinstance(item, tree.Assign) and [name.id for name in item.path] == ["grid"]:
            grid[:] = _grid(item.value, tensors or {}, at)
            return True
        return False

    before = len(at.findings)
    entries = at.section(
        known.schema, block.items, "head", span=block.kind.span.to((label or block.kind).span), special=special
    )
    options: dict[str, Any] = {name: setting.value for name, setting in entries.items()}
    spans = {name: setting.span for name, setting in entries.items() if setting.span}
    if len(on) != known.outputs:
        found = ", ".join(name for name, _, _ in on) or "none"
        at.report(OUTPUTS(block.span if not on else on[0][1], kind=kind, allowed=known.outputs, actual=found))
        return None
    if len(at.findings) > before:
        return None
    for name, span, types in on:
        at.findings.extend(_channels(kind, name, span, types, options, spans, related or {}))
        if known.grid and types and types[0].is_map:
            options["grid"] = grid or [types[0].height, types[0].width]
    names = options.get("names")
    if names is not None and len(names) != options["classes"]:
        at.report(NAMES(spans.get("names", block.span), allowed=options["classes"], actual=len(names)))
    return Head(kind, tuple(name for name, _, _ in on), options, block.span, spans)


def _channels(
    kind: str,
    name: str,
    span: Span,
    types: Sequence[TensorType],
    options: Mapping[str, Any],
    spans: Mapping[str, Span],
    related: Mapping[str, Span],
) -> list[Finding]:
    known = HEADS[kind]
    wanted = known.channels(options)
    found = []
    for type in types:
        if not type.is_map:
            found.append(NOT_A_MAP(span, output=name, kind=kind, actual=str(type)))
        elif type.channels != wanted:
            formula = known.formula
            for option in ("boxes", "classes"):
                formula = formula.replace(option, str(options[option])) if option in options else formula
            where = [Related(spans[o], f"{o} = {options[o]}") for o in ("boxes", "classes") if o in spans]
            if name in related:
                where.append(Related(related[name], f"gives {type.channels} channels"))
            found.append(
                CHANNELS(
                    span,
                    output=name,
                    kind=kind,
                    actual=type.channels,
                    allowed=wanted,
                    formula=formula,
                    names="boxes and classes",
                    label=f"{type.channels} channels",
                    related=where,
                )
            )
    return found


def _grid(expr: tree.Expr, tensors: Mapping[str, TensorType], at: Reader) -> list[int]:
    if isinstance(expr, tree.Name) and expr.id in tensors and tensors[expr.id].is_map:
        return [tensors[expr.id].height, tensors[expr.id].width]
    value = at.plain(expr) if not isinstance(expr, tree.Name) else MISSING
    if isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value):
        return value
    at.report(GRID(expr.span))
    return []
