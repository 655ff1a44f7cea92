"""The body of a `target`: its facts and limits by section, merged along `extends`, each with its place and its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from detc.diagnostics import Related, Rule, Span
from detc.diagnostics.did_you_mean import closest
from detc.semantics.gates import read_gate
from detc.semantics.program import Fact, Gate, Section
from detc.semantics.reading import Reader, did_you_mean
from detc.semantics.schema.kind import MISSING
from detc.semantics.values import PathText, Quantity, Range, Symbol
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Context

UNKNOWN_ATTRIBUTE = Rule(
    "TGT110",
    "error",
    """no attribute is called `@{actual}`

    `@source("document, place")` says where a fact comes from, `@placeholder` that it has no source yet.""",
    help="{remedy}",
)
NO_SOURCE_TEXT = Rule(
    "TGT111",
    "error",
    """`@source` needs the document and the place in it

    A fact can be checked only by who knows where to look.""",
    help='write `@source("RM0433 rev 8, table 7")`',
)
NOTHING_REMOVED = Rule(
    "TGT112",
    "warning",
    """`{kind} {name} = none` removes nothing: no target above has it

    `= none` takes an inherited part away.""",
    help="{remedy}",
)
NEAR_MISS = Rule(
    "TGT113",
    "warning",
    """`{actual}` is new here, and the targets above have `{allowed}`

    Parts with one name merge along `extends`. A new name makes a new part, which no rule of the inherited target reads unless it
    says all that its like says.""",
    help="did you mean `{allowed}`?",
)
NOT_PLAIN = Rule(
    "TGT114",
    "error",
    """`{name}` is no plain value

    A fact is a number with its unit, a word, a string, a list or a range.""",
    help="",
)
DOUBLED = Rule(
    "TGT115",
    "error",
    """`{name}` is given twice in one block

    Of two values of one fact one would silently win. A bound with two ends is a range: `{name} in LOW .. HIGH`.""",
    help="drop one of the two",
)
NO_ITEM = Rule(
    "TGT116",
    "error",
    """a target has no item `{actual}`

    A target holds facts (`size = 3 MiB`), bounds (`k in [3x3]`), `limit` lines, sections, `param`s, `let`s and `require`s.""",
    help="{remedy}",
)

RULES = (UNKNOWN_ATTRIBUTE, NO_SOURCE_TEXT, NOTHING_REMOVED, NEAR_MISS, NOT_PLAIN, DOUBLED, NO_ITEM)

ATTRIBUTES = ("source", "placeholder")
LIMITS = "limits"


class Origin(NamedTuple):
    """What `@source` and `@placeholder` say of the items below them; the nearest wins."""

    source: str = ""
    placeholder: bool = False


@dataclass(eq=False, repr=False)
class Body:
    """A target's body under construction: `root` grows as the blocks of its line are read, the oldest first."""

    root: Section
    gates: list[Gate] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)
    """Sections that the block being read made itself."""

    def read(self, block: tree.Block, at: Reader) -> None:
        """Merges one block of the line into the body."""
        self.fresh = set()
        inherited = bool(self.root.facts or self.root.sections)
        self._items(block.items, self.root, _origin(block, Origin(), at), at, inherited)

    def _items(
        self,
        items: Sequence[tree.AnyItem],
        section: Section,
        origin: Origin,
        at: Reader,
        inherited: bool,
        seen: dict[str, Span] | None = None,
    ) -> None:
        seen = {} if seen is None else seen
        for item in items:
            here = _origin(item, origin, at)
            if isinstance(item, tree.Block) and item.result is None:
                self._section(item, section, here, at, inherited)
            elif isinstance(item, tree.Assign):
                self._fact(section, ".".join(n.id for n in item.path), "=", item.value, item, here, at, inherited, seen)
            elif isinstance(item, tree.Bound) and item.kind is None:
                name = ".".join(n.id for n in item.path)
                self._fact(section, name, item.op, item.value, item, here, at, inherited, seen, _message(item))
            elif isinstance(item, tree.Bound) and item.kind is not None and item.kind.id == "limit":
                limits = self._inner(section, LIMITS, "", item.span, Origin())
                name = ".".join(n.id for n in item.path)
                self._fact(limits, name, item.op, item.value, item, here, at, inherited, seen, _message(item), "limit ")
            elif isinstance(item, tree.Named) and isinstance(item.value, tree.Constant) and item.value.value is None:
                self._remove(item, section, at)
            elif isinstance(item, (tree.Named, tree.Typed)) and item.kind.id in ("param", "let"):
                continue  # bound before the body is read
            elif isinstance(item, tree.If):
                verdict = at.value(item.condition)
                if isinstance(verdict, bool):
                    self._items(item.items if verdict else item.otherwise, section, here, at, inherited, seen)
                elif verdict is not MISSING:
                    at.wrong(item.condition, "if", "true or false")
            elif isinstance(item, tree.Require):
                gate = read_gate(item, at, f"target {self.root.label}")
                if gate:
                    self.gates.append(gate)
            else:
                word = item.kind.id if isinstance(item, (tree.Named, tree.Typed, tree.Bound)) and item.kind else "this"
                at.report(
                    NO_ITEM(item.span, actual=word, remedy=did_you_mean(word, ("limit", "param", "let", "require")))
                )

    def _inner(self, section: Section, kind: str, label: str, span: Span, origin: Origin) -> Section:
        """The inner section of that kind and label, made if it is not there."""
        found = section.find(kind, label)
        if found is None:
            found = Section(kind, label, span, source=origin.source, placeholder=origin.placeholder)
            section.sections.append(found)
            self.fresh.add(id(found))
        return found

    def _section(self, block: tree.Block, section: Section, origin: Origin, at: Reader, inherited: bool) -> None:
        kind = block.kind.id
        label = (
            "" if block.label is None else block.label.id if isinstance(block.label, tree.Name) else block.label.value
        )
        if inherited and section.find(kind, label) is None:
            older = [other.label for other in section.all(kind) if id(other) not in self.fresh]
            near = closest(label, older) if label else None
            if near and not _states(block, section.find(kind, near)):
                at.report(
                    NEAR_MISS((block.label or block.kind).span, actual=f"{kind} {label}", allowed=f"{kind} {near}")
                )
        inner = self._inner(section, kind, label, block.span, origin)
        if block.doc:
            inner.doc = block.doc
        self._items(block.items, inner, origin, at, inherited and id(inner) not in self.fresh)

    def _fact(
        self,
        section: Section,
        name: str,
        op: str,
        expr: tree.Expr,
        item: tree.Item,
        origin: Origin,
        at: Reader,
        inherited: bool,
        seen: dict[str, Span],
        message: str = "",
        word: str = "",
    ) -> None:
        if word + name in seen:
            at.report(DOUBLED(item.span, name=name, related=(Related(seen[word + name], "first given here"),)))
            return
        seen[word + name] = item.span
        if op == "=" and isinstance(expr, tree.Constant) and expr.value is None and name in section.facts:
            del section.facts[name]
            return
        if inherited and section.facts and name not in section.facts:
            near = closest(name, tuple(section.facts))
            if near and near not in seen:
                at.report(NEAR_MISS(item.span, actual=name, allowed=near))
        value = fact_value(expr, at, name)
        if value is MISSING:
            return
        value, dimension = value
        sourced = bool(origin.source) and not origin.placeholder
        source = origin.source if sourced else ""
        older = section.facts.get(name)
        if not message and older is not None and older.op == op:
            message = older.message
        section.facts[name] = Fact(name, op, value, item.span, source, not sourced, message, dimension)

    def _remove(self, item: tree.Named, section: Section, at: Reader) -> None:
        kind, name = item.kind.id, item.name.id
        limits = section.find(LIMITS) if kind == "limit" else None
        if limits is not None and name in limits.facts:
            del limits.facts[name]
            return
        found = section.find(kind, name)
        if found is None:
            known = list(limits.facts) if limits else [other.label for other in section.all(kind)]
            at.report(NOTHING_REMOVED(item.span, kind=kind, name=name, remedy=did_you_mean(name, known)))
            return
        section.sections.remove(found)


