"""Anchors for a spec's head out of the boxes of its data: k-means over 1 - IoU, in the unit of the head, ready to paste."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from detc.commands.data.source import add_source, checked, find_source
from detc.commands.outcome import OK, refuse

if TYPE_CHECKING:
    from detrt.data.anchors import Anchors, Sizes

PIXELS, CELLS, IMAGE = "pixels of the input", "cells", "shares of the input"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser, split=False)
    parser.add_argument("--head", type=int, default=1, metavar="N", help="which head with anchors (default: the first)")
    parser.add_argument("-n", "--count", type=int, metavar="N", help="how many (default: as many as the head has)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where the search starts (default: 0)")


def run(args: argparse.Namespace) -> int:
    from detrt.data.anchors import find_anchors, judged, sizes_at
    from detrt.errors import DetrtError

    if args.spec is None:
        return refuse("anchors need a spec: they are those of its head", "detc data anchors SPEC")
    source = find_source(args)
    if isinstance(source, int):
        return source
    compilation = source.compilation
    if compilation is None or compilation.model is None or compilation.graph is None:
        return refuse(f"{args.spec} has no model", "detc check SPEC says what is wrong with it")
    heads = [head for head in compilation.model.heads if "anchors" in head.options]
    if not 1 <= args.head <= len(heads):
        return refuse(f"the model has {len(heads)} heads with anchors", "yolo_v2, yolo_v3 and yolo_sdnn have them")
    head = heads[args.head - 1]
    graph = compilation.graph
    node: Any = graph.inputs[0]
    _, height, width = node.type.shape[:3]
    mode = str(getattr(node.op, "resize", None) or "stretch")
    grids = [graph[name].type.shape[-2:] for output in head.on for name in graph.outputs.get(output, ())]
    unit = _unit(head.kind, head.options)
    given = [_as_list(maps) for maps in _by_map(head.options["anchors"])]
    try:
        sizes = sizes_at(checked(source, "train", print), width, height, mode)
        count = args.count or sum(len(pairs) for pairs in given)
        found = find_anchors(sizes, count, args.seed)
        before = judged(sizes, _pixels(given, unit, (width, height), grids))
    except DetrtError as error:
        return refuse(str(error))
    print(f"{found.boxes:,} boxes at {width}x{height} ({mode}), anchors in {unit}")
    print(_judgement("now", before))
    print(_judgement("found", found))
    print(f"  anchors = {_text(_placed(found.sizes, given, unit, (width, height), grids))}")
    return OK


def _judgement(word: str, found: Anchors) -> str:
    fit = f"mean best IoU {found.mean_iou:.3f}, {found.covered:.1%} of the boxes above 0.5"
    return f"  {word:<5} {len(found.sizes):>2} anchors: {fit}"


def _unit(kind: str, options: dict[str, Any]) -> str:
    """What the anchors of a head are measured in. Those of yolo_sdnn are compared with shares of the picture."""
    if kind == "yolo_v3":
        return PIXELS
    return CELLS if kind == "yolo_v2" and options.get("unit", "cells") == "cells" else IMAGE


def _by_map(anchors: Any) -> list[Any]:
    """Anchors map by map; a head that has one list for all maps has one entry."""
    return list(anchors) if anchors and isinstance(anchors[0][0], (list, tuple)) else [anchors]


def _as_list(pairs: Any) -> list[tuple[float, float]]:
    return [(float(w), float(h)) for w, h in pairs]


def _factor(unit: str, size: tuple[int, int], grid: Any) -> tuple[float, float]:
    """Pixels of one unit, across and down."""
    if unit == PIXELS:
        return 1.0, 1.0
    return (size[0] / grid[1], size[1] / grid[0]) if unit == CELLS else (float(size[0]), float(size[1]))


def _pixels(maps: list[list[tuple[float, float]]], unit: str, size: tuple[int, int], grids: list[Any]) -> Sizes:
    import numpy as np

    rows = []
    for number, pairs in enumerate(maps):
        x, y = _factor(unit, size, grids[min(number, len(grids) - 1)])
        rows += [(w * x, h * y) for w, h in pairs]
    return np.asarray(rows, np.float64)


def _placed(
    sizes: Sizes, maps: list[list[tuple[float, float]]], unit: str, size: tuple[int, int], grids: list[Any]
) -> list[list[tuple[float, float]]]:
    """The anchors found, in the head's unit: of several maps the coarsest takes the largest, each as many as it has now."""
    if len(maps) == 1 or sum(map(len, maps)) != len(sizes):
        x, y = _factor(unit, size, grids[0])
        return [[(w / x, h / y) for w, h in sizes.tolist()]]
    order = sorted(range(len(maps)), key=lambda n: -grids[n][0] * grids[n][1])  # the finest first
    placed: list[list[tuple[float, float]]] = [[] for _ in maps]
    start = 0
    for number in order:
        x, y = _factor(unit, size, grids[number])
        own = sizes[start : start + len(maps[number])].tolist()
        placed[number] = [(w / x, h / y) for w, h in own]
        start += len(own)
    return placed


def _text(maps: list[list[tuple[float, float]]]) -> str:
    lists = ["[" + ", ".join(f"({w:.4g}, {h:.4g})" for w, h in pairs) + "]" for pairs in maps]
    return lists[0] if len(lists) == 1 else "[" + ", ".join(lists) + "]"
