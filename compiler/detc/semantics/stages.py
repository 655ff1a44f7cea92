"""`train` blocks: what each stage inherits and resolves to, and the checked order of all stages of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Related
from detc.semantics.conditions import stages_in
from detc.semantics.gates import judge, read_gate
from detc.semantics.program import Model, Program, Setting, Stage
from detc.semantics.reading import Reader, did_you_mean, label_of
from detc.semantics.schema.heads import HEADS
from detc.semantics.schema.key import Key
from detc.semantics.schema.kind import MISSING, Choice, Maybe, dotted
from detc.semantics.schema.rules import TRAIN
from detc.semantics.schema.train import stage_schema, train_schema
from detc.semantics.stage_checks import check_data, check_length, check_parts
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_events import check_events, check_heads
from detc.semantics.stage_metrics import check_metrics
from detc.semantics.stage_optimizing import check_optimizing
from detc.semantics.stage_options import quantized, resolved
from detc.semantics.stage_pictures import check_pictures
from detc.semantics.stage_rules import CYCLE, DOUBLED_STAGE, NO_CHECKPOINT, NO_MODEL, NOT_MEASURED, UNKNOWN_STAGE
from detc.semantics.stage_transfer import check_transfer
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment


def read(items: Sequence[tree.Block], scope: Environment) -> None:
    """All train blocks of a spec: fills `program.stages` in an order in which each comes after those it needs."""
    context = scope.context
    at = Reader(scope, TRAIN, context.sources, context.findings, context.overrides)
    drafts: list[Draft] = []
    for block in items:
        drafts.extend(_read_train(block, at, context.program, drafts))
    context.program.stages.extend(resolve(drafts, at, context.program))


# ---- reading --------------------------------------------------------------------------------------------------------


def _read_train(block: tree.Block, at: Reader, program: Program, before: Sequence[Draft]) -> list[Draft]:
    name = label_of(block)
    if not name:
        at.report(
            TRAIN.missing_key(block.kind.span, what="a train block", key="name", fix="train NAME on MODEL { .. }")
        )
        return []
    if any(draft.train == name for draft in before):
        at.report(DOUBLED_STAGE(block.kind.span, name=name, what="train blocks"))
        return []
    model, loss = _model(block, name, at, program)
    at.what = f"train `{name}`"
    stages = [item for item in block.items if isinstance(item, tree.Block) and item.kind.id == "stage"]
    requires = tuple(item for item in block.items if isinstance(item, tree.Require))
    schema = train_schema(loss)
    shared = at.section(schema, block.items, f"train.{name}", span=block.span, special=_is_stage_or_gate, partial=True)
    drafts: list[Draft] = []
    for item in stages:
        stage = label_of(item)
        if not stage:
            at.report(TRAIN.missing_key(item.kind.span, what="a stage", key="name", fix="stage NAME { .. }"))
            continue
        twin = next((draft for draft in drafts if draft.name == stage), None)
        if twin:
            related = (Related(twin.span, "the first"),)
            at.report(DOUBLED_STAGE(item.span, name=stage, what="stages", related=related))
            continue
        at.what = f"stage `{stage}`"
        path = f"train.{name}.{stage}"
        before_findings = len(at.findings)
        own = at.section(stage_schema(loss), item.items, path, span=item.span, special=_is_gate, partial=True)
        gates = tuple(entry for entry in item.items if isinstance(entry, tree.Require))
        head = item.kind.span.to(item.label.span) if item.label else item.kind.span
        draft = Draft(stage, name, model, head, own, shared, loss, (*requires, *gates))
        draft.good = len(at.findings) == before_findings
        drafts.append(draft)
    return drafts


def _model(block: tree.Block, name: str, at: Reader, program: Program) -> tuple[Model | None, tuple[Key, ...]]:
    """The model a block stands on, and the loss keys that its heads bring."""
    word = dotted(block.on[0]) if len(block.on) == 1 else None
    model = program.models.get(word) if word else None
    if model is None:
        # A model with a mistake is bound but left out of the program: its own findings are enough.
        if word is None or not at.bound(word):
            got = f": `{word}` is unknown" if word else ""
            known = tuple(program.models)
            remedy = did_you_mean(word, known) if word else f"write `train {name} on MODEL`" if known else ""
            place = block.on[0].span if block.on else block.kind.span
            at.report(NO_MODEL(place, name=name, got=got, actual=word or "", remedy=remedy))
        every = {key.name: key for kind in HEADS.values() for key in kind.loss}
        return None, tuple(every.values())
    keys = {key.name: key for head in model.heads if head.kind in HEADS for key in HEADS[head.kind].loss}
    return model, tuple(keys.values())


def _is_stage_or_gate(item: tree.AnyItem) -> bool:
    return isinstance(item, tree.Require) or (isinstance(item, tree.Block) and item.kind.id == "stage")


def _is_gate(item: tree.AnyItem) -> bool:
    return isinstance(item, tree.Require)


# ---- resolving ------------------------------------------------------------------------------------------------------


def resolve(drafts: list[Draft], at: Reader, program: Program) -> list[Stage]:
    """The stages of all blocks, resolved and in order. Stages with mistakes are left out, and so are those that need them."""
    by_id = {draft.id: draft for draft in drafts}
    for draft in drafts:
        _merge(draft, at)
        _refer(draft, by_id, at)
        for item in draft.requires:
            gate = read_gate(item, at, draft.id, _callable(draft, by_id))
            if gate is None:
                draft.good = False
                continue
            judged, found = judge([gate], {})
            at.findings.extend(found)
            draft.gates.extend(judged)
        check_length(draft, at, program)
        check_data(draft, at, program)
        check_parts(draft, by_id, at)
        check_pictures(draft, at, program)
        check_optimizing(draft, at)
        check_transfer(draft, at)
        check_metrics(draft, by_id, at, program)
        check_heads(draft, at)
    ordered = _order(drafts, by_id, at)
    stages: list[Stage] = []
    done: dict[str, dict[str, Any]] = {}
    for draft in ordered:
        if draft.start is not None and draft.start[0] not in done:
            continue  # what it starts from has mistakes: nothing can be said of its own quantisation
        quantize = quantized(draft, done, by_id, at)
        if quantize is not None and draft.good:
            check_events(draft, quantize, done, at, program)
        if not (draft.good and draft.model is not None and quantize is not None):
            continue
        done[draft.id] = quantize
        stages.append(resolved(draft, quantize))
    return stages


def _merge(draft: Draft, at: Reader) -> None:
    """Own keys over those of the block over defaults; `lr` sets the rate of whichever optimiser is in force."""
    entries = {name: _inherited(setting) for name, setting in draft.block.items()}
    if "optimizer" in draft.own and "lr" not in draft.own:
        # The stage's own optimiser brings its own rates.
        entries = {name: setting for name, setting in entries.items() if name != "lr" and not name.startswith("lr.")}
    for pair in (("epochs", "run"), ("run", "epochs")):
        if pair[0] in draft.own:
            entries.pop(pair[1], None)
    entries.update(draft.own)
    at.what = f"stage `{draft.name}`"
    schema = stage_schema(draft.loss)
    at.fill(schema, entries, draft.span)
    for key in schema.keys:
        kind = key.kind.kind if isinstance(key.kind, Maybe) else key.kind
        if isinstance(kind, Choice):
            paths = (f"train.{draft.train}.{key.name}", f"train.{draft.train}.{draft.name}.{key.name}")
            entries[key.name] = _arguments(entries[key.name], kind, paths, at)
    if entries["lr"].value is not None:
        optimizer = entries["optimizer"]
        entries["optimizer"] = Setting(
            "optimizer", {**optimizer.value, "lr": entries["lr"].value}, optimizer.origin, optimizer.span
        )
    if entries["run"].value is not None:
        run = entries.pop("run")
        if entries["epochs"].value is not None:
            at.report(TRAIN.doubled_key(run.span, key="epochs", what=at.what))
            draft.good = False
        entries["epochs"] = Setting("epochs", run.value, run.origin, run.span)
    words = ("lr", "run")  # other words for what stands in optimizer and epochs
    draft.entries = {n: entries[n] for n in schema.in_order(entries) if not (n in words and entries[n].value is None)}


def _inherited(setting: Setting) -> Setting:
    origin = setting.origin if setting.origin == "--set" else "inherited"
    return Setting(setting.name, setting.value, origin, setting.span)


def _arguments(setting: Setting, kind: Choice, paths: Iterable[str], at: Reader) -> Setting:
    """The setting with `--set PATH.optimizer.momentum=..` written into it."""
    value = setting.value
    schema = kind.calls.get(value["name"]) if isinstance(value, dict) else None
    if schema is None:
        return setting
    for path in paths:
        at.overrides.known.update(f"{path}.{name}" for name in schema.names)
        for name, override in at.overrides.inside(path):
            known = schema.key(name)
            if known is None:
                continue
            given = override.read(known.kind, at, name)
            if given is not MISSING:
                setting = Setting(setting.name, {**setting.value, known.name: given}, "--set", override.span)
    return setting


def _callable(draft: Draft, by_id: Mapping[str, Draft]) -> dict[str, str]:
    """The names by which this stage may call others, with their ids."""
    names = {id: id for id in by_id}
    names.update({other.name: other.id for other in by_id.values() if other.train == draft.train})
    return names


def _refer(draft: Draft, by_id: Mapping[str, Draft], at: Reader) -> None:
    """Looks up `start` and the stages whose caps or ranges are used."""
    names = _callable(draft, by_id)
    start = draft.value("start")
    if start is not None:
        stage, _, which = start.rpartition(".")
        if start in names:
            at.report(NO_CHECKPOINT(draft.place("start"), actual=start, fix=start))
            draft.good = False
        elif which not in ("best", "last") or stage not in names:
            known = [f"{name}.{end}" for name in _others(draft, names) for end in ("best", "last")]
            _unknown(draft, "start", start, known, at)
        else:
            draft.start = (names[stage], which)
    draft.caps = _measured("quantize.activations", "caps", draft, by_id, names, at)
    draft.ranges = _measured("quantize.int8", "ranges", draft, by_id, names, at)


def _measured(
    key: str, what: str, draft: Draft, by_id: Mapping[str, Draft], names: Mapping[str, str], at: Reader
) -> str | None:
    """The id of the calibration that `key` takes its `what` (caps, ranges) from; None with a finding where there is none."""
    value = draft.value(key)
    if value is None:
        return None
    stage, _, which = value.rpartition(".")
    if which != what or stage not in names:
        measuring = [name for name in _others(draft, names) if by_id[names[name]].own.get(f"calibrate.{what}")]
        known = [f"{name}.{what}" for name in measuring or names]
        _unknown(draft, key.replace(".", " "), value, known, at, key)
    elif by_id[names[stage]].own.get(f"calibrate.{what}") is None:
        fix = "calibrate caps = percentile(99)" if what == "caps" else "calibrate ranges = minmax"
        at.report(
            NOT_MEASURED(draft.place(key), name=draft.name, actual=stage, key=key.replace(".", " "), what=what, fix=fix)
        )
        draft.good = False
    else:
        return names[stage]
    return None


def _others(draft: Draft, names: Mapping[str, str]) -> list[str]:
    """How the other stages are called from here, each by its shortest name."""
    return [name for name, id in names.items() if id != draft.id and not name.startswith(f"{draft.train}.")]


def _unknown(draft: Draft, key: str, actual: str, known: Sequence[str], at: Reader, place: str = "") -> None:
    remedy = did_you_mean(actual, known)
    at.report(UNKNOWN_STAGE(draft.place(place or key), key=key, name=draft.name, actual=actual, remedy=remedy))
    draft.good = False


def _order(drafts: Sequence[Draft], by_id: Mapping[str, Draft], at: Reader) -> list[Draft]:
    """File order, moved only where a stage needs a later one. A circle is one finding, and its stages are left out."""

    def needs(draft: Draft) -> list[Draft]:
        ids = [draft.start[0]] if draft.start else []
        ids += [id for id in (draft.caps, draft.ranges) if id]
        ids += [id for gate in draft.gates for id in stages_in(gate.condition) if id != draft.id]
        return [by_id[id] for id in ids if id in by_id]

    ordered: list[Draft] = []
    waiting = list(drafts)
    while waiting:
        ready = next((draft for draft in waiting if all(other in ordered for other in needs(draft))), None)
        if ready is None:
            circle = _circle(waiting[0], needs, ordered)
            shown = " -> ".join(f"`{draft.name}`" for draft in (*circle, circle[0]))
            related = [Related(draft.place("start"), f"`{draft.name}` waits here") for draft in circle[1:]]
            at.report(CYCLE(circle[0].place("start"), actual=shown, related=related))
            for draft in circle:
                draft.good = False
                waiting.remove(draft)
            ordered.extend(circle)
            continue
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def _circle(draft: Draft, needs: Any, done: Sequence[Draft]) -> list[Draft]:
    path = [draft]
    while True:
        following = next(other for other in needs(path[-1]) if other not in done)
        if following in path:
            return path[path.index(following) :]
        path.append(following)
