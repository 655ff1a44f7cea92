"""What the outputs of a file are: a head's, where their shapes leave no doubt, else tensors that wait for one."""

from __future__ import annotations

from dataclasses import dataclass, field

from detc.importers.network.drawing import Drawing
from detc.importers.network.values import Parts
from detc.importers.network.views import Atom, View, merged, order_of

ST_ANCHORS = (
    "[(0.076023, 0.258508), (0.163031, 0.413531), (0.234769, 0.702585), (0.427054, 0.715892), (0.748154, 0.857092)]"
)
"""Defaults of ST's services for yolo_v2 heads, in shares of the picture
(stm32ai-modelzoo, object_detection/src/utils/parse_config.py)."""
SSD_GRIDS = (19, 10, 5, 3, 2, 1)
"""Maps of the library's `ssd.priors`, for pictures of 300x300, six priors a cell."""
CELLS = ((8, 16, 32, 64, 128), (16, 32))
"""Pixels of a cell of YOLO's maps, in order; of the one map of a yolo_v2 head."""


@dataclass(slots=True)
class Outputs:
    """The net's outputs by name, the nodes of each; `head` is the text of its head block, `use` what it takes from libraries."""

    nodes: dict[str, tuple[int, ...]]
    head: str = ""
    kind: str = "detector"
    use: str = ""
    notes: list[str] = field(default_factory=list)


def find_outputs(drawing: Drawing, values: dict[str, View | Parts]) -> Outputs:
    """The outputs of these values (in the file's order, by names of the language)."""
    image = drawing.drafts[0].type.shape[1:]
    notes: list[str] = []
    plain = {name: _nodes(drawing, name, value, notes) for name, value in values.items()}
    found = (
        _classifier(drawing, plain, notes)
        or _yolox(drawing, values, plain, image)
        or _ssd(drawing, values, plain, image)
        or _yolo_v2(drawing, plain, image)
        or Outputs(plain, notes=["no head is recognised in the outputs: write one, or take the net as it is"])
    )
    found.notes = notes + found.notes
    return found


def _nodes(drawing: Drawing, name: str, value: View | Parts, notes: list[str]) -> tuple[int, ...]:
    """The nodes of an output, without a softmax at its very end: decoding does that."""
    views = value.views if isinstance(value, Parts) else (value,)
    functions = list(value.after) if isinstance(value, Parts) else []
    nodes = []
    for view in views:
        moved = not view.whole or (len(view.axes) == 3 and order_of(view) is None)
        node = drawing.map(view) if moved else view.node
        draft = drawing.drafts[node]
        if draft.op.name == "softmax":
            node, functions = draft.inputs[0], [*functions, "softmax"]
        if (
            len(view.axes) == 1
            and len(drawing.drafts[node].type.shape) == 3
            and view.whole
            and not isinstance(value, Parts)
        ):
            node = drawing.add("flatten", node)
        nodes.append(node)
    if functions:
        notes.append(
            f"output `{name}` is given before its {' and '.join(dict.fromkeys(functions))}: decoding does that"
        )
    return tuple(nodes)


def _classifier(drawing: Drawing, plain: dict[str, tuple[int, ...]], notes: list[str]) -> Outputs | None:
    nodes = next(iter(plain.values()))
    shape = drawing.drafts[nodes[0]].type.shape
    if (
        len(plain) != 1
        or len(nodes) != 1
        or len(shape) != 1
        or shape[0] < 2
        or not any("softmax" in note for note in notes)
    ):
        return None
    return Outputs({"logits": nodes}, f"head softmax on logits {{ classes = {shape[0]} }}", "classifier")


