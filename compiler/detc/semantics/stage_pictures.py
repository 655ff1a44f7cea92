"""Whether what a stage does to its pictures fits its model and its data: mixing, sizes, and epochs without them."""

from __future__ import annotations

from dataclasses import replace

from detc.diagnostics import Related, Rule
from detc.ir.graph import Graph
from detc.ir.op import Op, Problem
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.semantics.program import Model, Program
from detc.semantics.reading import Reader
from detc.semantics.schema.augment import MIXING, MOST_SIZES
from detc.semantics.schema.heads import HEADS
from detc.semantics.stage_draft import Draft

MOSAIC_FIRST = Rule(
    "TRN150",
    "error",
    """`mosaic` is not the first step of `augment` in stage `{name}`

    A mosaic puts four whole pictures of the set together; what stands behind it is done to all four as one.""",
    help="write it first: `augment = [mosaic(), ..]`",
)
MIXED_CLASSES = Rule(
    "TRN151",
    "error",
    """stage `{name}` lays pictures together with `{actual}`, and each picture of data `{data}` has one label

    Sets of class folders say of a whole picture what it shows. Two pictures in one would have two labels.""",
    help="leave it out; `resized_crop` is the usual step for such pictures",
)
NO_AUG = Rule(
    "TRN152",
    "error",
    """stage `{name}` has {actual} epochs, fewer than its {allowed} `no_aug_epochs`

    They are the last ones of the stage, in which mosaic, mixup, affine and other sizes are off.""",
    help="write fewer, or `no_aug_epochs = 0` in this stage",
)
SIZES = Rule(
    "TRN153",
    "error",
    """`multiscale` of stage `{name}` draws from {actual}; it takes {allowed}

    Each batch has one of the sizes low, low + step, .. up to high.""",
    help="{remedy}",
)
ONE_SIZE = Rule(
    "TRN154",
    "error",
    """stage `{name}` trains at several sizes, and the {kind} head of model `{model}` {problem}

    Some heads read a map of one size only: their targets, or the weights before them, belong to its cells.""",
    help="leave `multiscale` out, or train another head at several sizes",
)
UNFIT_SIZE = Rule(
    "TRN155",
    "error",
    """model `{model}` cannot run at {actual}, which `multiscale` of stage `{name}` draws: `{node}` {problem}

    All of the net's shapes are worked out anew for every size that may be drawn.""",
    help="{remedy}",
)

RULES = (MOSAIC_FIRST, MIXED_CLASSES, NO_AUG, SIZES, ONE_SIZE, UNFIT_SIZE)


def check_pictures(draft: Draft, at: Reader, program: Program) -> None:
    """Reports what does not fit, and marks the draft as bad."""
    before = len(at.findings)
    names = [step["name"] for step in draft.value("augment") or ()]
    if "mosaic" in names[1:]:
        at.report(MOSAIC_FIRST(draft.place("augment"), name=draft.name))
    data = program.data.get(draft.value("data") or "")
    mixing = next((name for name in names if name in MIXING), None)
    if mixing and data is not None and data.format == "folders":
        related = (Related(data.span, "class folders"),) if data.span else ()
        at.report(
            MIXED_CLASSES(draft.place("augment"), name=draft.name, actual=mixing, data=data.name, related=related)
        )
    quiet, epochs = draft.value("no_aug_epochs"), draft.value("epochs")
    if quiet and epochs is not None and quiet > epochs and not draft.calibrates:
        at.report(NO_AUG(draft.place("no_aug_epochs"), name=draft.name, actual=epochs, allowed=quiet))
    if draft.value("multiscale") is not None and draft.model is not None:
        _check_sizes(draft, draft.model, at)
    draft.good = draft.good and len(at.findings) == before


def _check_sizes(draft: Draft, model: Model, at: Reader) -> None:
    (low, high), step = draft.value("multiscale")["range"], draft.value("multiscale")["step"]
    count = (high - low) // step + 1
    actual = f"{low} .. {high} in steps of {step}"
    place = draft.place("multiscale")
    if low % step:
        fix = f"write `sizes({max(step, low // step * step)} .. {high}, step = {step})`"
        at.report(SIZES(place, name=draft.name, actual=actual, allowed="multiples of the step", remedy=fix))
        return
    if count > MOST_SIZES:
        at.report(SIZES(place, name=draft.name, actual=actual, allowed=f"at most {MOST_SIZES} sizes", remedy=""))
        return
    for head in model.heads:
        if head.kind in HEADS and HEADS[head.kind].one_size:
            problem = "is made for one size of its map"
            at.report(ONE_SIZE(place, name=draft.name, kind=head.kind, model=model.name, problem=problem))
            return
    if not model.graph.inputs:
        return
    height, width = model.graph.inputs[0].type.shape[1:]
    for side in range(low, high + 1, step):
        size = tuple(max(1, round(own * side / max(height, width) / step)) * step for own in (height, width))
        unfit = unfit_at(model.graph, (size[0], size[1]))
        if unfit is not None:
            node, problem = unfit
            span = model.graph[node].span
            shown = f"{size[0]}x{size[1]}"
            weights = problem.startswith("has weights")
            fix = "take the mean of the map in front of it" if weights else "a step of 32 suits most nets"
            related = (Related(span, "this op"),) if span else ()
            at.report(
                UNFIT_SIZE(
                    place,
                    name=draft.name,
                    model=model.name,
                    actual=shown,
                    node=node,
                    problem=problem,
                    remedy=f"{fix}, or leave `multiscale` out",
                    related=related,
                )
            )
            return


def unfit_at(graph: Graph, size: tuple[int, int]) -> tuple[str, str] | None:
    """The first node, with the reason, that cannot be run where the input is `size` (height, width) with the weights
    that the net has; None if all can.
    """
    types: dict[str, TensorType] = {}
    for node in graph:
        op: Op = node.op
        if isinstance(op, Input):
            op = replace(op, shape=(op.shape[0], *size))
        inputs = [types[name] for name in node.inputs]
        type = op.infer(inputs)
        if isinstance(type, Problem):
            return node.name, type.message
        if op.params(inputs) != node.op.params(graph.input_types(node)):
            return node.name, f"has weights for {graph.input_types(node)[0]}, not for {inputs[0]}"
        types[node.name] = type
    return None
