"""From a drawing to a model: what its outputs need, in order, with names; its weights and ranges by those names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detc.codegen.det.words import det_name, spellings
from detc.importers.network.drawing import Draft, Drawing, Lazy
from detc.importers.network.heads import Outputs
from detc.ir.graph import Graph, Node, Scope
from detc.ir.ops import OPS
from detc.ir.ops.activation import Activation, Relu, Softmax
from detc.ir.ops.neuron import Cuba, Sigma, SigmaDelta
from detc.ir.ops.norm import BatchNorm
from detc.ir.ops.source import Input
from detc.semantics.functions import BUILT_IN
from detc.semantics.library import LIBRARIES
from detc.semantics.naming import attribute_name, ordinal
from detc.semantics.values import TENSOR_ATTRIBUTES
from detc.semantics.words import ARGUMENT_WORDS

FRAME = "frame"
ORDERS = {1: "grayscale", 3: "rgb", 4: "rgba"}
FULL = 255.0
LONGEST = 4
"""Layers of one line."""


@dataclass(frozen=True, slots=True)
class Finished:
    """`weights` are read when they are called for, by state_dict key; `ranges` (low, high) by the layer that gives them."""

    graph: Graph
    weights: dict[str, Lazy]
    ranges: dict[str, tuple[float, float]]
    steps: dict[str, Lazy]
    """Of weights that the file has as whole numbers: what one step stands for, by the same keys."""
    makers: dict[str, str]
    """By layer, what the file's operator gives first that it comes from."""


def finish(drawing: Drawing, outputs: Outputs, name: str, picture: Input) -> Finished:
    """The graph of all that `outputs` need, from a picture that enters as `picture` says."""
    needed = _needed(drawing, [node for group in outputs.nodes.values() for node in group])
    groups = _groups(drawing, needed, {node for group in outputs.nodes.values() for node in group})
    single = {nodes[0]: output for output, nodes in outputs.nodes.items() if len(nodes) == 1}
    names = _names(drawing, groups, {name, FRAME, *outputs.nodes}, single)
    first = needed[0]
    names[first] = FRAME
    graph = Graph(
        name, {o: tuple(names[n] for n in nodes) for o, nodes in outputs.nodes.items()}, {"": Scope("", "model")}
    )
    graph.add(Node(FRAME, picture, (), drawing.drafts[first].type))
    weights: dict[str, Lazy] = {}
    ranges: dict[str, tuple[float, float]] = {}
    steps: dict[str, Lazy] = {}
    for group in groups:
        for number in group:
            draft = drawing.drafts[number]
            owner = names[draft.module] if draft.module is not None and draft.module in names else ""
            inputs = tuple(names[i] for i in draft.inputs)
            graph.add(
                Node(names[number], draft.op, inputs, draft.type, scope=names[number].rpartition(".")[0], module=owner)
            )
            if not owner:
                kept = drawing.drafts[draft.module] if draft.module is not None else draft
                weights |= {f"{names[number]}.{key}": lazy for key, lazy in kept.weights.items()}
                if kept.steps is not None:
                    steps[f"{names[number]}.weight"] = kept.steps
        ranges |= _ranges([(names[number], drawing.drafts[number]) for number in group])
    if drawing.drafts[first].range:
        ranges[FRAME] = drawing.drafts[first].range  # type: ignore[assignment]
    makers = {names[number]: drawing.drafts[number].maker for number in needed[1:]}
    return Finished(graph, weights, ranges, steps, makers)


def _ranges(group: Sequence[tuple[str, Draft]]) -> dict[str, tuple[float, float]]:
    """Of each layer; the first of a line stands for all of it once they are fused: its range is the last one's, and what it gives
    before an activation that is a table is `NAME.before`."""
    found = {name: draft.range for name, draft in group if draft.range}
    (first, _), (_, end) = group[0], group[-1]
    if len(group) > 1 and end.range:
        before = [draft.range for _, draft in group[:-1] if draft.range]
        if before and not isinstance(end.op, Relu):
            found[f"{first}.before"] = before[-1]
        found[first] = end.range
    return found


def _needed(drawing: Drawing, outputs: Sequence[int]) -> list[int]:
    """The drafts that outputs depend on, in order; the input first."""
    found = {0}
    waiting = list(outputs)
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += drawing.drafts[number].inputs
    return sorted(found)


