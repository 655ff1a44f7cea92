"""Reading the keys of a section against its schema: a mistake becomes a finding, a value keeps its place and its origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Finding, Related, Source, Span
from detc.diagnostics.did_you_mean import closest
from detc.semantics.overrides import Overrides
from detc.semantics.program import Setting
from detc.semantics.schema.key import REQUIRED, Schema
from detc.semantics.schema.kind import MISSING
from detc.semantics.schema.rules import SectionRules
from detc.semantics.scoping import Scoping
from detc.semantics.values import PathText, Quantity, Range, Symbol, is_broken
from detc.syntax import tree
from detc.syntax.units import UNITS

Entries = dict[str, Setting]
"""The resolved keys of a section: value, origin and span of each."""

_SHOWN = {
    "bytes": "bytes", "relative": "percent", "absolute": "points", "epochs": "epochs", "images": "images", "seconds": "seconds",
}  # fmt: skip


@dataclass(slots=True, eq=False, repr=False)
class Reader:
    """Evaluates in `scope`, reports by `rules`. `sources` give the text of a span; `overrides` are what `--set` asks for."""

    scope: Scoping
    rules: SectionRules
    sources: Mapping[str, Source]
    findings: list[Finding]
    overrides: Overrides = field(default_factory=Overrides)
    what: str = ""

    # ---- evaluating -------------------------------------------------------------------------------------------------

    def value(self, expr: tree.Expr) -> Any:
        """The value of `expr`, or MISSING with its findings reported."""
        value = self.scope.evaluate(expr, self.findings)
        return MISSING if is_broken(value) else value

    def bound(self, name: str) -> bool:
        return self.scope.bound(name)

    def number(self, expr: tree.Expr, key: str, allowed: str) -> tuple[float, str | None] | Any:
        """(number in base units, dimension or None)."""
        value = self.value(expr)
        if value is MISSING:
            return MISSING
        if isinstance(value, Quantity):
            return value.value, value.dimension
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.wrong(expr, key, allowed)
        return value, None

    def range(self, expr: tree.Expr, key: str, allowed: str, around: float | None) -> tuple[float, float] | Any:
        """Both ends of `low .. high`; with `around`, one number stands for the same distance to both sides."""
        value = self.value(expr)
        if value is MISSING:
            return MISSING
        if isinstance(value, Range):
            return value.low, value.high
        if isinstance(value, Quantity) and value.dimension == "relative":
            value = value.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if around is None:
                return value, value
            return _tidy(around - value), _tidy(around + value)
        return self.wrong(expr, key, allowed)

    def plain(self, expr: tree.Expr) -> Any:
        """Any value as plain data: an unbound name is a word, lists and maps go item by item, quantities lose their unit."""
        if isinstance(expr, tree.Name) and not self.bound(expr.id):
            return expr.id
        if isinstance(expr, (tree.List, tree.Tuple)):
            values = [self.plain(item) for item in expr.items]
            return MISSING if MISSING in values else values
        if isinstance(expr, tree.Map):
            pairs = {entry.key: self.plain(entry.value) for entry in expr.entries}
            return MISSING if MISSING in pairs.values() else pairs
        return plain_value(self.value(expr))

    def dimension_of(self, unit: str) -> str:
        return UNITS[unit].dimension

    def text(self, node: tree.Node) -> str:
        """The text of a node as written, on one line."""
        source = self.sources.get(node.span.file)
        return source_text(source, node.span) if source else ""

    # ---- reporting --------------------------------------------------------------------------------------------------

    def report(self, finding: Finding) -> Any:
        self.findings.append(finding)
        return MISSING

    def wrong(self, expr: tree.Node, key: str, allowed: str) -> Any:
        return self.report(
            self.rules.wrong_value(expr.span, key=key, allowed=allowed, actual=self._told(expr) or "this")
        )

    def _told(self, expr: tree.Node) -> str:
        """The text of an expression; of a name with what it stands for, which may come from `--set`."""
        text = self.text(expr)
        if isinstance(expr, tree.Name) and self.bound(expr.id):
            value = plain_value(self.value(expr))
            if isinstance(value, int | float | str):
                return f"{text} = {value}"
        return text

    def missing_unit(self, expr: tree.Node, key: str, allowed: str, fix: str) -> Any:
        return self.report(
            self.rules.missing_unit(expr.span, key=key, allowed=allowed, fix=fix, actual=self.text(expr))
        )

    def wrong_unit(self, expr: tree.Node, key: str, dimension: str, allowed: str) -> Any:
        shown = _SHOWN.get(dimension, dimension)
        return self.report(self.rules.wrong_unit(expr.span, key=key, actual=shown, allowed=allowed))

    def unknown_word(self, node: tree.Node, key: str, word: str, words: Sequence[str]) -> Any:
        remedy = did_you_mean(word, words)
        return self.report(
            self.rules.unknown_word(node.span, key=key, actual=word, allowed=", ".join(words), remedy=remedy)
        )

    def unknown_key(self, span: Span, key: str, names: Iterable[str], what: str = "") -> None:
        remedy = did_you_mean(key, tuple(names))
        self.report(self.rules.unknown_key(span, what=what or self.what, key=key, remedy=remedy))

    # ---- whole sections ---------------------------------------------------------------------------------------------

    def section(
        self,
        schema: Schema,
        items: Sequence[tree.AnyItem],
        path: str,
        *,
        span: Span,
        special: Callable[[tree.AnyItem], bool] = lambda item: False,
        partial: bool = False,
    ) -> Entries:
        """The keys that `items` (and `--set PATH.KEY`) give, read; `special` takes the items that are no keys.

        Defaults fill the rest unless `partial`; then nothing is missed either.
        """
        given: Entries = {}
        meant: set[str] = set()
        """Keys that a misspelt one was meant to be: they are not missing besides."""
        for key, expr, at in self._assignments(items, schema, special):
            known = schema.key(key)
            if known is not None and not known.family:
                key = known.name
            if key in given:
                place = given[key].span
                related = (Related(place, "first given here"),) if place else ()
                self.report(self.rules.doubled_key(at, key=key, what=self.what, related=related))
                continue
            if known is None:
                self.unknown_key(at, key, schema.names)
                meant.add(closest(key, schema.names) or "")
                given[key] = Setting(key, MISSING, "spec", at)
                continue
            given[key] = Setting(key, known.kind.read(expr, self, key), "spec", expr.span)
        families = [key.family for key in schema.keys if key.family]
        for key, override in self.overrides.under(path, schema.spellings, families):
            known = schema.key(key)
            if known is not None:
                key = key if known.family else known.name
                value = override.read(known.kind, self, key)
                given[key] = Setting(key, value, "--set", override.span)
        result = {name: setting for name, setting in given.items() if setting.value is not MISSING}
        if not partial:
            self.fill(schema, result, span, present={*given, *meant})
        return {name: result[name] for name in schema.in_order(result)}

    def fill(self, schema: Schema, entries: Entries, span: Span, present: Iterable[str] = ()) -> None:
        """Defaults for the keys that `entries` lacks; a finding for each that has none."""
        present = set(present)
        for key in schema.keys:
            if key.name in entries or key.family:
                continue
            if key.default is not REQUIRED:
                entries[key.name] = Setting(key.name, key.default, "default")
            elif key.name not in present:
                fix = key.example or f"{key.name} = .."
                self.report(self.rules.missing_key(span, what=self.what, key=key.name, fix=fix))

    def arguments(
        self, schema: Schema, call: tree.Expr, places: dict[str, tree.Expr] | None = None
    ) -> dict[str, Any] | Any:
        """The arguments of a call (or of a bare name) by name, defaults filled in; MISSING if any is wrong.

        `places` takes the expression of each argument that is given.
        """
        values: dict[str, Any] = {}
        meant: set[str] = set()
        before = len(self.findings)
        for name, expr, node in self._given(schema, call):
            key = schema.key(name)
            if key is None:
                self.unknown_key(node.span, name, schema.names, schema.what)
                meant.add(closest(name, schema.names) or "")
            elif key.name in values:
                self.report(self.rules.doubled_key(node.span, key=key.name, what=schema.what))
            else:
                values[key.name] = key.kind.read(expr, self, name)
                if places is not None:
                    places[key.name] = expr
        for key in schema.keys:
            if key.name not in values and key.default is REQUIRED and key.name not in meant:
                fix = key.example or f"{key.name} = .."
                self.report(self.rules.missing_key(call.span, what=schema.what, key=key.name, fix=fix))
            values.setdefault(key.name, key.default)
        good = len(self.findings) == before and MISSING not in values.values()
        return {**schema.fixed, **values} if good else MISSING

    def _given(self, schema: Schema, call: tree.Expr) -> Iterable[tuple[str, tree.Expr, tree.Node]]:
        """(name, expression, node to point at) of every argument; those by position have the names of the keys in order."""
        if not isinstance(call, tree.Call):
            return
        for index, arg in enumerate(call.args):
            if index < len(schema.keys):
                yield schema.keys[index].name, arg, arg
            else:
                remedy = f"it takes {len(schema.keys)} at most"
                self.report(self.rules.unknown_key(arg.span, what=schema.what, key=self.text(arg), remedy=remedy))
        # Of two keyword arguments of one name the parser has told already.
        once = {kwarg.name.id: kwarg for kwarg in reversed(call.kwargs)}
        for kwarg in call.kwargs:
            if once[kwarg.name.id] is kwarg:
                yield kwarg.name.id, kwarg.value, kwarg.name

    def _assignments(
        self, items: Sequence[tree.AnyItem], schema: Schema, special: Callable[[tree.AnyItem], bool], prefix: str = ""
    ) -> Iterable[tuple[str, tree.Expr, Span]]:
        """(dotted key, expression, span of the key) of every item that sets a key, `if` blocks decided."""
        for item in items:
            if not prefix and special(item):
                continue
            if isinstance(item, tree.Assign):
                yield prefix + ".".join(name.id for name in item.path), item.value, _key_span(item)
            elif isinstance(item, tree.Named):
                yield f"{prefix}{item.kind.id}.{item.name.id}", item.value, _key_span(item)
            elif isinstance(item, tree.If):
                verdict = self.value(item.condition)
                if isinstance(verdict, bool):
                    chosen = item.items if verdict else item.otherwise
                    yield from self._assignments(chosen, schema, special, prefix)
                elif verdict is not MISSING:
                    self.wrong(item.condition, "if", "true or false")
            elif (
                isinstance(item, tree.Block)
                and item.label is None
                and item.result is None
                and _groups(schema, prefix, item)
            ):
                yield from self._assignments(item.items, schema, special, f"{prefix}{item.kind.id}.")
            else:
                name = _item_name(item)
                self.unknown_key(_key_span(item), name, {key.split(".")[0] for key in schema.names} | set(schema.names))


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """A remedy: the nearest of `words`, or all of them where none is near."""
    near = closest(word, words)
    if near:
        return f"did you mean `{near}`?"
    listed = sorted(words)
    return "known: " + ", ".join(listed[:12]) + (" .." if len(listed) > 12 else "") if listed else ""


def plain_value(value: Any) -> Any:
    """A value of the evaluator as plain data; MISSING where it is no data (a tensor, a function)."""
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, Range):
        return [value.low, value.high]
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, PathText):
        return value.text
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        values = [plain_value(item) for item in value]
        return MISSING if MISSING in values else values
    if isinstance(value, Mapping):
        pairs = {str(key): plain_value(item) for key, item in value.items()}
        return MISSING if MISSING in pairs.values() else pairs
    return MISSING


def source_text(source: Source, span: Span) -> str:
    """The text under `span`, its white space drawn together to single blanks."""
    lines = source.text.split("\n")[span.line - 1 : span.end_line]
    if not lines:
        return ""
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return " ".join(" ".join(lines).split())


def label_of(block: tree.Block) -> str:
    """The name of a block, empty if it has none."""
    label = block.label
    return "" if label is None else label.id if isinstance(label, tree.Name) else label.value


def _groups(schema: Schema, prefix: str, block: tree.Block) -> bool:
    front = f"{prefix}{block.kind.id}."
    return any(key.name.startswith(front) for key in schema.keys)


def _key_span(item: tree.AnyItem) -> Span:
    """The words of an item that name it."""
    if isinstance(item, tree.Assign):
        return item.path[0].span.to(item.path[-1].span)
    if isinstance(item, (tree.Named, tree.Typed)):
        return item.kind.span.to(item.name.span)
    if isinstance(item, tree.Block):
        return item.kind.span.to(item.label.span) if item.label else item.kind.span
    return item.span


def _item_name(item: tree.AnyItem) -> str:
    if isinstance(item, (tree.Block, tree.Typed)):
        return item.kind.id
    if isinstance(item, tree.Bound):
        return ".".join(name.id for name in item.path)
    return {tree.Require: "require", tree.For: "for", tree.Use: "use"}.get(type(item), "this item")


def _tidy(value: float) -> float:
    """0.8 rather than 0.8000000000000000444 of a subtraction."""
    return float(f"{value:.12g}")
