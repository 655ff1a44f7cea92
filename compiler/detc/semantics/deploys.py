"""`deploy NAME on TARGET { model = M }` and `--target`: which model is judged for which target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detc.diagnostics import Related, Rule, Span
from detc.semantics import targets
from detc.semantics.gates import read_gate
from detc.semantics.program import Deploy, Gate, Program, Setting
from detc.semantics.reading import Reader, did_you_mean, label_of
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
    seen: dict[str, Span] = {}
    read = [found for block in items if (found := _deploy(block, at, scope, seen))]
    if context.target:
        wanted = targets.lineage(context.target, context, None)
        on_it = [line for _, line in read if wanted and wanted[0] in line]
        judged = (on_it[0] if on_it else wanted or ("",))[0]
    else:
        judged = read[0][1][0] if read else ""
        rest = list(dict.fromkeys(line[0] for _, line in read if line[0] != judged))
        if rest:
            shown = ", ".join([judged, *rest])
            at.report(OTHERS(items[0].kind.span, actual=shown, allowed=judged, fix=rest[0]))
    if not judged:
        return
    program.target = targets.resolve(judged, context, None, chosen=True)
    if program.target is None:
        return
    program.gates.extend(program.target.gates)
    on_judged = [deploy for deploy, line in read if line[0] == judged]
    program.deploys = [deploy for deploy in on_judged if deploy]
    if not on_judged and program.models:
        model = program.models[_main_model(program)]
        program.deploys = [Deploy(f"on_{judged}", judged, model.name, [], {"model": model.name}, None)]


def _main_model(program: Program) -> str:
    """The model an implicit deploy means: the last detector of the spec, since later models build on earlier ones."""
    detectors = [name for name, model in program.models.items() if model.kind == "detector"]
    return detectors[-1] if detectors else list(program.models)[-1]


def _deploy(
    block: tree.Block, at: Reader, scope: Environment, seen: dict[str, Span]
) -> tuple[Deploy | None, tuple[str, ...]] | None:
    """The deploy block (None if its model has a mistake) with the line of its target; None if that is unknown."""
    program = scope.context.program
    label = block.label
    name = label_of(block)
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
    line = _target(block, name, head, at, scope)
    model = _model(name, entries.get("model"), head, at, program)
    if line is None:
        return None
    return Deploy(name, line[0], model, gates, {"model": model}, head) if model else None, line


def _stages(program: Program) -> dict[str, str]:
    return {f"{stage.train}.{stage.name}": f"{stage.train}.{stage.name}" for stage in program.stages}


def _target(block: tree.Block, name: str, head: Span, at: Reader, scope: Environment) -> tuple[str, ...] | None:
    word = dotted(block.on[0]) if len(block.on) == 1 else None
    if word is None:
        at.report(NO_TARGET(head, name=name))
        return None
    return targets.lineage(word, scope.context, block.on[0].span)


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
