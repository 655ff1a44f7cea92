"""`deploy NAME on TARGET { model = M }` and `--target`: which model is judged for which target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detc.diagnostics import Related, Rule, Span
from detc.semantics import targets
from detc.semantics.gates import read_gate
from detc.semantics.program import Deploy, Gate, Program, Setting, Target
from detc.semantics.reading import Reader, did_you_mean
from detc.semantics.schema.deploy import DEPLOY
from detc.semantics.schema.kind import dotted
from detc.semantics.schema.rules import DEPLOY as RULES_OF_KEYS
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

NO_TARGET = Rule(
    "DEP110",
    "error",
    """deploy `{name}` names no target

    A deploy block stands on the target that has to hold the model.""",
    help="write `deploy {name} on TARGET {{ .. }}`",
)
NO_MODEL = Rule(
    "DEP111",
    "error",
    """deploy `{name}` puts `{actual}` on the target, and the spec has no such model

    `model` names a model of the spec.""",
    help="{remedy}",
)
WHICH_MODEL = Rule(
    "DEP112",
    "error",
    """deploy `{name}` does not say which model it means

    The spec has several.""",
    help="add `model = {fix}`",
)
DOUBLED = Rule(
    "DEP113",
    "error",
    """two deploy blocks are called `{name}`

    Each has a name of its own.""",
    help="rename one of the two",
)
OTHERS = Rule(
    "DEP114",
    "note",
    """the spec deploys on {actual}; judged is {allowed}

    One run judges one target. Without `--target` it is that of the first deploy block.""",
    help="`--target {fix}` judges the other",
)

RULES = (NO_TARGET, NO_MODEL, WHICH_MODEL, DOUBLED, OTHERS)


def read(items: Sequence[tree.Block], scope: Environment) -> None:
    """All deploy blocks: those on the wanted target (or a descendant of it) go into the program, else an implicit one."""
    context = scope.context
    program = context.program
    at = Reader(scope, RULES_OF_KEYS, context.sources, context.findings, context.overrides)
    targets.resolve_declared(context)
    read: list[tuple[Deploy, Target]] = []
    seen: dict[str, Span] = {}
    for block in items:
        found = _deploy(block, at, scope, seen)
        if found:
            read.append(found)
    wanted = targets.resolve(context.target, context, None) if context.target else None
    if context.target:
        chosen = [(d, t) for d, t in read if wanted and wanted.name in t.lineage]
        judged = chosen[0][1] if chosen else wanted
    else:
        judged = read[0][1] if read else None
        chosen = [(d, t) for d, t in read if judged and t.name == judged.name]
        rest = list(dict.fromkeys(t.name for _, t in read if judged and t.name != judged.name))
        if judged and rest:
            shown = ", ".join([judged.name, *rest])
            at.report(OTHERS(read[0][0].span, actual=shown, allowed=judged.name, fix=rest[0]))
    if judged is None:
        return
    program.target = targets.resolve(_called(judged, context.target), context, None, chosen=True)
    if program.target:
        program.gates.extend(program.target.gates)
    program.deploys = [deploy for deploy, target in chosen if target.name == judged.name]
    if program.target and not program.deploys and program.models:
        model = program.models[_main_model(program)]
        program.deploys = [Deploy(f"on_{judged.name}", judged.name, model.name, [], {"model": model.name}, None)]


def _called(target: Target, wanted: str | None) -> str:
    """The name by which the target is found: as it was asked for where that is the one."""
    return wanted if wanted and wanted.rpartition(".")[2] == target.name else target.name


def _main_model(program: Program) -> str:
    """The model an implicit deploy means: the last detector of the spec, since later models build on earlier ones."""
    detectors = [name for name, model in program.models.items() if model.kind == "detector"]
    return detectors[-1] if detectors else list(program.models)[-1]


def _deploy(block: tree.Block, at: Reader, scope: Environment, seen: dict[str, Span]) -> tuple[Deploy, Target] | None:
    program = scope.context.program
    label = block.label
    name = "" if label is None else label.id if isinstance(label, tree.Name) else label.value
    at.what = f"deploy `{name}`"
    head = block.kind.span.to(label.span) if label else block.kind.span
    if not name:
        at.report(
            RULES_OF_KEYS.missing_key(head, what="a deploy block", key="name", fix="deploy NAME on TARGET { .. }")
        )
        return None
    if name in seen:
        at.report(DOUBLED(head, name=name, related=(Related(seen[name], "the first"),)))
        return None
    seen[name] = head
    gates: list[Gate] = []

    def special(item: tree.AnyItem) -> bool:
        if isinstance(item, tree.Require):
            gate = read_gate(item, at, f"deploy {name}", _stages(program))
            gates.extend([gate] if gate else [])
            return True
        return False

    entries = at.section(DEPLOY, block.items, f"deploy.{name}", span=head, special=special)
    program.settings[f"deploy.{name}"] = tuple(entries.values())
    target = _target(block, name, head, at, scope)
    model = _model(name, entries.get("model"), head, at, program)
    if target is None or model is None:
        return None
    return Deploy(name, target.name, model, gates, {"model": model}, head), target


def _stages(program: Program) -> dict[str, str]:
    return {f"{stage.train}.{stage.name}": f"{stage.train}.{stage.name}" for stage in program.stages}


def _target(block: tree.Block, name: str, head: Span, at: Reader, scope: Environment) -> Target | None:
    word = dotted(block.on[0]) if len(block.on) == 1 else None
    if word is None:
        at.report(NO_TARGET(head, name=name))
        return None
    return targets.resolve(word, scope.context, block.on[0].span)


def _model(name: str, setting: Setting | None, head: Span, at: Reader, program: Program) -> str | None:
    if setting is None:
        return None
    if setting.value is None:
        if len(program.models) == 1:
            return next(iter(program.models))
        if program.models:
            at.report(WHICH_MODEL(head, name=name, fix=_main_model(program)))
        return None
    if setting.value in program.models:
        return str(setting.value)
    if not at.bound(setting.value):
        remedy = did_you_mean(setting.value, tuple(program.models))
        at.report(NO_MODEL(setting.span or head, name=name, actual=setting.value, remedy=remedy))
    return None
