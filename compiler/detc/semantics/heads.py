"""`head KIND on OUTPUTS { .. }`: the options of a head, and whether its tensors are what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detc.diagnostics import Span
from detc.ir.types import TensorType
from detc.semantics.program import Head
from detc.semantics.reading import Reader, did_you_mean, label_of
from detc.semantics.schema.heads import HEADS
from detc.semantics.schema.heads.kind import HeadKind, Output, Placed
from detc.semantics.schema.heads.rules import GRID, NAMES, ORDER, OUTPUTS, UNKNOWN_KIND
from detc.semantics.schema.kind import MISSING
from detc.syntax import tree


def read_head(
    block: tree.Block,
    on: Sequence[Output],
    at: Reader,
    tensors: Mapping[str, TensorType],
    image: tuple[int, int],
) -> Head | None:
    """The head that `block` declares on outputs `on`; None with its findings where it has no known kind or no sound options.

    `tensors` are the model's tensors by name (for `grid = features`), `image` height and width of its input.
    """
    label = block.label
    kind = label_of(block)
    known = HEADS.get(kind)
    if known is None:
        at.report(UNKNOWN_KIND((label or block.kind).span, actual=kind, remedy=did_you_mean(kind, tuple(HEADS))))
        return None
    at.what = known.schema.what
    grid: list[tuple[tuple[int, int], Span]] = []

    def special(item: tree.AnyItem) -> bool:
        if not known.grid or not isinstance(item, tree.Assign) or [name.id for name in item.path] != ["grid"]:
            return False
        if (given := _grid(item.value, tensors, at)) is not None:
            grid.append((given, item.value.span))
        return True

    before = len(at.findings)
    place = block.kind.span.to((label or block.kind).span)
    entries = at.section(known.schema, block.items, "head", span=place, special=special)
    whole = all(name in entries for name in known.schema.names)  # a value that is broken was told where it broke
    if not _reads(known, kind, on, block, at) or not whole or len(at.findings) > before:
        return None
    options: dict[str, Any] = {name: setting.value for name, setting in entries.items()}
    spans = {name: setting.span for name, setting in entries.items() if setting.span}
    if grid:
        spans["grid"] = grid[-1][1]
    head = Placed(kind, on, options, spans, image, place, grid[-1][0] if grid else None)
    known.check(head)
    at.findings.extend(head.findings)
    names = options["names"]
    if names is not None and options["classes"] not in (None, len(names)):
        at.report(NAMES(spans.get("names", block.span), allowed=options["classes"], actual=len(names)))
    options["image"] = list(image)
    return Head(kind, tuple(output.name for output in on), options, block.span, spans)


def _reads(known: HeadKind, kind: str, on: Sequence[Output], block: tree.Block, at: Reader) -> bool:
    """Whether the head is put on as many outputs as it reads, each a tensor or, where it takes them, a list of maps."""
    wanted, fix = len(known.reads), ", ".join(known.reads).upper()
    span = on[0].span if on else block.span
    if len(on) != wanted:
        found = ", ".join(output.name for output in on) or "none"
        allowed = "1 output" if wanted == 1 else f"{wanted} outputs ({', '.join(known.reads)})"
        at.report(OUTPUTS(span, kind=kind, allowed=allowed, actual=found, fix=fix))
        return False
    names = tuple(output.name for output in on)
    if names != known.reads and sorted(names) == sorted(known.reads):
        at.report(ORDER(span, kind=kind, actual=", ".join(names), fix=", ".join(known.reads)))
        return False
    listed = next((output for output in on if len(output.types) != 1), None)
    if listed is not None and (not known.lists or not listed.types):
        allowed = "1 tensor" if not known.lists else "at least 1 tensor"
        actual = f"{listed.name}, a list of {len(listed.types)}"
        at.report(OUTPUTS(listed.span, kind=kind, allowed=allowed, actual=actual, fix=fix))
        return False
    return True


def _grid(expr: tree.Expr, tensors: Mapping[str, TensorType], at: Reader) -> tuple[int, int] | None:
    if isinstance(expr, tree.Name) and expr.id in tensors and tensors[expr.id].is_map:
        return tensors[expr.id].height, tensors[expr.id].width
    value = at.plain(expr) if not isinstance(expr, tree.Name) else MISSING
    if isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value):
        return value[0], value[1]
    at.report(GRID(expr.span, remedy="name a tensor that is a map, or leave it out"))
    return None
