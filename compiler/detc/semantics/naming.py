"""Names for the nodes and scopes of a finished model: the same in reports, in generated modules, in state_dict keys.

A let or output with one layer gives it its own name, with several it becomes a pipeline whose stages are named by op or block and
ordinal: `p4.convs1`, `p4.maxpool1`. Repetitions and lists number theirs from 0.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from detc.ir.graph import Graph, Node, Scope
from detc.semantics.build import Builder, Made, Place
from detc.semantics.layers import FUNCTIONS
from detc.semantics.values import Value, as_tensor, plain, tensors_in

_RESERVED = """T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
    named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
    state_dict to to_empty train training type xpu zero_grad self torch nn"""
MODULE_ATTRIBUTES = frozenset(_RESERVED.split())
"""Attributes of torch's nn.Module, and names that its methods use; a submodule of such a name would break them."""


def attribute_name(name: str) -> str:
    """A name of the spec as an attribute of a generated module."""
    taken = keyword.iskeyword(name) or name in MODULE_ATTRIBUTES or name.startswith("_")
    return f"{name.lstrip('_') or 'x'}_" if taken else name


def ordinal(base: str, number: int) -> str:
    """`conv1`; `relu6_1` where the word itself ends in a digit."""
    return f"{base}_{number}" if base[-1:].isdigit() else f"{base}{number}"


def finished(builder: Builder, outputs: dict[str, Value]) -> Graph:
    """The graph of all that was built, with names, scopes and outputs."""
    builder.root.label = ""
    _name_children(builder.root, "")
    graph = Graph(builder.name, {name: tuple(t.name for t in tensors_in(value)) for name, value in outputs.items()})
    for made in builder.nodes:
        graph.add(
            Node(
                name=made.path,
                op=made.op,
                inputs=tuple(i.path for i in made.inputs),
                type=made.type,
                span=made.span,
                scope=made.parent.path,
                module=made.module.path if made.module else "",
                via=made.via,
                arguments=tuple(made.arguments.items()),
            )
        )
    entering = _entering(builder)
    for place in _places(builder.root):
        scope = _as_scope(place, entering.get(place.path, ()), builder)
        graph.scopes[scope.path] = scope
    return graph


# ---- names ----------------------------------------------------------------------------------------------------------


def _name_children(place: Place, path: str) -> None:
    place.path = path
    place.children = [_collapsed(child, place) for child in place.children]
    counts: dict[str, int] = {}
    used: set[str] = set()
    for number, child in enumerate(place.children):
        if place.kind in ("repeat", "list"):
            local = str(number)
        elif child.label:
            local = attribute_name(child.label)
        else:
            base = child.base.rpartition(".")[2]
            counts[base] = counts.get(base, 0) + 1
            local = ordinal(base, counts[base])
        while local in used:
            local += "_"
        used.add(local)
        child_path = f"{path}.{local}" if path else local
        if isinstance(child, Made):
            child.path = child_path
        else:
            _name_children(child, child_path)


def _collapsed(child: Place | Made, parent: Place) -> Place | Made:
    """A let or an item that holds one thing is that thing; a let of lists only is one list."""
    while isinstance(child, Place) and child.kind in ("let", "item"):
        if len(child.children) == 1:
            inner = child.children[0]
            inner.label = child.label
            inner.parent = parent
            if isinstance(inner, Place):
                inner.doc = inner.doc or child.doc
            child = inner
            continue
        if all(isinstance(c, Place) and c.kind == "list" for c in child.children):
            lists, child.kind = child.children, "list"
            child.children = [item for one in lists for item in one.children]
            for item in child.children:
                item.parent = child
        else:
            child.kind = "pipeline"
    return child


# ---- scopes ---------------------------------------------------------------------------------------------------------


def _places(place: Place) -> Iterator[Place]:
    yield place
    for child in place.children:
        if isinstance(child, Place):
            yield from _places(child)


def _entering(builder: Builder) -> dict[str, dict[str, None]]:
    """For each scope the outside nodes that its nodes read, in the order in which they are first read."""
    entering: dict[str, dict[str, None]] = {}
    for made in builder.nodes:
        for source in made.inputs:
            place: Place | None = made.parent
            while place is not None and place.path and not source.path.startswith(place.path + "."):
                entering.setdefault(place.path, {})[source.path] = None
                place = place.parent
    return entering


def _as_scope(place: Place, entering: Any, builder: Builder) -> Scope:
    words = dict(reversed([(t.name, word) for t, word in zip(place.inputs, place.input_names, strict=True)]))
    inputs = dict.fromkeys(tensor.name for tensor in place.inputs)
    inputs.update(dict.fromkeys(entering))
    outputs = [pair for name, value in place.members.items() for pair in _output(name, value)]
    outputs += _output("", place.value)
    return Scope(
        path=place.path,
        kind=place.kind,
        block=place.block,
        params=tuple((name, _param(value, builder)) for name, value in place.params),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        children=tuple(child.path for child in place.children),
        span=place.span,
        call=place.call,
        doc=place.doc,
        input_names=tuple(words[name] for name in inputs if name in words),
    )


def _output(name: str, value: Value) -> list[tuple[str, str]]:
    """(name, node) of a tensor, (name.0, node) .. of a list of them, nothing of other values."""
    tensor = as_tensor(value)
    if tensor is not None:
        return [(name, tensor.name)]
    if isinstance(value, (list, tuple)):
        dot = "." if name else ""
        return [pair for i, item in enumerate(value) for pair in _output(f"{name}{dot}{i}", item)]
    return []


def _param(value: Value, builder: Builder) -> Any:
    """An argument as plain data that does not change: functions as their source text, lists as tuples."""
    if isinstance(value, FUNCTIONS):
        return builder.context.text(value.span) or value.name
    return _fixed(plain(value))


def _fixed(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_fixed(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _fixed(item)) for key, item in value.items())
    return value
