"""`target NAME extends PARENT { .. }`: finds targets by name, resolves them along `extends`, and binds their parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Related, Rule, Span
from detc.diagnostics.did_you_mean import closest
from detc.semantics.facts import Body
from detc.semantics.overrides import Overrides
from detc.semantics.params import read_param
from detc.semantics.program import Section, Setting, Target
from detc.semantics.reading import Reader, label_of
from detc.semantics.schema.rules import TARGET
from detc.semantics.values import BROKEN, Symbol, Value
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Context, Environment

UNKNOWN = Rule(
    "TGT120",
    "error",
    """no target is called `{actual}`

    Targets come with detc, from files beside the spec (NAME.det or targets/NAME.det) and from installed packages.
    `detc targets` lists them.""",
    help="{remedy}",
)
CIRCLE = Rule(
    "TGT121",
    "error",
    """target `{actual}` extends itself: {path}

    A target takes over what its parent has, so the line of parents has to end.""",
    help="let one of them extend another target, or none",
)
DOUBLED = Rule(
    "TGT122",
    "error",
    """two targets are called `{actual}`

    A target is chosen by its name, so each has its own.""",
    help="rename one of the two",
)
TOO_LONG = Rule(
    "TGT123",
    "error",
    """the line of parents of target `{actual}` is longer than {allowed}

    A board extends a chip and a chip a family; nobody can follow a value through more steps than that.""",
    help="merge some of the targets between",
)

RULES = (UNKNOWN, CIRCLE, DOUBLED, TOO_LONG)

BUILTIN = Path(__file__).resolve().parent.parent / "targets"
"""A built-in target is `targets/NAME/target.det`, or `NAME.det` in a folder beside that: `targets/stm32/boards/NAME.det`."""
BASES = ("accelerator", "microcontroller", "neuromorphic", "host")
"""Names that a target may extend although nothing defines them: kinds of machines, without facts."""


_LONGEST = 100
"""Letters of a target's name; it becomes a file name."""
_PARENTS = 16


@dataclass(eq=False, repr=False)
class TargetLibrary:
    """The `target` blocks that are known by now, and the lines of parents that were looked up."""

    blocks: dict[str, tuple[tree.Block, Environment]] = field(default_factory=dict)
    declared: list[tuple[str, Span]] = field(default_factory=list)
    loaded: set[str] = field(default_factory=set)
    lineages: dict[str, tuple[str, ...] | None] = field(default_factory=dict)


def library(context: Context) -> TargetLibrary:
    """The one library of an elaboration."""
    if context.targets is None:
        context.targets = TargetLibrary()
    return context.targets


def declare(item: tree.Block, scope: Environment) -> Symbol | None:
    """A `target` block of the spec or of a file it uses: registered; `resolve_declared` reads them once all are known."""
    context = scope.context
    at = Reader(scope, TARGET, context.sources, context.findings)
    name = label_of(item)
    if not name:
        at.report(TARGET.missing_key(item.kind.span, what="a target", key="name", fix="target NAME { .. }"))
        return None
    known = library(context)
    taken = known.blocks.get(name)
    if taken is not None and taken[0] is not item:
        at.report(DOUBLED(item.kind.span, actual=name, related=(Related(taken[0].kind.span, "the first"),)))
        return None
    known.blocks[name] = (item, scope)
    known.declared.append((name, item.kind.span))
    return Symbol(name, item.kind.span)


def resolve_declared(context: Context) -> None:
    """Resolves every target that the spec declares, for the mistakes in those that nothing is put on."""
    for name, span in library(context).declared:
        resolve(name, context, span)


def use(item: tree.Use, scope: Environment) -> Value:
    """`use targets.NAME`: binds its name as a word; BROKEN with a finding where there is no such target."""
    name = ".".join(part.id for part in item.path[1:])
    span = item.path[-1].span
    return BROKEN if lineage(name, scope.context, span) is None else Symbol(name, span)


def lineage(name: str, context: Context, span: Span | None) -> tuple[str, ...] | None:
    """The target of that name (`gti5801`, or `loihi2.kapoho_point` for a board of a family) and its parents, by their own
    names, itself first; None with findings."""
    known = library(context)
    if name not in known.lineages:
        known.lineages[name] = _lineage(name, context, span)
    return known.lineages[name]