def _groups(drawing: Drawing, needed: Sequence[int], outputs: set[int]) -> list[list[int]]:
    """Layers that become one line of the spec: one, and the batch norm, activation or neurons that alone read it."""
    readers: dict[int, list[int]] = {}
    for number in needed:
        for source in drawing.drafts[number].inputs:
            readers.setdefault(source, []).append(number)
    group_of: dict[int, list[int]] = {}
    groups: list[list[int]] = []
    for number in needed[1:]:
        draft = drawing.drafts[number]
        source = draft.inputs[0]
        follows = isinstance(draft.op, BatchNorm | Activation | SigmaDelta | Cuba | Sigma)
        follows = follows and not isinstance(draft.op, Softmax)
        alone = len(readers[source]) == 1 and source not in outputs
        if follows and alone and len(group_of.get(source, ())) in range(1, LONGEST):
            group_of[number] = group_of[source]
            group_of[source].append(number)
        else:
            group_of[number] = [number]
            groups.append(group_of[number])
    return groups


def _names(
    drawing: Drawing, groups: Sequence[Sequence[int]], taken: set[str], outputs: dict[int, str]
) -> dict[int, str]:
    """A name a layer: that of its group, in a group of several its word with an ordinal. What is an output is called so."""
    words = {*OPS, *LIBRARIES, *ARGUMENT_WORDS, *TENSOR_ATTRIBUTES, "ops", *(native.name for native in BUILT_IN)}
    taken = taken | words | {word.split(".")[0] for word in OPS}
    names: dict[int, str] = {}
    counts: dict[str, int] = {}
    for group in groups:
        drafts = [drawing.drafts[number] for number in group]
        spelled = [_word(drawing, draft) for draft in drafts]
        label = next((draft.label for draft in drafts if draft.label), "")
        if group[-1] in outputs and outputs[group[-1]] not in names.values():
            base = outputs.pop(group[-1])
        elif label:
            base = attribute_name(det_name(label, taken))
            base = base if base not in taken else det_name(f"{base}_1", taken)
        else:
            base = FRAME
            while base in taken:
                counts[spelled[0]] = counts.get(spelled[0], 0) + 1
                base = ordinal(spelled[0], counts[spelled[0]])
        taken.add(base)
        inner: dict[str, int] = {}
        for number, word in zip(group, spelled, strict=True):
            inner[word] = inner.get(word, 0) + 1
            names[number] = base if len(group) == 1 else f"{base}.{ordinal(word, inner[word])}"
    return names


def _word(drawing: Drawing, draft: Draft) -> str:
    """What a spec calls the layer."""
    return next(spellings(draft.op, [drawing.drafts[i].type for i in draft.inputs], {})).base


# ---- the picture ----------------------------------------------------------------------------------------------------


def picture_of(drawing: Drawing, outputs: Outputs, dtype: str, scales: Sequence[float], zeros: Sequence[int]) -> Input:
    """How pictures enter: as the file's quantised input says, or a batch norm right behind the input, which becomes part of it;
    else divided by 255. Anything that is taken for granted is noted in `outputs`."""
    drafts = drawing.drafts
    shape = drafts[0].type.shape
    plain = Input(shape, order=ORDERS[shape[0]], scale=FULL)
    if len(scales) == 1 and dtype in ("u8", "i8") and scales[0] > 0:
        zero = zeros[0] + (128 if dtype == "i8" else 0)
        if zero == 0 and abs(1 / scales[0] - FULL) < 1e-3:
            return plain
        return replace(plain, scale=1.0, mean=(float(zero),) * shape[0], std=(_round(1 / scales[0]),) * shape[0])
    readers = [
        n for n in _needed(drawing, [n for group in outputs.nodes.values() for n in group]) if 0 in drafts[n].inputs
    ]
    affine = drafts[readers[0]].affine if len(readers) == 1 else None
    used = {node for group in outputs.nodes.values() for node in group}
    if affine is None or (affine[0] <= 0).any() or readers[0] in used:
        outputs.notes.append("the file does not say how pictures are encoded: RGB divided by 255 is taken for granted")
        return plain
    factor, summand = affine
    raw = bool((factor < 0.1).all())
    outputs.notes.append(
        f"the file scales pictures itself: it is taken to get them as {'0 .. 255' if raw else '0 .. 1'}, RGB"
    )
    for draft in drafts:
        draft.inputs = tuple(0 if i == readers[0] else i for i in draft.inputs)
    std = [(1.0 if raw else FULL) / float(f) for f in factor]
    mean = [-float(a) * s for a, s in zip(summand, std, strict=True)]
    if all(abs(s - FULL) < 1e-3 for s in std) and not any(mean):
        return plain
    return replace(plain, scale=1.0, mean=tuple(map(_round, mean)), std=tuple(map(_round, std)))


def _round(value: float) -> float:
    """Without the noise of float32."""
    return float(f"{value:.7g}")
