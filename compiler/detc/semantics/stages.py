"""`train` blocks: what each stage inherits and resolves to, and the checked order of all stages of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Related, Rule, Span
from detc.semantics.gates import gate_json, read_gate, stages_in
from detc.semantics.program import Gate, Model, Program, Setting, Stage
from detc.semantics.reading import Entries, Reader, did_you_mean
from detc.semantics.schema.head import HEADS
from detc.semantics.schema.key import Key
from detc.semantics.schema.kind import MISSING, Choice, dotted
from detc.semantics.schema.rules import TRAIN
from detc.semantics.schema.train import OPTIMIZERS, SCHEDULES, stage_schema, train_schema
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

NO_MODEL = Rule(
    "TRN110",
    "error",
    """train `{name}` names no model of this spec{got}

    A train block stands on the model whose weights its stages train.""",
    help="{remedy}",
)
NO_DATA = Rule(
    "TRN111",
    "error",
    """stage `{name}` learns from data `{actual}`, which this spec does not declare

    `data` names a data block.""",
    help="{remedy}",
)
UNKNOWN_STAGE = Rule(
    "TRN112",
    "error",
    """`{key}` of stage `{name}` refers to `{actual}`, and there is no such stage

    A stage of the same block goes by its name, one of another block by `BLOCK.STAGE`; behind it stands `best` or `last`
    for its weights, `caps` for the caps that it measured.""",
    help="{remedy}",
)
NO_CHECKPOINT = Rule(
    "TRN113",
    "error",
    """`{actual}` does not say which weights of that stage it means

    A stage keeps two: those that validated best, and those of its last epoch.""",
    help="write `{fix}.best` or `{fix}.last`",
)
CYCLE = Rule(
    "TRN114",
    "error",
    """the stages {actual} wait for each other

    Each stage comes after those whose weights, caps or results it uses, so they can form no circle.""",
    help="let one of them start without the others",
)
DOUBLED_STAGE = Rule(
    "TRN115",
    "error",
    """`{name}` is the name of two {what}

    A stage is called by its name, so each has its own.""",
    help="rename one of the two",
)
OTHER_MODEL = Rule(
    "TRN116",
    "warning",
    """stage `{name}` starts from weights of another model, `{actual}`, and does not say which parts it takes

    Only layers whose names and shapes are equal in both models can be taken over; the others begin anew.""",
    help="say it with `load = PART`",
)
NO_PART = Rule(
    "TRN117",
    "error",
    """model `{model}` has no part `{actual}` to {key}

    `load` and `freeze` name a let, an output or a layer of the model; everything below it goes along.""",
    help="{remedy}",
)
CALIBRATION = Rule(
    "TRN118",
    "error",
    """stage `{name}` {problem}

    A calibration runs pictures through the net of an earlier stage and measures; it takes no step, so it has `images` and a
    `start` and neither epochs nor an optimiser. A stage that trains has `epochs`.""",
    help="{remedy}",
)
NOT_MEASURED = Rule(
    "TRN119",
    "error",
    """`{actual}` of stage `{name}` is no calibration: it measures no caps

    `quantize activations` takes the caps that a stage with `calibrate caps` measured.""",
    help="add a stage `{{ start = .. calibrate caps = percentile(99) images = 500 }}` and name it",
)
QUANTIZE_ORDER = Rule(
    "TRN120",
    "error",
    """stage `{name}` {problem}

    Folding makes every cap the same by moving it into the weights, so the activations have to be quantised before, in this
    stage or in one that it starts from.""",
    help="{remedy}",
)
AUTOCAST = Rule(
    "TRN121",
    "error",
    """stage `{name}` is quantised and asks for {actual} autocast

    Quantised stages compute exactly what the device computes, which half precision cannot hold.""",
    help="set `amp` in the float stages only, or in the train block: quantised stages leave it out by themselves",
)
CLASS_COUNT = Rule(
    "TRN122",
    "error",
    """data `{data}` has {actual} classes, the head of model `{model}` {allowed}

    A label of a class that the head does not have could not be learned.""",
    help="set the head's classes to {actual}, or list fewer in the data",
)
FEWER_CLASSES = Rule(
    "TRN123",
    "warning",
    """data `{data}` has {actual} classes, the head of model `{model}` {allowed}: the rest learns only to stay silent

    Training works, with channels that never see an object.""",
    help="set the head's classes to {actual}",
)
CLASS_WEIGHTS = Rule(
    "TRN124",
    "error",
    """`loss.class_weights` of stage `{name}` has {actual} factors for {allowed} classes

    There is one factor for each class, in their order.""",
    help="give {allowed} factors, or leave it out",
)
NO_LABELS = Rule(
    "TRN125",
    "error",
    """stage `{name}` would learn from `{actual}`, which has no labels

    Pictures without labels serve calibration only.""",
    help="name labelled data, such as data.voc or data.coco",
)

RULES = (
    NO_MODEL, NO_DATA, UNKNOWN_STAGE, NO_CHECKPOINT, CYCLE, DOUBLED_STAGE, OTHER_MODEL, NO_PART, CALIBRATION, NOT_MEASURED,
    QUANTIZE_ORDER, AUTOCAST, CLASS_COUNT, FEWER_CLASSES, CLASS_WEIGHTS, NO_LABELS,
)  # fmt: skip

GATED = ("stage", "require")


@dataclass(slots=True)
class Draft:
    """A stage as read: its own keys and those of its block, before anything is looked up."""

    name: str
    train: str
    model: Model | None
    span: Span
    own: Entries
    block: Entries
    loss: tuple[Key, ...]
    requires: tuple[tree.Require, ...]
    entries: Entries = field(default_factory=dict)
    start: tuple[str, str] | None = None
    caps: str | None = None
    gates: list[Gate] = field(default_factory=list)
    good: bool = True

    @property
    def id(self) -> str:
        return f"{self.train}.{self.name}"

    @property
    def calibrates(self) -> bool:
        return self.value("calibrate.caps") is not None

    def value(self, key: str) -> Any:
        setting = self.entries.get(key)
        return setting.value if setting else None

    def place(self, key: str) -> Span:
        setting = self.entries.get(key)
        return setting.span if setting and setting.span else self.span


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


def label_of(block: tree.Block) -> str:
    """The name of a block, empty if it has none."""
    label = block.label
    return "" if label is None else label.id if isinstance(label, tree.Name) else label.value


# ---- resolving ------------------------------------------------------------------------------------------------------


def resolve(drafts: list[Draft], at: Reader, program: Program) -> list[Stage]:
    """The stages of all blocks, resolved and in order. Stages with mistakes are left out, and so are those that need them."""
    by_id = {draft.id: draft for draft in drafts}
    for draft in drafts:
        _merge(draft, at)
        _refer(draft, by_id, at)
        for item in draft.requires:
            gate = read_gate(item, at, draft.id, _callable(draft, by_id))
            if gate:
                draft.gates.append(gate)
            else:
                draft.good = False
        _check_length(draft, at)
        _check_data(draft, at, program)
        _check_parts(draft, by_id, at)
    ordered = _order(drafts, by_id, at)
    stages: list[Stage] = []
    quantized: dict[str, dict[str, Any]] = {}
    for draft in ordered:
        ready = draft.start is None or draft.start[0] in quantized
        quantize = _quantize(draft, quantized, at)
        if not (ready and draft.good and draft.model is not None and quantize is not None):
            continue
        quantized[draft.id] = quantize
        stages.append(_stage(draft, quantize, at))
    return stages


def _merge(draft: Draft, at: Reader) -> None:
    """Own keys over those of the block over defaults; `lr` sets the rate of whichever optimiser is in force."""
    entries = {name: _inherited(setting) for name, setting in draft.block.items()}
    if "optimizer" in draft.own and "lr" not in draft.own:
        entries.pop("lr", None)  # the stage's own optimiser brings its own rate
    for pair in (("epochs", "run"), ("run", "epochs")):
        if pair[0] in draft.own:
            entries.pop(pair[1], None)
    entries.update(draft.own)
    at.what = f"stage `{draft.name}`"
    schema = stage_schema(draft.loss)
    at.fill(schema, entries, draft.span)
    for key in schema.keys:
        if isinstance(key.kind, Choice):
            paths = (f"train.{draft.train}.{key.name}", f"train.{draft.train}.{draft.name}.{key.name}")
            entries[key.name] = _arguments(entries[key.name], key.kind, paths, at)
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
    draft.entries = entries


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
                setting = Setting(setting.name, {**setting.value, name: given}, "--set", override.span)
    return setting


def _callable(draft: Draft, by_id: Mapping[str, Draft]) -> dict[str, str]:
    """The names by which this stage may call others, with their ids."""
    names = {id: id for id in by_id}
    names.update({other.name: other.id for other in by_id.values() if other.train == draft.train})
    return names


def _refer(draft: Draft, by_id: Mapping[str, Draft], at: Reader) -> None:
    """Looks up `start` and the stage whose caps are used."""
    names = _callable(draft, by_id)
    start = draft.value("start")
    if start is not None:
        stage, _, which = start.rpartition(".")
        if start in names:
            at.report(NO_CHECKPOINT(draft.place("start"), actual=start, fix=start))
            draft.good = False
        elif which not in ("best", "last") or stage not in names:
            known = [f"{name}.{end}" for name in names for end in ("best", "last")]
            _unknown(draft, "start", start, known, at)
        else:
            draft.start = (names[stage], which)
    caps = draft.value("quantize.activations")
    if caps is not None:
        stage, _, which = caps.rpartition(".")
        measuring = [name for name, id in names.items() if by_id[id].own.get("calibrate.caps")]
        if which != "caps" or stage not in names:
            _unknown(
                draft,
                "quantize activations",
                caps,
                [f"{name}.caps" for name in measuring or names],
                at,
                "quantize.activations",
            )
        elif by_id[names[stage]].own.get("calibrate.caps") is None:
            at.report(NOT_MEASURED(draft.place("quantize.activations"), name=draft.name, actual=stage))
            draft.good = False
        else:
            draft.caps = names[stage]


def _unknown(draft: Draft, key: str, actual: str, known: Sequence[str], at: Reader, place: str = "") -> None:
    remedy = did_you_mean(actual, known)
    at.report(UNKNOWN_STAGE(draft.place(place or key), key=key, name=draft.name, actual=actual, remedy=remedy))
    draft.good = False


def _check_length(draft: Draft, at: Reader) -> None:
    """A calibration has images and a start, a training stage epochs."""

    def bad(problem: str, remedy: str, key: str = "") -> None:
        at.report(CALIBRATION(draft.place(key), name=draft.name, problem=problem, remedy=remedy))
        draft.good = False

    if draft.calibrates:
        for key in ("epochs", "run"):
            if key in draft.own:
                bad("calibrates and has epochs", "write `images = 500` instead", key)
        if draft.value("images") is None:
            bad("calibrates and does not say on how many images", "add `images = 500`", "calibrate.caps")
        if draft.value("start") is None:
            bad("calibrates a net that no stage has trained", "add `start = STAGE.best`", "calibrate.caps")
        return
    if draft.value("epochs") is None:
        bad("does not say how long it trains", "add `epochs = 100`")
    if "images" in draft.own:
        bad("trains and counts images", "write `epochs = 100` instead, or `calibrate caps = percentile(99)`", "images")
    if draft.value("for_epochs") is not None and not draft.value("freeze"):
        bad("says for how many epochs it freezes, but not what", "add `freeze = PART`", "for_epochs")


def _check_data(draft: Draft, at: Reader, program: Program) -> None:
    """The data exists, has labels where they are needed, and its classes fit the head's."""
    name = draft.value("data")
    if name is None:
        if len(program.data) == 1:
            name = next(iter(program.data))
            draft.entries["data"] = Setting("data", name, "default")
        else:
            fix = f"data = {next(iter(program.data), 'NAME')}"
            at.report(TRAIN.missing_key(draft.span, what=f"stage `{draft.name}`", key="data", fix=fix))
            draft.good = False
            return
    data = program.data.get(name)
    if data is None:
        if not at.bound(name):
            remedy = did_you_mean(name, tuple(program.data))
            at.report(NO_DATA(draft.place("data"), name=draft.name, actual=name, remedy=remedy))
        draft.good = False
        return
    if data.format == "images" and not draft.calibrates:
        at.report(NO_LABELS(draft.place("data"), name=draft.name, actual=name))
        draft.good = False
    classes = _head_classes(draft.model)
    listed = data.options["classes"]
    if classes is not None and listed is not None and len(listed) != classes:
        rule = CLASS_COUNT if len(listed) > classes else FEWER_CLASSES
        assert draft.model is not None
        place = draft.place("data")
        if not any(f.code == rule.code and f.span == place for f in at.findings):
            related = (Related(data.span, f"{len(listed)} classes"),) if data.span else ()
            at.report(
                rule(place, data=name, model=draft.model.name, actual=len(listed), allowed=classes, related=related)
            )
    weights = draft.value("loss.class_weights")
    if weights is not None and classes is not None and len(weights) != classes:
        at.report(
            CLASS_WEIGHTS(draft.place("loss.class_weights"), name=draft.name, actual=len(weights), allowed=classes)
        )
        draft.good = False