def resolve(name: str, context: Context, span: Span | None, chosen: bool = False) -> Target | None:
    """The target of that name with all its facts; None with findings.

    `chosen` is the target that is judged: only its parameters hear `--set target.PARAM`.
    """
    line = lineage(name, context, span)
    if line is None:
        return None
    before = len(context.findings)
    target = _build(line, context, chosen)
    # What was told when a target was declared is not told again when it is chosen.
    fresh = [f for f in context.findings[before:] if f not in context.findings[:before]]
    context.findings[before:] = fresh
    return target


def _lineage(name: str, context: Context, span: Span | None) -> tuple[str, ...] | None:
    line: list[str] = []
    wanted, place = name, span
    while True:
        short = wanted.rpartition(".")[2]
        if short in line:
            context.refuse(CIRCLE, place, actual=short, path=" -> ".join((*line, short)))
            library(context).lineages.update(dict.fromkeys(line))
            return None
        if len(line) > _PARENTS:
            context.refuse(TOO_LONG, span, actual=name, allowed=_PARENTS)
            return None
        base = bool(line) and short in BASES and short not in library(context).blocks
        found = None if base else find(wanted, context)
        if found is None and not base:
            context.refuse(UNKNOWN, place, actual=wanted, remedy=_remedy(wanted, context))
            return None
        line.append(short)
        if found is None or not found[0].extends:
            return tuple(line)
        parents = found[0].extends
        wanted, place = ".".join(part.id for part in parents), parents[0].span.to(parents[-1].span)


def _build(lineage: tuple[str, ...], context: Context, chosen: bool) -> Target:
    """The target from the blocks of its line, the oldest first."""
    blocks = library(context).blocks
    line = [blocks[name] for name in reversed(lineage) if name in blocks]
    last = line[-1][0]
    body = Body(Section("target", lineage[0], last.span))
    params, values = _params(line, context, chosen)
    for block, scope in line:
        inner = scope.with_names(values)
        _bind_lets(block, inner)
        at = Reader(inner, TARGET, context.sources, context.findings, what=f"target `{label_of(block)}`")
        body.read(block, at)
    return Target(lineage[0], lineage, body.root, last.span, last.doc, params, body.gates)


def _params(
    line: list[tuple[tree.Block, Environment]], context: Context, chosen: bool
) -> tuple[dict[str, Setting], dict[str, Any]]:
    """Settings and values of all parameters of the line; a younger block gives an inherited one a new default."""
    declared: dict[str, tuple[tree.Typed | tree.Named, Environment]] = {}
    for block, scope in line:
        for item in block.items:
            if isinstance(item, (tree.Typed, tree.Named)) and item.kind.id == "param":
                declared[item.name.id] = (item, scope)
            elif isinstance(item, tree.Assign) and len(item.path) == 1 and item.path[0].id in declared:
                older, home = declared[item.path[0].id]
                declared[older.name.id] = (_with_default(older, item.value), home)
    settings: dict[str, Setting] = {}
    values: dict[str, Any] = {}
    overrides = context.overrides if chosen else Overrides()
    for name, (item, scope) in declared.items():
        at = Reader(scope.with_names(values), TARGET, context.sources, context.findings)
        read = read_param(item, at, overrides, "target.")
        if read is None and f"target.{name}" in overrides.entries:  # told; the default serves to judge the rest
            read = read_param(item, at, Overrides(), "target.")
        if read is None:
            values[name] = BROKEN
        else:
            settings[name], values[name] = read
    return settings, values


def _with_default(item: tree.Typed | tree.Named, value: tree.Expr) -> tree.Typed | tree.Named:
    from dataclasses import replace

    return replace(item, value=value)


def _bind_lets(block: tree.Block, scope: Environment) -> None:
    for item in block.items:
        if isinstance(item, tree.Named) and item.kind.id == "let":
            findings = scope.context.findings
            scope.bind(item.name.id, scope.evaluate(item.value, findings), item.name.span)


# ---- finding --------------------------------------------------------------------------------------------------------


