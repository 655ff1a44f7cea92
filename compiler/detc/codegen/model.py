"""model.py of a build: the net as plain torch that a person could have written from the spec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from detc import __version__
from detc.codegen.classes import Class, Classes, features, given, input_names, tapped
from detc.codegen.doc import Arg, Bracket, Cat, Doc, filled, sequence
from detc.codegen.flow import Body, Flow
from detc.codegen.forward import Forward, Tangled
from detc.codegen.layout import WIDTH, statement
from detc.codegen.names import IMPORTED, LAYERS, docstring, inert, place
from detc.codegen.names import class_name as as_class_name
from detc.codegen.snippets import HELPER_TEXTS
from detc.codegen.spelling import quoted
from detc.codegen.tidying import tidied
from detc.ir.graph import Graph
from detc.ir.ops.source import Input
from detc.semantics.program import Model


def model_source(model: Model, class_name: str) -> str:
    """The text of model.py, whose class `class_name` has a state_dict key NODE.weight (.bias ..) for each node of the
    graph that owns weights.

    The graph is the elaborated one, before any fusion, without dead nodes. Formatted; the same graph gives the same text.
    ValueError if an op has no spelling in torch.
    """
    model = replace(model, graph=tidied(model.graph))
    top, classes = _structure(model.graph, as_class_name(class_name))
    names = [made.name for made in classes.made]
    code = [line for made in classes.made if made is not top for line in _class_lines(made, names)]
    code += _model_lines(model, top, names)
    text = "\n".join(code)
    helpers = [source for name, source in HELPER_TEXTS.items() if re.search(rf"\b{name}\(", text)]
    layers = [name for name in LAYERS if re.search(rf"\b{name}\(", text)]
    summary = f"{model.name}: written by detc {__version__} from {_file(model)}, and yours to edit."
    imports = ["", *(["from collections import OrderedDict", ""] if "OrderedDict(" in text else [])]
    used = "\n".join([*helpers, text])
    imports += ["import torch"] if re.search(r"\btorch\.", used) else []
    imports += ["import torch.nn.functional as F"] if re.search(r"\bF\.", used) else []
    imports += [f"from detrt.layers import {', '.join(layers)}"] if layers else []
    imports += ["from torch import Tensor, nn"]
    head = [*docstring([summary, KEPT], 0), *imports, *(f"\n{helper.rstrip()}" for helper in helpers)]
    return "\n".join(head) + "\n" + text + "\n"


KEPT = "A later build leaves a changed file alone and puts its own version beside it."


def _structure(graph: Graph, name: str) -> tuple[Class, Classes]:
    """The classes of a graph. A scope that cannot be one call is opened, until the order of all steps is found."""
    opened: frozenset[str] = frozenset()
    while True:
        flow = Flow(graph, opened)
        body = flow.model()
        try:
            classes = Classes({**flow.bodies, "": body})
        except Tangled as tangled:
            if tangled.path in opened:
                raise
            opened |= {tangled.path}
            continue
        top = next(made for made in classes.made if made.body is body)
        top.name = name
        classes.named({name, *IMPORTED}, top)
        return top, classes


def _file(model: Model) -> str:
    return place(model.span).rpartition(":")[0] or "a graph"


def _class_lines(made: Class, names: list[str]) -> list[str]:
    """The class of a block."""
    body = made.body
    texts = iter(made.texts)
    modules = {name: filled(doc, texts, names) for name, doc in made.modules.items()}
    written = _filled_forward(made.forward, texts, names)
    parent = made.base.name if made.base else "nn.Sequential" if body.form == "chain" else "nn.Module"
    where = place(body.scope.span)
    lines = ["", "", f"class {made.name}({parent}):", *docstring([_said_of_block(made, where)], 4)]
    if not made.base and (modules or made.stored):
        lines += ["", *_signature(made), *_init_lines(made, modules, where)]
    needs_forward = body.form == "module" or (made.base is not None and made.base.body.form == "module")
    if needs_forward:
        several = len(written.results) > 1
        kind = f"tuple[{', '.join(['Tensor'] * len(written.results))}]" if several else "Tensor"
        result = Cat(tuple(p for r in written.results for p in (", ", r))[1:]) if several else written.results[0]
        lines += ["", *_forward_lines(written, kind, result)]
    return lines


def _said_of_block(made: Class, where: str) -> str:
    """The spec's words, or what sets the class apart from the one it inherits from."""
    body = made.body
    said = inert(body.scope.doc) or f"Block `{inert(body.scope.block)}`."
    if made.base:
        more, fewer = features(made) - features(made.base), features(made.base) - features(made)
        taps = [f"gives {' and '.join(given(body))}"] if tapped(made) else []
        notes = [*(f"with {w}" for w in sorted(more)), *(f"without {w}" for w in sorted(fewer)), *taps]
        said = f"{made.base.name} {', '.join(notes)}." if notes else f"{made.base.name}, put together in another way."
    return f"{said} ({where})" if where else said


