"""A whole file translated: every operator in the file's order, those without a counterpart all told at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from detc.diagnostics import Finding, Rule
from detc.diagnostics.did_you_mean import closest
from detc.importers.foreign import ForeignModel, ForeignOp
from detc.importers.network.constants import folded
from detc.importers.network.drawing import Drawing
from detc.importers.network.onnx_gelu import with_gelus
from detc.importers.network.translation import Handler, Translation
from detc.importers.network.values import Blocked, Constant, Parts, Untranslatable, Value
from detc.importers.network.views import View, view_of
from detc.importers.unreadable import short

UNSUPPORTED = Rule(
    "IMP202",
    "error",
    """{count} of the file {have} no counterpart: {actual}

    A file's operators become layers of a spec: convolutions, pools, activations and what joins and cuts maps. Decoding of
    boxes is no part of a net here; a head does it, so a file is cut before it.""",
    help="{remedy}",
)
NO_TENSOR = Rule(
    "IMP203",
    "error",
    """there is no tensor `{actual}` in the file

    `--outputs` names tensors of the file, as a viewer such as Netron shows them; the net ends there.""",
    help="{remedy}",
)
NO_PICTURE = Rule(
    "IMP204",
    "error",
    """the file takes {actual} as input

    A net here takes one picture: one input of four axes with a batch of 1, of 1, 2, 3 or 4 channels.""",
    help="export the model with one picture as its input, and its sizes fixed",
)
NO_NET = Rule(
    "IMP205",
    "error",
    """no layer of the file leads to its outputs

    What a file gives must depend on the picture that it takes.""",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An operator without a counterpart, and why."""

    op: ForeignOp
    reason: str


@dataclass(slots=True)
class Translated:
    """`outputs` are the values of the file's outputs by name."""

    translation: Translation
    outputs: dict[str, Value]
    faults: list[Fault] = field(default_factory=list)


def translate(model: ForeignModel, outputs: Sequence[str] = ()) -> Translated | list[Finding]:
    """The file drawn as a graph, up to `outputs` (its own ones if none are named)."""
    found = [NO_TENSOR(None, actual=short(n), remedy=_near(n, model)) for n in outputs if n not in model.tensors]
    if found:
        return found
    model = with_gelus(_needed(replace(model, outputs=tuple(outputs) or model.outputs)))
    inputs = [name for name in model.inputs if model.tensors[name].data is None]
    shapes = [model.tensors[name].shape for name in inputs]
    order = (1, 2, 0) if model.format == "tflite" else (0, 1, 2)
    picture = _picture(shapes[0], order) if len(shapes) == 1 else None
    if picture is None:
        said = ", ".join(f"`{short(n)}` {list(s)}" for n, s in zip(inputs, shapes, strict=True)) or "nothing"
        return [NO_PICTURE(None, actual=said)]
    drawing = Drawing(order)
    t = Translation(model, drawing)
    t.readers = Counter(name for op in model.ops for name in op.inputs)
    t.readers.update(model.outputs)
    node = drawing.input(picture, inputs[0])
    drawing.drafts[node].tensor = inputs[0]
    t.values[inputs[0]] = view_of(node, picture, order)
    if scales := model.tensors[inputs[0]].scales:
        t.ranged(node, scales[0], model.tensors[inputs[0]].zeros[0], model.tensors[inputs[0]].dtype)
    handlers = _handlers(model.format)
    faults = [fault for op in model.ops if (fault := _one(t, op, handlers))]
    values = {name: t.value(name) for name in model.outputs}
    if not faults and all(isinstance(value, Constant) for value in values.values()):
        return [NO_NET(None)]
    return Translated(t, values, faults)


def _handlers(format: str) -> dict[str, Handler]:
    if format == "tflite":
        from detc.importers.network.tflite_ops import HANDLERS
    else:
        from detc.importers.network.onnx_quant import HANDLERS
    return HANDLERS


def _one(t: Translation, op: ForeignOp, handlers: dict[str, Handler]) -> Fault | None:
    """Translates one operator; a Fault where it cannot be and nothing before it is to blame."""
    t.drawing.maker = next(iter(op.outputs), "")
    values = [t.value(name) for name in op.inputs if name]
    handler = handlers.get(op.kind)
    blocked = [value for value in values if isinstance(value, Blocked)]
    try:
        if not blocked:
            if folded(t, op):
                return None
            if handler is None:
                raise Untranslatable("")
            handler(t, op)
            return None
        fault = Fault(op, "") if handler is None else None
    except Untranslatable as reason:
        fault = Fault(op, str(reason))
    except (
        IndexError,
        ValueError,
        OverflowError,
        ZeroDivisionError,
    ):  # inputs that are missing, axes that are not there ..
        fault = Fault(op, "has inputs or attributes that do not fit it")
    nodes = tuple(dict.fromkeys(node for value in values for node in _nodes(value)))
    for name in op.outputs:
        t.values[name] = Blocked(nodes)
    return fault


def _nodes(value: Value) -> tuple[int, ...]:
    if isinstance(value, View):
        return (value.node,)
    if isinstance(value, Parts):
        return tuple(view.node for view in value.views)
    return value.nodes if isinstance(value, Blocked) else ()


def unsupported(done: Translated) -> Finding:
    """All operators without a counterpart in one finding, and where the file could be cut."""
    kinds: dict[str, list[Fault]] = {}
    for fault in done.faults:
        kinds.setdefault(f"{fault.op.kind}\0{fault.reason}", []).append(fault)
    said = []
    for faults in kinds.values():
        first = faults[0]
        times = f" ({len(faults)} times)" if len(faults) > 1 else ""
        why = f" {first.reason}" if first.reason else ""
        said.append(f"{short(first.op.kind)}{times} at `{short(first.op.outputs[0] if first.op.outputs else '')}`{why}")
    drafts = done.translation.drawing.drafts
    nodes = dict.fromkeys(node for value in done.outputs.values() for node in _nodes(value))
    names = [drafts[node].tensor for node in nodes if drafts[node].tensor and drafts[node].inputs]
    cut = (
        f"cut the net before them: `--outputs {','.join(map(short, names[:12]))}`"
        if names
        else "export the net without them"
    )
    count = f"{len(done.faults)} operator{'s' if len(done.faults) > 1 else ''}"
    return UNSUPPORTED(
        None, count=count, have="have" if len(done.faults) > 1 else "has", actual="; ".join(said), remedy=cut
    )


def _picture(shape: tuple[int, ...], order: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """[channels, height, width] of an input of four axes."""
    if len(shape) != 4 or shape[0] not in (-1, 0, 1) or min(shape[1:]) < 1:
        return None
    sizes = [0, 0, 0]
    for place, axis in enumerate(order):
        sizes[axis] = shape[1 + place]
    return (sizes[0], sizes[1], sizes[2]) if sizes[0] <= 4 else None


def _needed(model: ForeignModel) -> ForeignModel:
    """The operators that its outputs depend on."""
    needed = set(model.outputs)
    kept = []
    for op in reversed(model.ops):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            kept.append(op)
    return replace(model, ops=tuple(kept[::-1]))


def _near(name: str, model: ForeignModel) -> str:
    near = closest(name, list(model.tensors)[:5000])
    return f"did you mean `{short(near)}`?" if near else "look its tensors up in a viewer such as Netron"
