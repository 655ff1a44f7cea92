"""Whether a stage fits its model, its data and the stage it starts from."""

from __future__ import annotations

from collections.abc import Mapping

from detc.diagnostics import Related
from detc.semantics.program import Model, Program, Setting
from detc.semantics.reading import Reader, did_you_mean
from detc.semantics.schema.data import UNLABELLED
from detc.semantics.schema.rules import TRAIN
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_rules import (
    CALIBRATION,
    CLASS_COUNT,
    CLASS_WEIGHTS,
    FEWER_CLASSES,
    NO_DATA,
    NO_EFFECT,
    NO_LABELS,
    NO_PART,
    OTHER_MODEL,
    PRUNING,
    WITHOUT_DATA,
)


def check_length(draft: Draft, at: Reader, program: Program) -> None:
    """A calibration has images (or its data a share for it) and a start, a training stage epochs."""

    read_well = draft.good

    def bad(problem: str, remedy: str, key: str = "") -> None:
        at.report(CALIBRATION(draft.place(key), name=draft.name, problem=problem, remedy=remedy))
        draft.good = False

    if draft.calibrates:
        for key in ("epochs", "run"):
            if key in draft.own:
                bad("calibrates and has epochs", "write `images = 500` instead", key)
        key = "calibrate.ranges" if draft.measures_ranges else "calibrate.caps"
        if draft.measures_ranges and draft.value("calibrate.caps") is not None:
            bad("measures caps and ranges at once", "make two stages of it, or leave one out", "calibrate.caps")
        if draft.value("images") is None and not _has_share(draft, program) and read_well:
            bad(
                "calibrates and does not say on how many images",
                "add `images = 500` here, or `quantization_split = 10 %` to the data",
                key,
            )
        if draft.value("start") is None and read_well:
            bad("calibrates a net that no stage has trained", "add `start = STAGE.best`", key)
        return
    for key in ("equalize", "correct_bias"):
        if draft.own.get(key) and draft.value(key):
            reason = "it prepares the weights for `calibrate ranges`, which this stage does not do"
            remedy = "leave it out, or move it to the calibration"
            at.report(NO_EFFECT(draft.place(key), key=key, name=draft.name, reason=reason, remedy=remedy))
    if draft.prunes:
        for key in ("epochs", "run", "images"):
            if key in draft.own:
                at.report(
                    PRUNING(draft.place(key), name=draft.name, problem=f"prunes and has {key}", remedy="leave it out")
                )
                draft.good = False
        return
    if draft.value("epochs") is None and read_well:
        bad("does not say how long it trains", "add `epochs = 100`")
    if "images" in draft.own and read_well:
        bad("trains and counts images", "write `epochs = 100` instead, or `calibrate caps = percentile(99)`", "images")
    if draft.value("for_epochs") is not None and not draft.value("freeze"):
        bad("says for how many epochs it freezes, but not what", "add `freeze = PART`", "for_epochs")


def _has_share(draft: Draft, program: Program) -> bool:
    """True if the stage's data says which share of its training pictures is for calibration."""
    name = draft.value("data") or (next(iter(program.data)) if len(program.data) == 1 else None)
    data = program.data.get(name) if name else None
    return data is not None and "quantization_split" in data.options["options"]


def check_data(draft: Draft, at: Reader, program: Program) -> None:
    """The data exists, has labels where they are needed, and its classes fit the head's."""
    name = draft.value("data")
    if name is None:
        if len(program.data) == 1:
            name = next(iter(program.data))
            draft.entries["data"] = Setting("data", name, "default")
        else:
            fix = f"data = {next(iter(program.data), 'NAME')}"
            if program.data:
                at.report(TRAIN.missing_key(draft.span, what=f"stage `{draft.name}`", key="data", fix=fix))
            else:
                at.report(WITHOUT_DATA(draft.span, name=draft.name))
            draft.good = False
            return
    data = program.data.get(name)
    if data is None:
        if not at.bound(name):
            remedy = did_you_mean(name, tuple(program.data))
            at.report(NO_DATA(draft.place("data"), name=draft.name, actual=name, remedy=remedy))
        draft.good = False
        return
    if data.format in UNLABELLED and not draft.calibrates:
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


def check_parts(draft: Draft, by_id: Mapping[str, Draft], at: Reader) -> None:
    """`load` names parts of both models, `freeze` and `lr PART` parts of this one."""
    origin = by_id[draft.start[0]].model if draft.start else None
    named = [(key, part) for key in ("load", "freeze") for part in draft.value(key) or ()]
    named += [(f"lr.{part}", part) for part in draft.family("lr.")]
    for key, part in named:
        models = (draft.model, origin) if key == "load" else (draft.model,)
        for model in dict.fromkeys(m.name for m in models if m):
            if not _has_part(next(m for m in models if m and m.name == model), part):
                parts = {node.name.split(".")[0] for m in models if m and m.name == model for node in m.graph}
                remedy = did_you_mean(part, sorted(parts))
                at.report(NO_PART(draft.place(key), model=model, actual=part, key=key, remedy=remedy))
                draft.good = False
    if draft.value("load") and draft.value("start") is None and draft.value("pretrained") is None:
        at.report(
            TRAIN.missing_key(draft.place("load"), what=f"stage `{draft.name}`", key="start", fix="start = STAGE.best")
        )
        draft.good = False
    if draft.prunes:
        _check_pruning(draft, origin, at)
    elif origin and draft.model and origin.name != draft.model.name and not draft.value("load"):
        at.report(OTHER_MODEL(draft.place("start"), name=draft.name, actual=origin.name))


def _check_pruning(draft: Draft, origin: Model | None, at: Reader) -> None:
    """The stage's model is cut from the model of the stage it starts from."""

    def bad(key: str, problem: str, remedy: str) -> None:
        at.report(PRUNING(draft.place(key), name=draft.name, problem=problem, remedy=remedy))
        draft.good = False

    model = draft.model
    if draft.calibrates:
        bad("prune.channels", "prunes and calibrates at once", "make two stages of it")
    if draft.value("load"):
        bad("load", "prunes and loads a part", "leave `load` out: all that is left of the net is taken over")
    if draft.value("start") is None:
        bad("prune.channels", "prunes weights that no stage has trained", "add `start = STAGE.best`")
    if model is None or not draft.good:
        return
    if model.derivation is None:
        name = origin.name if origin else "BIG"
        fix = f"write `model small = prune({name}, channels = 1 / 2)` and put the train block on `small`"
        bad("prune.channels", f"prunes, and model `{model.name}` is not pruned from another", fix)
    elif origin is not None and origin.name != model.derivation.origin:
        wanted = model.derivation.origin
        fix = f"start from a stage that trains `{wanted}`"
        bad("start", f"prunes weights of `{origin.name}`, and `{model.name}` is pruned from `{wanted}`", fix)


def _has_part(model: Model, part: str) -> bool:
    return any(node.name == part or node.name.startswith(part + ".") for node in model.graph)