def _head_classes(model: Model | None) -> int | None:
    return next((head.options["classes"] for head in model.heads if "classes" in head.options), None) if model else None


def _check_parts(draft: Draft, by_id: Mapping[str, Draft], at: Reader) -> None:
    """`load` names parts of both models, `freeze` parts of this one."""
    origin = by_id[draft.start[0]].model if draft.start else None
    for key, models in (("load", (draft.model, origin)), ("freeze", (draft.model,))):
        for part in draft.value(key) or ():
            for model in dict.fromkeys(m.name for m in models if m):
                if not _has_part(next(m for m in models if m and m.name == model), part):
                    parts = {node.name.split(".")[0] for m in models if m and m.name == model for node in m.graph}
                    remedy = did_you_mean(part, sorted(parts))
                    at.report(NO_PART(draft.place(key), model=model, actual=part, key=key, remedy=remedy))
                    draft.good = False
    if draft.value("load") and draft.start is None:
        at.report(
            TRAIN.missing_key(draft.place("load"), what=f"stage `{draft.name}`", key="start", fix="start = STAGE.best")
        )
        draft.good = False
    if origin and draft.model and origin.name != draft.model.name and not draft.value("load"):
        at.report(OTHER_MODEL(draft.place("start"), name=draft.name, actual=origin.name))


