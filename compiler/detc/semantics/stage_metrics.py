"""What a stage is measured by: boxes of a detector, classes of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from detc.diagnostics import Rule
from detc.semantics.conditions import TRAINING_METRICS, names_in
from detc.semantics.program import Model, Program
from detc.semantics.reading import Reader
from detc.semantics.schema.heads import HEADS
from detc.semantics.stage_draft import Draft

NOT_CHOSEN_BY = Rule(
    "TRN160",
    "error",
    """stage `{name}` chooses its best checkpoint by `{actual}`, which model `{model}` does not measure

    A detector is measured by the mean average precision of its boxes (map50, map), a classifier by how often the true class
    comes first (top1) or among the first five (top5); both have a loss.""",
    help="choose by one of {allowed}, or leave it out for {fix}",
)
NOT_MEASURED_BY = Rule(
    "TRN161",
    "error",
    """`require {text}` waits for `{actual}`, which model `{model}` does not measure

    A detector measures map50 and map, a classifier top1 and top5; a gate on the other's figures could never be judged.""",
    help="use one of {allowed}",
)
BOXES_FOR_CLASSES = Rule(
    "TRN162",
    "error",
    """stage `{name}` learns the class of whole pictures, and data `{actual}` ({format}) has boxes

    A classifier takes one label a picture, which class folders give.""",
    help="name a set of class folders: data.folders(root = path(..), train = .., val = ..)",
)
WHOLE = ("folders",)
"""Formats with one label for the whole of each picture."""


def measures_of(model: Model | None) -> tuple[str, ...]:
    """The figures of a model's stages, the one that its best checkpoint is chosen by first; all without a head."""
    kinds = [HEADS[head.kind] for head in model.heads if head.kind in HEADS] if model else []
    return kinds[0].measures if kinds else TRAINING_METRICS


def check_metrics(draft: Draft, by_id: Mapping[str, Draft], at: Reader, program: Program) -> None:
    """`choose` and the gates name figures of the model; a classifier learns from labels of whole pictures."""
    measured, model = measures_of(draft.model), draft.model
    choose = draft.entries["choose"]
    if choose.value not in measured:
        if choose.origin == "default":
            draft.entries["choose"] = replace(choose, value=measured[0])
        elif model is not None:
            facts = {"name": draft.name, "actual": choose.value, "model": model.name}
            allowed = ", ".join(measured)
            at.report(NOT_CHOSEN_BY(draft.place("choose"), **facts, allowed=allowed, fix=measured[0]))
            draft.good = False
    for gate in draft.gates:
        for name in dict.fromkeys(names_in(gate.condition)):
            stage, _, metric = name.rpartition(".")
            judged = by_id[stage].model if stage in by_id else None if stage else model
            if judged is None or metric not in TRAINING_METRICS or metric in measures_of(judged):
                continue
            allowed = ", ".join(measures_of(judged))
            at.report(NOT_MEASURED_BY(gate.span, text=gate.text, actual=name, model=judged.name, allowed=allowed))
            draft.good = False
    data = program.data.get(draft.value("data") or "")
    if "map50" not in measured and data is not None and data.format not in (*WHOLE, "images"):
        at.report(BOXES_FOR_CLASSES(draft.place("data"), name=draft.name, actual=data.name, format=data.format))
        draft.good = False
