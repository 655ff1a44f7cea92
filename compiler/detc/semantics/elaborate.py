"""From a spec file to a Program: reads the file, walks its items from top to bottom, and hands each to who knows its kind.

Sections other than models are read by modules of their own, each through one function; `scope` is the Environment of
the file, and `scope.context` has the program, its findings, its sources, the overrides and the wanted target:

    params.declare(item, scope) -> Value              `param classes: int = 20` or `param act = silu`; notes it in program.params
    data.declare(item, scope) -> Data | None          `data v = data.voc(..)` or `data v { .. }`
    targets.declare(item, scope) -> Symbol | None     `target mine extends gti5801 { .. }` in the spec or in a file it uses
    targets.use(item, scope) -> Value                 what `use targets.gti5801` binds, a word
    derived.derive(item, scope) -> Model | None       `model small = prune(big, channels = 1 / 2)`
    heads.read_head(block, on, reader, tensors, related) -> Head | None      a `head` block of a model
    stages.read(items, scope) -> None                 all `train` blocks, after everything above; fills program.stages
    deploys.read(items, scope) -> None                all `deploy` blocks and the `--target`; fills program.target and .deploys
    stage_fitting.fit(scope) -> None                  leaves out stages for other devices than the target, adds a calibration
    gates.declare(item, scope) -> None                `require` at the top of the spec; fills program.gates
    overrides.finish(scope) -> None                   last: findings about `--set` that nothing took, program.overrides

None (or BROKEN) means that a finding is reported. A name is bound to what its function gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from detc.diagnostics import Source, has_errors
from detc.semantics import limits, model_rules, rules
from detc.semantics.bodies import block_name, define, hoist, set_defaults
from detc.semantics.environment import Context, Environment, remedy
from detc.semantics.library import prelude
from detc.semantics.loops import condition, elements, spread
from detc.semantics.modules import Modules, read_source
from detc.semantics.overrides import parse_sets
from detc.semantics.program import Program
from detc.semantics.unused import check_block
from detc.semantics.values import BROKEN, Value
from detc.syntax import tree
from detc.syntax.parser import parse

TOP_LEVEL = ("use", "param", "let", "block", "default", "model", "data", "train", "deploy", "target", "require")


def elaborate(
    path: str | Path, sets: Mapping[str, str] | None = None, target: str | None = None, text: str | None = None
) -> Program:
    """The program of the spec at `path` with `sets` (`--set NAME=VALUE`) for `target`. Every mistake is a finding in it.

    With `text` that is the spec, and `path` only says where it would stand. A file that cannot be read gives a program with that
    finding alone. Nothing is raised for a user's mistake.
    """
    path = Path(path)
    program = Program(path.stem, str(path))
    overrides = parse_sets(sets or {})
    program.sources.update(overrides.sources)
    context = Context(program, path.parent, overrides, target)
    try:
        _elaborate(path, context, text)
    except limits.Stop as stop:
        context.report(stop.finding)
    return program


def _elaborate(path: Path, context: Context, text: str | None) -> None:
    source = read_source(path, str(path), None, context) if text is None else Source(str(path), text)
    if source is None:
        return
    context.sources[source.path] = source
    file, findings = parse(source)
    for finding in findings:
        context.report(finding)
    context.lossy = has_errors(findings)
    context.modules = Modules(context, path)
    scope = Environment(context, prelude(context), root=True)
    Walk(scope).file(file, lost_names(source) if context.lossy else ())


_DEFINITION = re.compile(r"\b(?:let|output|input|block|param|data|model|target|as)[ \t]+([A-Za-z_][A-Za-z0-9_]*)")


def lost_names(source: Source) -> tuple[str, ...]:
    """The names that a text seems to define: where a line does not parse, what it defines is broken rather than unknown."""
    return tuple(dict.fromkeys(_DEFINITION.findall(source.text)))


class Walk:
    """The items of one file. Those of the spec itself are all read; of a file that is used, only definitions are."""

    def __init__(self, scope: Environment) -> None:
        self.scope = scope
        self.context = scope.context
        self.trains: list[tree.Block] = []
        self.deploys: list[tree.Block] = []
        self.gates: list[tuple[tree.Require, Environment]] = []

    def file(self, file: tree.File, lost: Iterable[str] = ()) -> None:
        """All items; `lost` are names that lines with mistakes in their text may define."""
        hoist(file.items, self.scope)
        for name in lost:
            if name not in self.scope.names and name not in self.scope.later:
                self.scope.bind(name, BROKEN, None)
        self._attributes(file.items)
        self.items(file.items)
        if not self.scope.root:
            return
        for item in file.items:
            if block_name(item) and isinstance(item, tree.Block) and id(item) not in self.context.expanded:
                check_block(item, self.scope)
        from detc.semantics import deploys, gates, overrides, stage_fitting, stages

        stages.read(self.trains, self.scope)
        deploys.read(self.deploys, self.scope)
        stage_fitting.fit(self.scope)
        for gate, scope in self.gates:
            gates.declare(gate, scope)
        overrides.finish(self.scope)

    def _attributes(self, items: Sequence[tree.AnyItem]) -> None:
        from detc.semantics.facts import check_attributes

        check_attributes(items, self.context)

    def items(self, items: Sequence[tree.AnyItem]) -> None:
        for item in items:
            self.context.tick(item.span)
            self.context.enter(item.span)
            try:
                self.item(item)
            finally:
                self.context.depth -= 1

    def item(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Use):
            self._use(item)
        elif isinstance(item, tree.If):
            verdict = condition(item.condition, self.scope)
            if verdict is not BROKEN:
                self.items(item.items if verdict else item.otherwise)
        elif isinstance(item, tree.For):
            self._for(item)
        elif isinstance(item, tree.Require):
            self.gates.append((item, self.scope))
        elif isinstance(item, (tree.Named, tree.Typed, tree.Block)):
            read = getattr(self, f"_{item.kind.id}", None) if item.kind.id in TOP_LEVEL else None
            if read is None:
                self._unknown(item.kind)
            else:
                read(item)
        else:
            name = item.path[0] if isinstance(item, (tree.Assign, tree.Bound)) else None
            self._unknown(name or item)

    def _unknown(self, node: tree.Node) -> None:
        name = node.id if isinstance(node, tree.Name) else self.context.text(node.span)
        self.context.refuse(
            rules.UNKNOWN_ITEM,
            node.span,
            name=name,
            place="a spec",
            remedy=remedy(name, TOP_LEVEL),
            label="unknown here",
        )

    # ---- definitions ------------------------------------------------------------------------------------------------

    def _use(self, item: tree.Use) -> None:
        assert self.context.modules is not None
        self.context.modules.use(item, self.scope, lambda file, scope: Walk(scope).file(file))

    def _for(self, item: tree.For) -> None:
        for element in elements(item.source, self.scope, "`for`") or ():
            inner = self.scope.child()
            if spread(item.names, element, inner, item.source.span):
                walk = Walk(inner)
                walk.trains, walk.deploys, walk.gates = self.trains, self.deploys, self.gates
                walk.items(item.items)

    def _let(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Named):
            define(item, self.scope)
        else:
            self._incomplete(item, "`let`", "a value", "write `let NAME = VALUE`")

    def _block(self, item: tree.AnyItem) -> None:
        """Bound by `hoist`, before anything is evaluated."""
        if not (isinstance(item, tree.Block) and block_name(item)):
            self._incomplete(item, "this block", "a name and parameters", "write `block NAME(x) = x |> ..`")
        elif block_name(item) not in self.scope.names:
            hoist((item,), self.scope)

    def _default(self, item: tree.AnyItem) -> None:
        set_defaults(item, self.scope)

    def _param(self, item: tree.AnyItem) -> None:
        from detc.semantics import params

        if isinstance(item, (tree.Named, tree.Typed)):
            self._bind(item, params.declare(item, self.scope))
        else:
            self._incomplete(item, "`param`", "a default", "write `param NAME: int = 1`")

    def _model(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Block):
            from detc.semantics.models import declare_model

            self.gates += declare_model(item, self.scope)
        elif isinstance(item, tree.Named):
            from detc.semantics import derived

            self._bind(item, derived.derive(item, self.scope))
        else:
            self._incomplete(item, "`model`", "a body", "write `model NAME extends detector { .. }`")

    def _data(self, item: tree.AnyItem) -> None:
        from detc.semantics import data

        if isinstance(item, (tree.Named, tree.Block)):
            self._bind(item, data.declare(item, self.scope))
        else:
            self._incomplete(item, "`data`", "a value", 'write `data NAME = data.voc(root = path("..") ..)`')

    def _target(self, item: tree.AnyItem) -> None:
        from detc.semantics import targets

        if isinstance(item, tree.Block):
            self._bind(item, targets.declare(item, self.scope))
        else:
            self._incomplete(item, "`target`", "a body", "write `target NAME extends PARENT { .. }`")

    def _train(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Block):
            self.trains.append(item)
        else:
            self._incomplete(item, "`train`", "a body", "write `train NAME on MODEL { .. }`")

    def _deploy(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Block):
            self.deploys.append(item)
        else:
            self._incomplete(item, "`deploy`", "a body", "write `deploy NAME on TARGET { .. }`")

    def _bind(self, item: tree.Named | tree.Typed | tree.Block, value: Value) -> None:
        name = item.label if isinstance(item, tree.Block) else item.name
        if isinstance(name, tree.Name):
            self.scope.bind(name.id, BROKEN if value is None and not _gives_none(item) else value, name.span)

    def _incomplete(self, item: tree.AnyItem, what: str, allowed: str, fix: str) -> None:
        self.context.refuse(model_rules.INCOMPLETE, item.span, what=what, allowed=allowed, remedy=fix)


def _gives_none(item: tree.AnyItem) -> bool:
    """`param depth = none` is a value, not a mistake."""
    return isinstance(item, (tree.Named, tree.Typed)) and item.kind.id == "param"
