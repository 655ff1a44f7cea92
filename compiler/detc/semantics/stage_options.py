"""The resolved stage: its mapping for the lock file, and what is quantised while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from detc.semantics.gates import gate_json
from detc.semantics.program import Setting, Stage
from detc.semantics.reading import Reader
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_events import chosen_maps
from detc.semantics.stage_rules import AUTOCAST, CONTRADICTION, PRUNING, QUANTIZE_ORDER


def quantized(
    draft: Draft, before: Mapping[str, dict[str, Any]], by_id: Mapping[str, Draft], at: Reader
) -> dict[str, Any] | None:
    """What is quantised while this stage runs: what the stage it starts from had, and its own. None with a finding reported."""

    def wrong(key: str, problem: str, remedy: str) -> None:
        at.report(QUANTIZE_ORDER(draft.place(key), name=draft.name, problem=problem, remedy=remedy))

    state = before.get(draft.start[0], {}) if draft.start else {}
    result = {key: state.get(key) for key in ("weights", "activations", "folded", "int8", "events")}
    if draft.value("quantize.weights"):
        result["weights"] = draft.value("quantize.weights")
    if draft.caps:
        result["activations"] = {"stage": draft.caps}
    if draft.ranges:
        result["int8"] = {"stage": draft.ranges}
    if draft.value("quantize.events"):
        result["events"] = draft.value("quantize.events")
    if draft.value("quantize.folded"):
        result["folded"] = draft.value("quantize.folded")
        if result["activations"] is None and draft.good:
            wrong(
                "quantize.folded",
                "folds caps that no stage has quantised",
                "add `quantize activations = STAGE.caps`",
            )
            return None
    if draft.good and not (_events_alone(draft, result, wrong) and _int8_alone(draft, result, by_id, wrong)):
        return None
    rounded = [key for key in result if result[key] and key != "events"]  # events leave the weights as they are
    if draft.prunes and draft.good and rounded:
        remedy = "prune in the float stages, before the first `quantize`"
        problem = "prunes a net whose weights or activations are quantised"
        at.report(PRUNING(draft.place("prune.channels"), name=draft.name, problem=problem, remedy=remedy))
        return None
    amp = draft.entries["amp"]
    if amp.value is not None and any(result.values()):
        if "amp" in draft.own:
            at.report(AUTOCAST(amp.span or draft.span, name=draft.name, actual=amp.value))
            return None
        draft.entries["amp"] = Setting("amp", None, "default")
    sizes = draft.entries["multiscale"]
    kind = "int8" if result["int8"] else "run in time" if result["events"] else ""
    if sizes.value is not None and kind:
        if "multiscale" in draft.own:
            problem = f"is {kind}, planned for one size of the picture, and asks for several"
            remedy = f"set `multiscale` in the float stages only, or in the train block: {kind} stages leave it out"
            at.report(CONTRADICTION(sizes.span or draft.span, name=draft.name, problem=problem, remedy=remedy))
            return None
        draft.entries["multiscale"] = Setting("multiscale", None, "default")
    return result


def _events_alone(draft: Draft, result: Mapping[str, Any], wrong: Callable[[str, str, str], None]) -> bool:
    """A net that sends events goes without the words of other devices and is not measured for them."""
    if not result["events"]:
        return True
    others = [key for key in ("weights", "activations", "folded", "int8") if result[key]]
    key = "quantize.events" if draft.value("quantize.events") else "start"
    if others:
        wrong(
            key, f"sends events and has quantised {' and '.join(others)}", "start from a stage that quantises nothing"
        )
        return False
    if draft.calibrates:
        key = "calibrate.ranges" if draft.measures_ranges else "calibrate.caps"
        wrong(key, "sends events and calibrates", "leave one out: neurons that send events need no caps and no ranges")
        return False
    return True


def _int8_alone(
    draft: Draft, result: Mapping[str, Any], by_id: Mapping[str, Draft], wrong: Callable[[str, str, str], None]
) -> bool:
    """int8 goes without the words of other devices, its ranges are of weights that the stage has, and are measured in float."""
    others = [key for key in ("weights", "activations", "folded") if result[key]]
    if (result["int8"] or draft.measures_ranges) and others:
        key = "quantize.int8" if draft.ranges else "calibrate.ranges"
        wrong(key, f"has int8 and quantised {' and '.join(others)}", "start from a float stage")
        return False
    if draft.measures_ranges and result["int8"]:
        wrong("start", "measures the ranges of a net that is int8 already", "start from the float stage before it")
        return False
    source = by_id.get(draft.ranges) if draft.ranges else None
    if source is not None and source.value("equalize") and (draft.start is None or draft.start[0] != draft.ranges):
        problem = (
            f"takes the ranges of `{source.name}`, which were measured on evened-out weights, and starts with others"
        )
        wrong("start", problem, f"write `start = {source.name}.best`")
        return False
    return True


def resolved(draft: Draft, quantize: dict[str, Any]) -> Stage:
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
        "kind": draft.kind,
        "start": {"stage": draft.start[0], "which": draft.start[1]} if draft.start else None,
        "pretrained": _pretrained(draft),
        "load": value("load"),
        "freeze": {"prefixes": value("freeze"), "epochs": value("for_epochs")},
        "epochs": value("epochs") if draft.kind == "train" else 1,
        "start_epoch": value("start_epoch"),
        "batch": value("batch"),
        "accumulate": value("accumulate"),
        "images": value("images") if calibrates else None,
        "optimizer": value("optimizer"),
        "rates": draft.family("lr."),
        "schedule": _schedule(value("schedule")),
        "augment": value("augment"),
        "no_aug_epochs": value("no_aug_epochs"),
        "multiscale": _multiscale(value("multiscale")),
        "steps": value("steps"),
        "loss": loss,
        "heads": chosen_maps(draft.model, value("heads")),
        "regularize": _regularized(value("regularize.events")),
        "init": {"convs": value("init.convs"), "head_bias": value("init.head_bias")},
        "rescale": {"images": value("rescale")} if value("rescale") else None,
        "ema": value("ema"),
        "ema_warmup": value("ema_warmup"),
        "sync_bn": value("sync_bn"),
        "deterministic": value("deterministic"),
        "amp": value("amp"),
        "clip": value("clip"),
        "channels_last": value("channels_last"),
        "validate_every": value("validate_every"),
        "save_every": 1 if value("save_history") else value("save_every"),
        "choose": value("choose"),
        "early_stop": {"patience": value("early_stop")} if value("early_stop") else None,
        "score": value("score"),
        "seed": value("seed"),
        "quantize": quantize,
        "calibrate": _calibration(draft),
        "prune": {"channels": value("prune.channels")} if draft.prunes else None,
        "gates": [gate_json(gate) for gate in draft.gates],
        "span": draft.span.as_json(),
    }
    return Stage(
        draft.name, draft.train, draft.model.name, draft.kind, options, draft.span, tuple(draft.entries.values())
    )


def _calibration(draft: Draft) -> dict[str, Any] | None:
    """What a calibration measures, with what it does to the weights before."""
    if not draft.measures_ranges:
        return {"caps": draft.value("calibrate.caps")} if draft.calibrates else None
    options = {"q": None, "choose": None, **draft.value("calibrate.ranges")}
    return {"ranges": {**options, **{key: draft.value(key) for key in ("equalize", "correct_bias")}}}


def _multiscale(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {"range": value["range"], "step": value["step"]}


def _regularized(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {"events": {"weight": value["weight"], "rate": value["rate"]}}


def _pretrained(draft: Draft) -> dict[str, Any] | None:
    """The file of weights, with what the spec says of it."""
    path = draft.value("pretrained")
    about = {"dataset": draft.value("pretrained_dataset"), "input_shape": draft.value("pretrained_input_shape")}
    return {"path": path, **about} if path is not None else None


def _schedule(value: dict[str, Any]) -> dict[str, Any]:
    """The schedule with the lock's word for the epochs of a multistep."""
    return {("milestones" if key == "at" else key): entry for key, entry in value.items()}
