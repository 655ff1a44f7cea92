"""`use`: libraries of detc, targets, and files beside the spec. Nothing outside of the spec's folder is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import detc
from detc.diagnostics import Source, Span
from detc.semantics import limits, model_rules, rules
from detc.semantics.environment import Context, Environment, remedy
from detc.semantics.values import BROKEN, Namespace, Value
from detc.syntax import reading, tree
from detc.syntax.parser import parse_shared

STD = Path(detc.__file__).parent / "std"
OPEN = ("data",)
"""Libraries whose members are words that a section knows, such as `data.voc`."""

Elaborate = Callable[[tree.File, Environment], None]
"""Runs the items of a used file in a scope of its own."""


@dataclass(slots=True)
class Modules:
    """The files that one elaboration uses. `reading` are those being read now, outermost first, for circles."""

    context: Context
    spec: Path
    done: dict[Path, Value] = field(default_factory=dict)
    reading: list[Path] = field(default_factory=list)

    def use(self, item: tree.Use, scope: Environment, elaborate: Elaborate) -> None:
        """Binds what `item` names under its alias, else under the last word of its path or the file's stem."""
        if item.file is not None:
            name, value = self._file(item, item.file, scope, elaborate)
        else:
            name, value = self._library(item, scope, elaborate)
        alias = item.alias or (item.path[-1] if item.path else None)
        name = alias.id if alias else name
        if name.isidentifier():
            scope.bind(name, value, alias.span if alias else item.span)
        elif value is not BROKEN:
            self.context.refuse(
                model_rules.INCOMPLETE,
                item.span,
                what="this `use`",
                allowed="a name",
                remedy=f'write `use "{name}" as NAME`',
            )

    # ---- where the file is ------------------------------------------------------------------------------------------

    def _library(self, item: tree.Use, scope: Environment, elaborate: Elaborate) -> tuple[str, Value]:
        parts = [name.id for name in item.path]
        dotted = ".".join(parts)
        if parts[0] == "targets" and len(parts) == 2:
            from detc.semantics import targets

            return parts[-1], targets.use(item, scope)
        known = sorted(path.stem for path in STD.glob("*.det"))
        if parts[0] == "std" and len(parts) == 2 and parts[1] in known:
            path = STD / f"{parts[1]}.det"
            return parts[1], self._load(path, f"std/{parts[1]}.det", item, scope, elaborate, parts[1] in OPEN)
        hint = remedy(dotted, [f"std.{name}" for name in known])
        return parts[-1], self.context.refuse(rules.NO_MODULE, item.span, name=dotted, remedy=hint)

    def _file(self, item: tree.Use, file: tree.String, scope: Environment, elaborate: Elaborate) -> tuple[str, Value]:
        """A file below the folder of the spec, named relative to the file that uses it. Links are followed before judging."""
        stem = Path(file.value).stem
        here = self.reading[-1].parent if self.reading else self.context.folder
        root = self.context.folder.resolve()
        try:
            path = (here / file.value).resolve()
        except (OSError, ValueError, RuntimeError):
            reason = "the path cannot be followed"
            value = self.context.refuse(rules.NO_FILE, file.span, what=f'"{file.value}"', reason=reason, remedy="")
            return stem, value
        if path != root and root not in path.parents:
            value = self.context.refuse(
                rules.OUTSIDE, file.span, name=f'"{file.value}"', allowed=f"{root.name or root}/"
            )
            return stem, value
        shown = str(self.context.folder / path.relative_to(root))
        return stem, self._load(path, shown, item, scope, elaborate, False)

    # ---- reading it -------------------------------------------------------------------------------------------------

    def _load(
        self, path: Path, shown: str, item: tree.Use, scope: Environment, elaborate: Elaborate, is_open: bool
    ) -> Value:
        context = self.context
        if path in self.done:
            return self.done[path]
        chain = [self.spec.resolve(), *self.reading]
        if path in chain:
            circle = " -> ".join(p.name for p in [*chain[chain.index(path) :], path])
            return context.refuse(rules.CYCLE, item.span, chain=circle)
        if len(self.done) + len(self.reading) >= limits.FILES or len(self.reading) > limits.LIST_DEPTH:
            return context.refuse(rules.TOO_LARGE, item.span, what="the set of files", allowed=f"{limits.FILES} files")
        source = read_source(path, shown, item.span, context)
        if source is None:
            self.done[path] = BROKEN
            return BROKEN
        file, findings = parse_shared(source)
        for finding in findings:
            context.report(finding)
        inner = Environment(context, scope.file.parent, root=False)
        builder, context.builder = context.builder, None
        self.reading.append(path)
        before = len(context.findings)
        try:
            elaborate(file, inner)
        finally:
            self.reading.pop()
            context.builder = builder
        members = {name: binding.value for name, binding in inner.names.items()}
        # A name that a mistake kept from being defined is not missing: whatever asks for it stays silent.
        broken = bool(findings) or len(context.findings) > before
        value = Namespace(path.stem, _Silent(members) if broken else members, is_open)
        self.done[path] = value
        return value


class _Silent(dict[str, Value]):
    """The members of a file with mistakes, where any other name is broken rather than unknown."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Value:
        return BROKEN


def read_source(path: Path, shown: str, span: Span | None, context: Context) -> Source | None:
    """The text of a file, kept in the program's sources; None with a finding at `span` where it cannot be read."""
    read, findings = reading.read_source(path, shown)
    for finding in findings:
        hint = "" if path.exists() else _similar(path)
        context.report(replace(finding, span=span, help=hint or finding.help))
    if read is None:
        return None
    source = Source(shown, read.text.replace("\r\n", "\n"))
    context.sources[shown] = source
    return source


def _similar(path: Path) -> str:
    """A file of nearly that name in the same folder."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix == ".det"][:1000]
    except OSError:
        return ""
    hint = remedy(path.name, names)
    return hint if hint.startswith("did") else ""