def _has_part(model: Model, part: str) -> bool:
    return any(node.name == part or node.name.startswith(part + ".") for node in model.graph)


def _order(drafts: Sequence[Draft], by_id: Mapping[str, Draft], at: Reader) -> list[Draft]:
    """File order, moved only where a stage needs a later one. A circle is one finding, and its stages are left out."""

    def needs(draft: Draft) -> list[Draft]:
        ids = [draft.start[0]] if draft.start else []
        ids += [draft.caps] if draft.caps else []
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


def _quantize(draft: Draft, before: Mapping[str, dict[str, Any]], at: Reader) -> dict[str, Any] | None:
    """What is quantised while this stage runs: what the stage it starts from had, and its own. None with a finding reported."""
    state = dict(before.get(draft.start[0], {}) if draft.start else {})
    result = {"weights": state.get("weights"), "activations": state.get("activations"), "folded": state.get("folded")}
    if draft.value("quantize.weights"):
        result["weights"] = draft.value("quantize.weights")
    if draft.caps:
        result["activations"] = {"stage": draft.caps}
    if draft.value("quantize.folded"):
        result["folded"] = draft.value("quantize.folded")
        if result["activations"] is None and draft.good:
            problem, remedy = "folds caps that no stage has quantised", "add `quantize activations = STAGE.caps`"
            at.report(QUANTIZE_ORDER(draft.place("quantize.folded"), name=draft.name, problem=problem, remedy=remedy))
            return None
    amp = draft.entries["amp"]
    if amp.value is not None and any(result.values()):
        if "amp" in draft.own:
            at.report(AUTOCAST(amp.span or draft.span, name=draft.name, actual=amp.value))
            return None
        draft.entries["amp"] = Setting("amp", None, "default")
    return result


