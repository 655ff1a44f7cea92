"""Scopes: which names are bound where, which defaults ops have there, and what one elaboration shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Related, Rule, Source, Span
from detc.diagnostics.did_you_mean import closest
from detc.semantics import limits, rules
from detc.semantics.program import Program
from detc.semantics.values import BROKEN, Value

if TYPE_CHECKING:
    from detc.semantics.build import Builder
    from detc.semantics.modules import Modules
    from detc.semantics.overrides import Overrides
    from detc.semantics.targets import TargetLibrary
    from detc.syntax import tree

MOST_CANDIDATES = 500
LONGEST_WORD = 40
MOST_GUESSES = 50
"""Finding the nearest name takes time; a spec with hundreds of unknown names has another problem."""


@dataclass(slots=True)
class Context:
    """What one elaboration shares: the program that grows, its findings, the files read, the limits.

    `builder` builds the model that is being elaborated; None outside of models. `depth` counts nested evaluations,
    `active` are the blocks being expanded, outermost first. `expanded` are the ids
    of all that ever were. `lossy` says that some text did not parse, so that what is
    missing may only be unread.
    """

    program: Program
    folder: Path
    overrides: Overrides
    target: str | None = None
    modules: Modules | None = None
    builder: Builder | None = None
    targets: TargetLibrary | None = None
    clock: limits.Clock = field(default_factory=limits.Clock.start)
    nodes: int = 0
    depth: int = 0
    lossy: bool = False
    guesses: int = 0
    active: list[tree.Block] = field(default_factory=list)
    expanded: set[int] = field(default_factory=set)
    _seen: set[tuple[Any, ...]] = field(default_factory=set)
    _lines: dict[str, list[str]] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        return self.program.findings

    @property
    def sources(self) -> dict[str, Source]:
        return self.program.sources

    def report(self, finding: Finding) -> Any:
        """Keeps a finding, once for each place and text (a block may be applied a hundred times), and gives BROKEN."""
        key = (finding.code, finding.span, finding.message)
        if key not in self._seen:
            self._seen.add(key)
            self.program.findings.append(finding)
            if len(self.program.findings) == limits.FINDINGS:
                raise limits.Stop(rules.TOO_MANY_FINDINGS(finding.span, allowed=limits.FINDINGS))
        return BROKEN

    def refuse(self, rule: Rule, span: Span | None, **facts: Any) -> Any:
        """`report` of a rule's finding."""
        return self.report(rule(span, **facts))

    def tick(self, span: Span | None) -> None:
        """A step of work; Stop where the time is over."""
        if self.clock.late():
            raise limits.Stop(rules.TOO_SLOW(span, allowed=f"{limits.SECONDS:g} s"))

    def enter(self, span: Span | None) -> None:
        """One level deeper, which the caller takes back in `depth`; Stop beyond the limit."""
        self.depth += 1
        if self.depth > limits.DEPTH:
            self.depth -= 1
            raise limits.Stop(rules.TOO_DEEP(span, allowed=limits.DEPTH))

    def calls(self) -> tuple[Span, ...]:
        """The calls of blocks that led to what is evaluated now, outermost first."""
        return self.builder.via if self.builder else ()

    def text(self, span: Span | None) -> str:
        """The text under a span, white space drawn together."""
        if span is None or span.file not in self.sources:
            return ""
        if span.file not in self._lines:
            self._lines[span.file] = self.sources[span.file].text.split("\n")
        lines = self._lines[span.file][span.line - 1 : span.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        return " ".join(" ".join(lines).split())


@dataclass(frozen=True, slots=True)
class Binding:
    value: Value
    span: Span | None = None


class Environment:
    """One scope: its names, and those of the scopes around it. A name is bound once.

    `root` is true for the scopes of the spec's own file, false for those of files it uses; `file` is the outermost
    scope of the file. `defaults` are the op defaults in force here: argument values by (op, argument), each with its
    span. `later` are names that the items of this scope define, wherever they stand.
    """

    __slots__ = ("context", "defaults", "file", "later", "names", "parent", "root")

    def __init__(self, context: Context, parent: Environment | None = None, root: bool | None = None) -> None:
        self.context = context
        self.parent = parent
        self.root: bool = root if root is not None else parent is not None and parent.root
        self.file: Environment = self if root is not None or parent is None else parent.file
        self.names: dict[str, Binding] = {}
        self.later: Mapping[str, Span] = {}
        self.defaults: Mapping[str, Mapping[str, tuple[Any, Span]]] = parent.defaults if parent else {}

    def child(self) -> Environment:
        return Environment(self.context, self)

    def find(self, name: str) -> Binding | None:
        scope: Environment | None = self
        while scope is not None:
            binding = scope.names.get(name)
            if binding is not None:
                return binding
            scope = scope.parent
        return None

    def bound(self, name: str) -> bool:
        return self.find(name) is not None

    def bind(self, name: str, value: Value, span: Span | None) -> None:
        """Binds a name; a finding if this scope has it already. A name of a library may be bound anew, and so may one that
        was only held ready, broken and without a place, because a line with a mistake in its text may define it.
        """
        taken = self.names.get(name)
        if taken is not None and not (taken.value is BROKEN and taken.span is None):
            related = (Related(taken.span, "first defined here"),) if taken.span else ()
            self.context.refuse(rules.REDEFINED, span, name=name, related=related, label="defined again")
            return
        self.names[name] = Binding(value, span)

    def visible(self) -> Iterator[str]:
        """All names that could be meant here."""
        scope: Environment | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent

    def defined_later(self, name: str) -> Span | None:
        """Where this file defines a name further down, if it does."""
        scope: Environment | None = self
        while scope is not None:
            if name in scope.later:
                return scope.later[name]
            scope = scope.parent
        return None

    # ---- as the readers of sections see it (scoping.Scoping) ----------------------------------------------------------

    def evaluate(self, expr: tree.Expr, findings: list[Finding]) -> Value:
        """The value of `expr`, BROKEN with its findings appended to `findings` where it has a mistake."""
        from detc.semantics.evaluate import evaluate

        known = len(self.context.findings)
        value = evaluate(expr, self)
        if findings is not self.context.findings:
            findings.extend(self.context.findings[known:])
            del self.context.findings[known:]
        return value

    def with_names(self, names: Mapping[str, Value]) -> Environment:
        """A scope inside this one that binds `names` too."""
        inner = self.child()
        for name, value in names.items():
            inner.bind(name, value, None)
        return inner

    def set_default(self, op: str, values: Mapping[str, tuple[Any, Span]]) -> None:
        """Defaults of an op from here on, in this scope and in the scopes and blocks below it."""
        self.defaults = {**self.defaults, op: {**self.defaults.get(op, {}), **values}}


def remedy(word: str, candidates: Iterable[str]) -> str:
    """`did you mean ..?`, or all candidates where they are few and none is near."""
    words = sorted({c for c in candidates if not c.startswith("_")})
    near = closest(word, words[:MOST_CANDIDATES]) if len(word) <= LONGEST_WORD else None
    if near:
        return f"did you mean `{near}`?"
    return f"known: {', '.join(words)}" if 0 < len(words) <= 12 else ""


def unknown_name(name: str, span: Span | None, scope: Environment, words: Iterable[str] = ()) -> Any:
    """Reports a name that nothing binds, with the nearest that something does; words that may stand there come first."""
    context = scope.context
    known = list(words)
    help = ""
    if context.guesses < MOST_GUESSES:
        context.guesses += 1
        help = remedy(name, known)
        help = help if help.startswith("did") else remedy(name, scope.visible()) or help
    return context.refuse(rules.UNKNOWN_NAME, span, name=name, remedy=help, label="not found here")