def _signature(made: Class) -> list[str]:
    arguments = [p.declaration() for p in made.parameters]
    widths = sum(p.positional for p in made.parameters)
    arguments[widths:widths] = [f"{name}: nn.Module" for name in made.injected]
    line = f"    def __init__({', '.join(['self', *arguments])}) -> None:"
    if len(line) <= WIDTH:
        return [line]
    return ["    def __init__(", *(f"        {a}," for a in ["self", *arguments]), "    ) -> None:"]


def _init_lines(made: Class, modules: dict[str, Doc], where: str, sizes: bool = False) -> Iterator[str]:
    yield " " * 8 + "super().__init__()"
    for name in made.stored:
        yield f"        self.{name} = {name}"
    for name, doc in modules.items():
        at = _within(made.body, name)
        notes = [made.body.notes.get(name, "")] if sizes else []
        notes += [at] if at and at != where and made.body.form == "module" else []
        yield from statement(doc, 8, f"self.{name} = ", ", ".join(n for n in notes if n))


def _within(body: Body, name: str) -> str:
    """Where the spec has a let, if that is in the block itself and not in one that was handed to it."""
    span, whole = body.spans.get(name), body.scope.span
    if span is None or (whole and (span.file != whole.file or not whole.line <= span.line <= whole.end_line)):
        return ""
    return place(span)


def _forward_lines(written: Forward, kind: str, result: Doc) -> Iterator[str]:
    arguments = ", ".join(["self", *(f"{name}: Tensor" for name in written.inputs)])
    yield f"    def forward({arguments}) -> {kind}:"
    for line in written.statements:
        yield from statement(line.doc, 8, f"{', '.join(line.targets)} = ")
    yield from statement(result, 8, "return ")


def _filled_forward(written: Forward, texts: Iterator[str | None], names: list[str]) -> Forward:
    statements = tuple(type(s)(s.targets, filled(s.doc, texts, names)) for s in written.statements)
    return Forward(written.inputs, statements, tuple(filled(r, texts, names) for r in written.results), written.lists)


def _model_lines(model: Model, made: Class, names: list[str]) -> list[str]:
    graph = model.graph
    texts = iter(made.texts)
    modules = {name: filled(doc, texts, names) for name, doc in made.modules.items()}
    written = _filled_forward(made.forward, texts, names)
    results = iter(written.results)
    outputs: dict[str, Doc] = {}
    for name, nodes in graph.outputs.items():
        values = [next(results) for _ in nodes]
        outputs[name] = values[0] if len(nodes) == 1 else written.lists.get(nodes, sequence(values))
    lines = ["", "", f"class {made.name}(nn.Module):", *docstring(_said(model, made.body), 4)]
    lines += ["", "    def __init__(self) -> None:", *_init_lines(made, modules, "", sizes=True), ""]
    if len(outputs) == 1 and all(len(nodes) == 1 for nodes in graph.outputs.values()):
        return [*lines, *_forward_lines(written, "Tensor", next(iter(outputs.values())))]
    inner = {len(nodes) > 1 for nodes in graph.outputs.values()}
    value = " | ".join(["Tensor"] * (False in inner) + ["list[Tensor]"] * (True in inner))
    result = Bracket("", tuple(Arg(f"{quoted(name)}: ", doc) for name, doc in outputs.items()), "{", "}")
    return [*lines, *_forward_lines(written, f"dict[str, {value}]", result)]


def _said(model: Model, body: Body) -> list[str]:
    """What goes in and what comes out, in the spec's terms; the spec's own words; what `forward` is given."""
    graph = model.graph
    entering = []
    for node in graph.inputs:
        order = f" {node.op.order.upper()}" if isinstance(node.op, Input) else ""
        entering.append(f"{node.type.dtype}[N, {', '.join(map(str, node.type.shape))}]{order}")
    leaving = []
    for name, nodes in graph.outputs.items():
        shapes = [f"[N, {', '.join(map(str, graph[n].type.shape))}]" for n in (nodes[0], nodes[-1])]
        leaving.append(
            f"{name} {shapes[0]}" if len(nodes) == 1 else f"{name} {len(nodes)} x {shapes[0]} .. {shapes[1]}"
        )
    where = place(model.span)
    line = f"{', '.join(entering)} -> {'; '.join(leaving)}." + (f" {where}" if where else "")
    given = f"`forward` takes {' and '.join(f'`{n}`' for n in input_names(body))} as detrt encodes it: float, NCHW."
    return [line, inert(model.doc), given]