def _cells(drawing: Drawing, nodes: tuple[int, ...], image: tuple[int, ...]) -> tuple[int, ...] | None:
    """Pixels of a cell of each map; None where one is no map, or not a whole part of the picture."""
    strides = []
    for node in nodes:
        shape = drawing.drafts[node].type.shape
        if len(shape) != 3 or image[0] % shape[1] or image[0] // shape[1] * shape[2] != image[1]:
            return None
        strides.append(image[0] // shape[1])
    return tuple(strides)


def _yolox(
    drawing: Drawing, values: dict[str, View | Parts], plain: dict[str, tuple[int, ...]], image: tuple[int, ...]
) -> Outputs | None:
    """Maps that are box (4), object (1) and classes one behind the other, at strides 8, 16, 32 ..: YOLOX's with a sigmoid on the
    last two, ST's without."""
    nodes = tuple(node for group in plain.values() for node in group)
    strides = _cells(drawing, nodes, image)
    if strides is not None and (apart := _apart(drawing, nodes, strides)):
        return apart
    if strides is None or len(nodes) < 2 or strides != CELLS[0][: len(strides)]:
        return None
    triples = [_triple(drawing, node) for node in nodes]
    if any(triple is None for triple in triples):
        return None
    known = [triple for triple in triples if triple is not None]
    if len({triple[3] for triple in known}) != 1 or len({triple[4] for triple in known}) != 1:
        return None
    classes, squashed = known[0][3:]
    if squashed:
        columns = [tuple(triple[n] for triple in known) for n in range(3)]
        named = dict(zip(("box", "obj", "cls"), columns, strict=True))
        text = f"head yolox on box, obj, cls {{ strides = {list(strides)}  classes = {classes} }}"
        return Outputs(
            named, text, notes=["taken for YOLOX's head: raw boxes, objects and classes before their sigmoids"]
        )
    text = f"head yolo_v2 on maps {{ anchors = [(0.5, 0.5)]  unit = image  classes = {classes}  score = 0.001  nms = 0.5 }}"
    return Outputs(
        {"maps": nodes}, text, notes=["taken for ST's st_yolo_x head: one anchor of half the picture a cell"]
    )


def _apart(drawing: Drawing, nodes: tuple[int, ...], strides: tuple[int, ...]) -> Outputs | None:
    """YOLOX's maps one by one: of every size one of 4 channels, one of 1, and one of as many as there are classes."""
    channels = [drawing.drafts[node].type.shape[0] for node in nodes]
    levels = sorted(set(strides))
    if tuple(levels) != CELLS[0][: len(levels)] or len(levels) < 2 or len(nodes) != 3 * len(levels):
        return None
    columns: list[tuple[int, ...]] = []
    classes = next((c for c in channels if c not in (4, 1)), 0)
    for wanted in (4, 1, classes):
        found = {s: node for node, s, c in zip(nodes, strides, channels, strict=True) if c == wanted}
        columns.append(tuple(found[s] for s in levels if s in found))
    if not classes or any(len(column) != len(levels) for column in columns):
        return None
    named = dict(zip(("box", "obj", "cls"), columns, strict=True))
    text = f"head yolox on box, obj, cls {{ strides = {levels}  classes = {classes} }}"
    return Outputs(named, text, notes=["taken for YOLOX's head: boxes, objects and classes of each map"])


def _triple(drawing: Drawing, node: int) -> tuple[int, int, int, int, bool] | None:
    """Box, object and class nodes of a concat, how many classes, and whether the last two went through a sigmoid (are taken
    before it)."""
    draft = drawing.drafts[node]
    if draft.op.name != "concat" or len(draft.inputs) != 3:
        return None
    box, obj, cls = draft.inputs
    shapes = [drawing.drafts[i].type.shape[0] for i in draft.inputs]
    squashed = [drawing.drafts[i].op.name == "sigmoid" for i in (obj, cls)]
    if shapes[:2] != [4, 1] or squashed[0] != squashed[1]:
        return None
    if squashed[0]:
        obj, cls = drawing.drafts[obj].inputs[0], drawing.drafts[cls].inputs[0]
    return box, obj, cls, shapes[2], squashed[0]


def _ssd(
    drawing: Drawing, values: dict[str, View | Parts], plain: dict[str, tuple[int, ...]], image: tuple[int, ...]
) -> Outputs | None:
    """Two outputs of as many maps: rows of 4 are box offsets, the others scores of the classes and the background."""
    pairs = [(name, value) for name, value in values.items() if isinstance(value, Parts) and len(value.views) > 1]
    if len(pairs) != 2 or len(values) != 2:
        return None
    widths = {name: _row(value) for name, value in pairs}
    loc = next((name for name, _ in pairs if widths[name] == 4), "")
    conf = next((name for name, _ in pairs if name != loc), "")
    if not loc or widths[conf] < 2 or len(plain[loc]) != len(plain[conf]):
        return None
    shapes = [[drawing.drafts[node].type.shape for node in plain[name]] for name in (loc, conf)]
    counts = [shape[0] // 4 for shape in shapes[0]]
    for of_loc, of_conf in zip(*shapes, strict=True):
        if of_loc[1:] != of_conf[1:] or of_loc[0] * widths[conf] != of_conf[0] * 4:
            return None
    classes = widths[conf] - 1
    grids = tuple(shape[1] for shape in shapes[0])
    found = Outputs({"loc": plain[loc], "conf": plain[conf]})
    if image == (300, 300) and grids == SSD_GRIDS and set(counts) == {6}:
        found.use = "use std.ssd as ssd\n"
        found.head = f"head ssd on loc, conf {{ priors = ssd.priors  classes = {classes} }}"
    else:
        cells = ", ".join(f"{n} on {g}x{g}" for n, g in zip(counts, grids, strict=True))
        found.notes.append(
            f"an SSD pair of {classes} class{'es' if classes > 1 else ''} with {cells} priors: write `head ssd on loc, conf "
            "{ priors = ssd.priors(..) }` if the file's priors are squares and ratios of them"
        )
    return found


def _row(value: Parts) -> int:
    """How many numbers a row has that lie one behind the other in the channels; 0 where views have no such rows."""
    found = set()
    for view in value.views:
        walk = merged(view.axes[-1]) if view.axes else ()
        if len(walk) > 1 or (walk and walk[0] != Atom(0, walk[0].size)):
            return 0
        found.add(walk[0].size if walk else 1)
    return found.pop() if len(found) == 1 else 0


def _yolo_v2(drawing: Drawing, plain: dict[str, tuple[int, ...]], image: tuple[int, ...]) -> Outputs | None:
    """One map of coarse cells whose channels are five anchors with box, object and classes. In TFLite files ST's services write
    such maps; elsewhere it could be anything."""
    nodes = next(iter(plain.values()))
    strides = _cells(drawing, nodes, image)
    if len(plain) != 1 or len(nodes) != 1 or strides is None or strides[0] not in CELLS[1]:
        return None
    classes, rest = divmod(drawing.drafts[nodes[0]].type.shape[0], 5)
    if rest or classes <= 5:
        return None
    if drawing.order != (1, 2, 0):
        hint = f"a map of 5 * (5 + {classes - 5}) channels: if it is YOLOv2's, write `head yolo_v2 on map {{ anchors = [..] }}`"
        return Outputs({"map": nodes}, notes=[hint])
    text = f"head yolo_v2 on map {{ anchors = {ST_ANCHORS}  unit = image  classes = {classes - 5} }}"
    return Outputs(
        {"map": nodes}, text, notes=["taken for a yolo_v2 head with the five anchors that ST's services use by default"]
    )
