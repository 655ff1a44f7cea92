"""Stages that run in time: what sends events, how long their clips are, and which maps of a head train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detc.diagnostics import Rule
from detc.ir.ops.neuron import Encode, SigmaDelta
from detc.ir.ops.source import Input
from detc.semantics.conditions import EVENT_METRICS, names_in
from detc.semantics.program import Model, Program, Setting
from detc.semantics.reading import Reader
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_rules import NO_EFFECT

NO_NEURONS = Rule(
    "TRN190",
    "error",
    """stage `{name}` sends events, and model `{model}` has no neurons that would send them

    `quantize events = sigma_delta` runs the net in time, with 8-bit weights: `neuron.encode` and `neuron.sigma_delta` send on
    what has changed by their threshold, and `neuron.sigma` sums up what the last layer says.""",
    help="put neurons into the model (`use std.sdnn as sdnn` has blocks of them), or leave `quantize events` out",
)
NO_LENGTH = Rule(
    "TRN191",
    "error",
    """stage `{name}` runs in time, and nothing says over how many steps

    The length of a clip is that of the stage (`steps = 8`), else of data that are videos, else of the model's input
    (`frames(steps = 32)`). A single picture is held for so many steps.""",
    help="write `steps = 32` in the stage, or `frames(steps = 32, ..)` as the model's input",
)
AT_REST = Rule(
    "TRN192",
    "error",
    """`{key}` of stage `{name}` is about events, and stage `{actual}` sends none

    A stage trains its net at rest, picture by picture, until one says `quantize events = sigma_delta`; those that start from it
    send events too.""",
    help="write `quantize events = sigma_delta` in stage `{actual}`, or leave this out",
)
NO_MAPS = Rule(
    "TRN193",
    "error",
    """`heads` of stage `{name}` {problem}

    `heads = [0, 2]` trains and scores these maps of a head that reads a list of maps, such as several nets side by side. The
    others stay as they are.""",
    help="{remedy}",
)
OF_ONE_PICTURE = Rule(
    "TRN194",
    "note",
    """stage `{name}` sees clips of videos and does without `{actual}`

    All frames of a clip are augmented alike. `mosaic` and `mixup` would put different videos into one picture, and `ssd_crop`
    looks at the boxes of each picture for itself. Stages that hold single pictures for all steps keep them.""",
)
RULES = (NO_NEURONS, NO_LENGTH, AT_REST, NO_MAPS, OF_ONE_PICTURE)

_MADE_OF_FRAMES = ("bdd100k_track", "video")
"""Formats of data that are videos; drawn shapes are where they have steps."""
_LEFT_OUT = ("mosaic", "mixup", "ssd_crop")

_CHOOSING = ("yolo_sdnn",)
"""Kinds of heads whose maps train apart from each other."""


def check_events(
    draft: Draft, quantize: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]], at: Reader, program: Program
) -> None:
    """Fills in the length of the clips of a stage that sends events; what is about events is refused in one that sends none.

    `quantize` is what is quantised while the stage runs, `before` the same of the stages before it by id. Keys that a train block
    has for all of its stages are left out, without a word, in those that they are not about.
    """
    _check_gates(draft, quantize, before, at)
    if quantize["events"]:
        _check_clips(draft, at, program)
        _leave_out(draft, at, program)
        return
    for key in ("regularize.events", "steps"):
        if draft.value(key) is None:
            continue
        if key in draft.own and key == "steps":
            reason, remedy = "it trains picture by picture", "add `quantize events = sigma_delta`, or leave it out"
            at.report(NO_EFFECT(draft.place(key), key=key, name=draft.name, reason=reason, remedy=remedy))
        elif key in draft.own:
            at.report(AT_REST(draft.place(key), key=key.replace(".", " "), name=draft.name, actual=draft.name))
            draft.good = False
        draft.entries[key] = Setting(key, None, "default")


def _check_clips(draft: Draft, at: Reader, program: Program) -> None:
    model = draft.model
    if model is None:
        return
    if not any(isinstance(node.op, (Encode, SigmaDelta)) for node in model.graph):
        place = "quantize.events" if draft.value("quantize.events") else "start"
        at.report(NO_NEURONS(draft.place(place), name=draft.name, model=model.name))
        draft.good = False
        return
    if draft.value("steps") is not None:
        return
    data = program.data.get(draft.value("data") or "")
    own = data.options.get("options", {}).get("steps") if data is not None else None
    steps = own or next((node.op.steps for node in model.graph.inputs if isinstance(node.op, Input)), None)
    if steps is None:
        at.report(NO_LENGTH(draft.span, name=draft.name))
        draft.good = False
        return
    draft.entries["steps"] = Setting("steps", steps, "default")


def _leave_out(draft: Draft, at: Reader, program: Program) -> None:
    """Takes the augmentation that makes no sense in time from a stage on videos."""
    data, augment = program.data.get(draft.value("data") or ""), draft.value("augment") or []
    if data is None or not (data.format in _MADE_OF_FRAMES or data.options.get("options", {}).get("steps")):
        return
    left = [step["name"] for step in augment if step["name"] in _LEFT_OUT]
    if left:
        at.report(OF_ONE_PICTURE(draft.place("augment"), name=draft.name, actual="`, `".join(dict.fromkeys(left))))
        kept = [step for step in augment if step["name"] not in _LEFT_OUT]
        draft.entries["augment"] = replace(draft.entries["augment"], value=kept)


def _check_gates(
    draft: Draft, quantize: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]], at: Reader
) -> None:
    for gate in draft.gates:
        for name in dict.fromkeys(names_in(gate.condition)):
            stage, _, metric = name.rpartition(".")
            if metric not in EVENT_METRICS:
                continue
            state = before.get(stage) if stage else quantize
            if state is not None and not state["events"]:
                actual = stage.rpartition(".")[2] or draft.name
                at.report(AT_REST(gate.span, key=f"require {gate.text}", name=draft.name, actual=actual))
                draft.good = False


def chosen_maps(model: Model, chosen: list[int] | None) -> dict[str, Any] | None:
    """The maps of the model's head that train, and the layers that serve none of them, which stay as they are."""
    if chosen is None:
        return None
    graph, maps = model.graph, model.graph.outputs[model.heads[0].on[0]]
    others = graph.ancestors(maps) - graph.ancestors([maps[number] for number in chosen])
    weighted = [node for node in graph if node.name in others and node.op.params(graph.input_types(node))]
    return {"maps": chosen, "idle": [node.module or node.name for node in weighted if node.owns_weights]}


def check_heads(draft: Draft, at: Reader) -> None:
    """`heads` names maps that the model's head has, each once."""
    chosen = draft.value("heads")
    if chosen is None or draft.model is None:
        return

    def bad(problem: str, remedy: str) -> None:
        at.report(NO_MAPS(draft.place("heads"), name=draft.name, problem=problem, remedy=remedy))
        draft.good = False

    head = next(iter(draft.model.heads), None)
    if head is None or head.kind not in _CHOOSING:
        kind = f"a {head.kind} head" if head else "no head"
        bad(f"chooses maps, and model `{draft.model.name}` has {kind}, whose maps belong together", "leave `heads` out")
        return
    count = len(head.options["anchors"])
    wrong = [number for number in chosen if number >= count]
    if wrong:
        maps = "1 map, number 0" if count == 1 else f"{count} maps, numbers 0 .. {count - 1}"
        bad(f"asks for map {wrong[0]}, and the head has {maps}", "name some of these, or leave `heads` out")
    elif len(set(chosen)) < len(chosen):
        bad("names a map twice", "name each once")