def fact_value(expr: tree.Expr, at: Reader, name: str) -> tuple[Any, str] | Any:
    """(value, dimension) of a fact: numbers in base units, lists as tuples, words as strings, ranges as Range."""
    dimensions: set[str] = set()

    def read(node: tree.Expr) -> Any:
        if isinstance(node, tree.Name) and not at.bound(node.id):
            return node.id
        if isinstance(node, (tree.List, tree.Tuple)):
            values = [read(item) for item in node.items]
            return MISSING if any(value is MISSING for value in values) else tuple(values)
        value = at.value(node)
        return value if value is MISSING else settle(value, node)

    def settle(value: Any, node: tree.Expr) -> Any:
        if isinstance(value, Quantity):
            dimensions.add(value.dimension)
            return value.value
        if isinstance(value, Range):
            if value.dimension:
                dimensions.add(value.dimension)
            return replace(value, dimension="")
        if isinstance(value, Symbol):
            return value.name
        if isinstance(value, PathText):
            return value.text
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)):
            values = [settle(item, node) for item in value]
            return MISSING if any(item is MISSING for item in values) else tuple(values)
        if isinstance(node, tree.Name):  # an op, say: `after in [relu, leaky]`
            return node.id
        return at.report(NOT_PLAIN(node.span, name=name))

    value = read(expr)
    return value if value is MISSING else (value, dimensions.pop() if len(dimensions) == 1 else "")


def check_attributes(items: Iterable[tree.AnyItem], context: Context) -> None:
    """A finding for each attribute that nobody knows, at any depth. Targets are left out: reading their facts tells."""
    pending = [item for item in items if not (isinstance(item, tree.Block) and item.kind.id == "target")]
    for item in pending:
        for attribute in item.attributes:
            name = attribute.name
            if name.id not in ATTRIBUTES:
                remedy = did_you_mean(name.id, ATTRIBUTES)
                context.report(UNKNOWN_ATTRIBUTE(name.span, actual=name.id, remedy=remedy))
        pending += getattr(item, "items", ())
        pending += getattr(item, "otherwise", ())


def _origin(item: tree.Item, around: Origin, at: Reader) -> Origin:
    origin = around
    for attribute in item.attributes:
        name = attribute.name.id
        if name == "placeholder":
            origin = Origin("", True)
        elif name == "source":
            texts = [at.value(arg) for arg in attribute.args]
            if not texts or not all(isinstance(text, str) and text for text in texts):
                at.report(NO_SOURCE_TEXT(attribute.span))
            else:
                origin = Origin(", ".join(texts), False)
        else:
            at.report(UNKNOWN_ATTRIBUTE(attribute.name.span, actual=name, remedy=did_you_mean(name, ATTRIBUTES)))
    return origin


def _states(block: tree.Block, other: Section | None) -> bool:
    """True if the block says itself all that the other part says: it is a part of its own, not a misspelt one."""
    names = {".".join(n.id for n in item.path) for item in block.items if isinstance(item, tree.Assign | tree.Bound)}
    return other is not None and set(other.facts) <= names


def _message(item: tree.Bound) -> str:
    return item.message.value if item.message else ""
