"""A model as a spec of its own: plain layers and numbers, and the names of all its layers as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from detc.codegen.det.labels import check_label, is_numbered
from detc.codegen.det.template import Block, Call, Text, render
from detc.codegen.det.words import Unwritable, det_name, literal
from detc.codegen.det.writer import Fragment, Refs, Writer, listed
from detc.codegen.names import inert
from detc.codegen.tree import Place, places
from detc.ir.graph import Graph, Node
from detc.ir.ops import OPS
from detc.ir.ops.source import Input
from detc.semantics.functions import BUILT_IN
from detc.semantics.library import LIBRARIES
from detc.semantics.program import Head, Model
from detc.semantics.schema.heads import HEADS
from detc.semantics.words import ARGUMENT_WORDS
from detc.syntax.format import format_file

_SCALE = 255.0
"""What divides pictures where a spec says nothing (see semantics/inputs.py)."""


def plain_spec(model: Model, about: Iterable[str] = ()) -> str:
    """The text of a spec with this model alone; `about` are lines of its first comment. Elaborated again it has the same graph,
    with the same names and shared weights, the same outputs and heads.

    Raises Unwritable where no spec gives the graph: names that are none, or scopes that run into each other.
    """
    graph = model.graph
    root = places(graph)
    labels = {graph.name, *(part for node in graph for part in node.name.split("."))}
    libraries = {name.split(".")[0] for name in OPS if "." in name}
    known = {*OPS, *LIBRARIES, *libraries, "ops", *(native.name for native in BUILT_IN), *ARGUMENT_WORDS}
    defaults = _defaults(graph)
    taken = labels | {name for name in known if name not in OPS and name not in libraries}
    writer = Writer(graph, root, defaults, taken, frozenset(labels), _shared(graph, known | labels), model.host)
    _check_order(root, graph)
    lines = [f"## {line}".rstrip() for line in about]
    body = _model(model, writer, root)
    parts = ["\n".join(lines), _default_items(defaults), _shared_items(writer)]
    parts += [block.definition() for block in _called(writer, body)]
    parts.append(render(body))
    text, findings = format_file("\n".join(part for part in parts if part), "plain.det")
    if any(finding.level == "error" for finding in findings):
        raise Unwritable(f"the text does not read: {findings[0].message}")
    return text


def pruned_from(model: Model, spec: str) -> list[str]:
    """What the first comment of a pruned model's own spec says."""
    made = model.derivation
    if made is None:
        return []
    return [
        f"{model.name}: {made.origin} of {inert(spec)} with {made.share} of its channels, written out by detc.",
        "Its layers have the names that they had, so checkpoints of either spec fit the other.",
    ]


# ---- before the model -----------------------------------------------------------------------------------------------


def _defaults(graph: Graph) -> dict[str, dict[str, Any]]:
    """Arguments of batch norms that all have, other than usual: they are said once."""
    norms = [node.op for node in graph if node.op.name == "bn"]
    found = {}
    for argument in OPS["bn"].arguments:
        values = {getattr(op, argument.name) for op in norms}
        if len(values) == 1 and len(norms) > 1 and (value := values.pop()) != argument.default:
            found[argument.name] = value
    return {"bn": found} if found else {}


def _default_items(defaults: Mapping[str, Mapping[str, Any]]) -> str:
    return "".join(
        f"default {op} {{ {'  '.join(f'{name} = {literal(value)}' for name, value in values.items())} }}\n"
        for op, values in defaults.items()
    )


def _shared(graph: Graph, taken: set[str]) -> dict[str, str]:
    """A let for each layer with weights that several nodes use."""
    shared: dict[str, str] = {}
    for node in graph:
        if not node.owns_weights and node.op.params(graph.input_types(node)) and node.module not in shared:
            local = node.module.replace(".", "_")
            shared[node.module] = det_name(f"shared_{local}", taken | set(shared.values()))
    return shared


def _shared_items(writer: Writer) -> str:
    named, writer.shared = writer.shared, {}
    try:
        return "".join(
            f"let {name} = {render(writer.function(writer.graph[module]))}\n" for module, name in named.items()
        )
    finally:
        writer.shared = named