def find(name: str, context: Context) -> tuple[tree.Block, Environment] | None:
    """The block of a target: known already, built in, beside the spec, or from an installed package, in this order."""
    known = library(context)
    family, _, short = name.rpartition(".")
    if not family and short in known.blocks:
        return known.blocks[short]
    for path, shown in _files(family or short, short, context):
        _load(path, shown, context)
        if short in known.blocks:
            return known.blocks[short]
    return None


def _files(family: str, short: str, context: Context) -> Iterator[tuple[Path, str]]:
    """Files that may define the target, each with the path a user is shown."""
    if len(family) + len(short) > _LONGEST or not all(part.isidentifier() for part in (*family.split("."), short)):
        return
    folder = BUILTIN / family.split(".")[0]
    for name in ("target.det", f"{short}.det"):
        if (folder / name).is_file():
            yield folder / name, f"{folder.name}/{name}"
    for path in BUILTIN.glob(f"*/*/{short}.det"):
        yield path, path.relative_to(BUILTIN).as_posix()
    for path in (context.folder / f"{short}.det", context.folder / "targets" / f"{short}.det"):
        if path.is_file() and str(path) not in context.sources:
            yield path, str(path)
    yield from _installed(family.split(".")[0])


def _installed(name: str) -> Iterator[tuple[Path, str]]:
    """`target.det` beside the module of an entry point; asked only for a name that is nowhere else."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for entry in entry_points(group="detc.targets", name=name):
        try:
            spec = find_spec(entry.module)
        except ImportError:
            continue
        path = Path(spec.origin).parent / "target.det" if spec and spec.origin else None
        if path and path.is_file():
            yield path, f"{name}/target.det"


def _load(path: Path, shown: str, context: Context) -> None:
    """Reads a file of targets: its blocks are registered, its other definitions bound in a scope of its own."""
    from detc.semantics.bodies import hoist
    from detc.semantics.elaborate import Walk
    from detc.semantics.environment import Environment
    from detc.semantics.library import prelude
    from detc.semantics.modules import read_source
    from detc.syntax.parser import parse_shared

    known = library(context)
    if str(path) in known.loaded:
        return
    known.loaded.add(str(path))
    source = read_source(path, shown, None, context)
    if source is None:
        return
    file, findings = parse_shared(source)
    for finding in findings:
        context.report(finding)
    scope = Environment(context, prelude(context), root=False)
    targets = [item for item in file.items if isinstance(item, tree.Block) and item.kind.id == "target"]
    others = [item for item in file.items if not any(item is target for target in targets)]
    hoist(others, scope)
    Walk(scope).items([item for item in others if isinstance(item, (tree.Use, tree.Named, tree.Typed))])
    for target in targets:
        name = label_of(target)
        if name and name not in known.blocks:
            known.blocks[name] = (target, scope)


def names(context: Context) -> tuple[str, ...]:
    """Every target that could be chosen here: for remedies and lists."""
    return tuple(sorted({*builtin_names(), *library(context).blocks}))


FAMILY, MOST_LONGER = 5, 4
"""Letters that a name takes to tell a part of others, and names that a remedy lists."""


def _remedy(name: str, context: Context) -> str:
    """The few names that go on where this one stops (`stm32h747`), else the nearest; where none is near, those of the spec and
    the command that lists the others."""
    longer = (
        [f"`{known}`" for known in names(context) if known.startswith(name.casefold())] if len(name) >= FAMILY else []
    )
    if 0 < len(longer) <= MOST_LONGER:
        return f"did you mean {' or '.join(longer)}?"
    family, _, short = name.rpartition(".")
    near = closest(short, names(context))
    near = f"{family}.{near}" if near and family in names(context) else near
    own = ", ".join(sorted(library(context).blocks))
    listed = "`detc targets` lists those that come with detc"
    return f"did you mean `{near}`?" if near else f"known here: {own}; {listed}" if own else listed


def builtin_names() -> tuple[str, ...]:
    """The targets that come with detc, by name. No file is read."""
    own = [path.parent.name for path in BUILTIN.glob("*/target.det")]
    return tuple(sorted([*own, *(path.stem for path in BUILTIN.glob("*/*/*.det"))]))