def _stage(draft: Draft, quantize: dict[str, Any], at: Reader) -> Stage:
    """The resolved stage with its mapping for the lock."""
    value = draft.value
    assert draft.model is not None
    loss = {key.name.removeprefix("loss."): value(key.name) for key in draft.loss}
    calibrates = draft.calibrates
    options = {
        "name": draft.name,
        "train": draft.train,
        "id": draft.id,
        "model": draft.model.name,
        "data": value("data"),
        "kind": "calibrate" if calibrates else "train",
        "start": {"stage": draft.start[0], "which": draft.start[1]} if draft.start else None,
        "load": value("load"),
        "freeze": {"prefixes": value("freeze"), "epochs": value("for_epochs")},
        "epochs": 1 if calibrates else value("epochs"),
        "batch": value("batch"),
        "images": value("images") if calibrates else None,
        "optimizer": value("optimizer"),
        "schedule": _schedule(value("schedule")),
        "augment": value("augment"),
        "loss": loss,
        "init": {"convs": value("init.convs"), "head_bias": value("init.head_bias")},
        "rescale": {"images": value("rescale")} if value("rescale") else None,
        "ema": value("ema"),
        "amp": value("amp"),
        "clip": value("clip"),
        "channels_last": value("channels_last"),
        "validate_every": value("validate_every"),
        "save_every": value("save_every"),
        "choose": value("choose"),
        "early_stop": {"patience": value("early_stop")} if value("early_stop") else None,
        "score": value("score"),
        "seed": value("seed"),
        "quantize": quantize,
        "calibrate": {"caps": value("calibrate.caps")} if calibrates else None,
        "gates": [gate_json(gate) for gate in draft.gates],
        "span": draft.span.as_json(),
    }
    kind = "calibrate" if calibrates else "train"
    return Stage(draft.name, draft.train, draft.model.name, kind, options, draft.span, tuple(draft.entries.values()))


def _schedule(value: dict[str, Any]) -> dict[str, Any]:
    """The schedule with the lock's word for the epochs of a multistep."""
    return {("milestones" if key == "at" else key): entry for key, entry in value.items()}


__all__ = ["OPTIMIZERS", "RULES", "SCHEDULES", "read", "resolve"]
