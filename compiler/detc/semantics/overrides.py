"""`--set NAME=VALUE`: which values a user changes from outside, and whether anything took them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Rule, Source, Span
from detc.semantics.program import Setting
from detc.semantics.schema.kind import MISSING, Kind
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment
    from detc.semantics.reading import Reader

UNKNOWN = Rule(
    "PAR110",
    "error",
    """nothing is called `{name}` that `--set` could change

    `--set` reaches the parameters of a spec by their name, and other values by their dotted path: `train.BLOCK.KEY`,
    `train.BLOCK.STAGE.KEY`, `data.NAME.KEY`, `deploy.NAME.KEY` and `target.PARAM`.""",
    help="{remedy}",
)
REFUSED = Rule(
    "PAR111",
    "error",
    """`--set {name}` would change the model from outside

    A model is changed only through the parameters that its spec declares, so that the spec stays the whole truth about it.""",
    help="{remedy}",
)
UNREADABLE = Rule(
    "PAR112",
    "error",
    """`--set {name}` has no readable value

    The text after `=` is an expression as in a spec: a number with its unit, a word, a list, a call.""",
    help="write `--set {name}=VALUE`, in quotes where the shell would split it",
)

RULES = (UNKNOWN, REFUSED, UNREADABLE)


@dataclass(eq=False, repr=False)
class Override:
    """One `--set`: `text` is what stands after `=`, `expr` what it means as an expression (None if it is none)."""

    name: str
    text: str
    expr: tree.Expr | None
    span: Span
    used: bool = False

    def read(self, kind: Kind, at: Reader, key: str) -> Any:
        """The value as `kind` reads it; paths and strings may stand without quotes."""
        self.used = True
        raw = kind.read_raw(self.text)
        if raw is not MISSING:
            return raw
        if self.expr is None:
            return at.report(UNREADABLE(self.span, name=self.name))
        return kind.read(self.expr, at, key)


@dataclass(eq=False, repr=False)
class Overrides:
    """All of a run, and every path that could have been set: for the finding about one that nothing took."""

    entries: dict[str, Override] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    def take(self, name: str) -> Override | None:
        """The override of exactly this path, now counted as used."""
        self.known.add(name)
        found = self.entries.get(name)
        if found:
            found.used = True
        return found

    def under(self, path: str, keys: Iterable[str], families: Iterable[str] = ()) -> Iterator[tuple[str, Override]]:
        """(key, override) of every key of the section at `path` that is overridden; a key that begins as one of `families`
        need not be known.
        """
        fronts = tuple(f"{path}.{family}" for family in families)
        for name, override in self.entries.items():
            if fronts and name.startswith(fronts):
                override.used = True
                yield name.removeprefix(f"{path}."), override
        for key in keys:
            name = f"{path}.{key}"
            self.known.add(name)
            if name in self.entries:
                self.entries[name].used = True
                yield key, self.entries[name]

    def inside(self, path: str) -> Iterator[tuple[str, Override]]:
        """(argument, override) of the paths one step below the key at `path`: `train.steps.chip.optimizer.momentum`."""
        for name, override in self.entries.items():
            front, _, last = name.rpartition(".")
            if front == path:
                yield last, override

    def unused(self, models: Iterable[str]) -> list[Finding]:
        """A finding for each that nothing took."""
        from detc.semantics.reading import did_you_mean

        found = []
        models = {"model", *models}
        for name, override in self.entries.items():
            if override.used:
                continue
            if name.split(".")[0] in models:
                params = sorted(known for known in self.known if "." not in known)
                remedy = "declare a `param` in the spec and set that"
                if params:
                    remedy += f"; it has {', '.join(params)}"
                found.append(REFUSED(override.span, name=name, remedy=remedy))
            else:
                inner = sorted(known for known in self.known if known.endswith(f".{name}"))
                remedy = f"did you mean `{inner[0]}`?" if inner else did_you_mean(name, tuple(self.known))
                found.append(UNKNOWN(override.span, name=name, actual=name, remedy=remedy))
        return found


def parse_sets(sets: Mapping[str, str]) -> Overrides:
    """The overrides of `NAME -> VALUE` texts. Each is a small source of its own, so that findings can point into it."""
    overrides = Overrides()
    for name, text in sets.items():
        source = Source(f"--set {name}", f"{name}={text}")
        overrides.sources[source.path] = source
        lines = source.text.split("\n")
        span = Span(source.path, 1, 1, len(lines), len(lines[-1]) + 1)
        overrides.entries[name] = Override(name, text, _expression(source, name), span)
    return overrides


def _expression(source: Source, name: str) -> tree.Expr | None:
    from detc.syntax.parser import parse

    file, findings = parse(source)
    if findings or len(file.items) != 1 or not isinstance(file.items[0], tree.Assign):
        return None
    assign = file.items[0]
    return assign.value if ".".join(part.id for part in assign.path) == name else None


def finish(scope: Environment) -> None:
    """Last: a finding for each `--set` that nothing took, and `program.overrides`."""
    program = scope.context.program
    overrides = scope.context.overrides
    for finding in overrides.unused(program.models):
        scope.context.report(finding)
    for override in overrides.entries.values():
        if override.used:
            program.overrides.append(Setting(override.name, _shown(override.text), "--set", override.span))


def _shown(text: str) -> int | float | str:
    """The text of an override; a bare number as a number, so that the lock holds it as one."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