def _called(writer: Writer, body: Text) -> list[Block]:
    """The blocks that the model needs, each before those that use it, their parameters settled."""
    needed: dict[int, None] = {}

    def visit(text: Text) -> None:
        for piece in text:
            if isinstance(piece, Call) and id(piece.block) not in needed:
                visit(piece.block.text)
                needed[id(piece.block)] = None

    visit(body)
    called = [block for number in needed for block in writer.blocks if id(block) == number]
    for block in called:
        block.settle(frozenset((*writer.taken, *OPS)))
    return called


def _check_order(place: Place, graph: Graph) -> None:
    """Scopes run one after another: none begins before another has ended."""
    numbers = {node.name: number for number, node in enumerate(graph)}
    flat = [numbers[node.name] for node in place.nodes()]
    if flat != sorted(flat):
        raise Unwritable("its scopes run into each other")


# ---- the model ------------------------------------------------------------------------------------------------------


def _model(model: Model, writer: Writer, root: Place) -> Text:
    graph = model.graph
    pieces: list[Any] = [f"model {det_name(graph.name)} extends {model.kind} {{\n"]
    for node in graph.inputs:
        check_label(node.name, root)
        pieces.append(f"  input {node.name}: {_input(node)}\n")
    refs = Refs(writer, root, {node.name: node.name for node in graph.inputs})
    waiting = dict(graph.outputs)
    made = {node.name for node in graph.inputs}
    bound = set(made)

    def references() -> None:
        while waiting and (name := next(iter(waiting))) not in root.inner and made.issuperset(waiting[name]):
            nodes = waiting.pop(name)
            shown = ", ".join(render(refs(node).text) for node in nodes)
            pieces.append(f"  output {name} = {shown if len(nodes) == 1 else f'[{shown}]'}\n")

    references()
    for child in root.inner.values():
        check_label(child.name, root)
        if child.name in waiting:
            pieces += [f"  output {child.name} = ", *_output(child, waiting.pop(child.name), writer, refs).text, "\n"]
        else:
            pieces += [f"  let {child.name} = ", *writer.value(child, refs).text, "\n"]
        made.update(node.name for node in child.nodes())
        bound.add(child.name)
        references()
    if waiting:
        raise Unwritable(f"output `{next(iter(waiting))}` has the name of a layer that it is not")
    pieces += [f"  {_head(head, graph)}\n" for head in model.heads]
    return (*pieces, "}\n")


def _output(child: Place, nodes: tuple[str, ...], writer: Writer, refs: Refs) -> Fragment:
    """The value of an output that has layers of its own name."""
    if child.inner and is_numbered(child) and writer.rounds(child) is None:
        items = {writer.result(item): item for item in child.inner.values()}
        shown = [writer.value(items[name], refs) if name in items else refs(name) for name in nodes]
        if set(items) <= set(nodes):
            return Fragment(("[", *listed(shown), "]"))
    elif nodes == writer.exports(child)[:1]:
        return writer.value(child, refs)
    raise Unwritable(f"output `{child.name}` is more than the layers of that name")


def _input(node: Node) -> str:
    op = node.op
    assert isinstance(op, Input)
    options: dict[str, str] = {}
    for name, value in op.attributes().items():
        default = next(f.default for f in op.__dataclass_fields__.values() if f.name == name)
        if name not in ("shape", "dtype") and value != default:
            options[name] = value if name == "order" else literal(value)
    options.pop("scale", None)
    if op.order == "events":
        options = {"steps": options["steps"]} if "steps" in options else {}
        return f"{op.dtype}{literal(op.shape)}" + f" = events({_pairs(options)})"
    given = bool(op.mean or op.std)
    if op.scale != (1.0 if given else _SCALE):
        options["scale"] = "raw" if op.scale == 1.0 else literal(op.scale)
    options = {"order": op.order, **options}
    source = "frames" if "steps" in options else "camera"
    return f"{op.dtype}{literal(op.shape)} = {source}({_pairs(options)})"


def _pairs(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {text}" for name, text in options.items())


def _head(head: Head, graph: Graph) -> str:
    """Options that differ from the head's own defaults; what the compiler adds by itself is left out."""
    kind = HEADS[head.kind]
    shown = {
        key.name: head.options[key.name]
        for key in kind.schema.keys
        if key.name in head.options and head.options[key.name] != key.default
    }
    if kind.grid and "grid" in head.options and not graph[graph.outputs[head.on[0]][0]].type.is_map:
        shown["grid"] = head.options["grid"]
    options = "  ".join(f"{name} = {literal(value)}" for name, value in shown.items())
    return f"head {head.kind} on {', '.join(head.on)} {{ {options} }}"
