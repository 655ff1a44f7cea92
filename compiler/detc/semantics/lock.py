"""`spec.lock.json`: the resolved spec as plain data, and the graph read back from it. The format is described in ir/lock.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import detc
from detc.diagnostics import Span
from detc.ir.graph import Graph, Node
from detc.ir.text import op_from, plain
from detc.ir.types import TensorType
from detc.semantics.gates import gate_json
from detc.semantics.program import Derivation, Head, Model, Program, Section, Target
from detc.semantics.values import Range

SCHEMA = 1


def lock_of(
    program: Program,
    model: Model,
    graph: Graph,
    target: Target | None,
    plan: dict[str, Any] | None,
    class_names: Mapping[str, str] | None = None,
    plain_specs: Mapping[str, str] | None = None,
    plans: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The lock of `model` with `graph` (as the passes left it) for `target` and its `plan`: plain JSON values, no time stamps.
    `plans` are those of other models by name.

    `class_names` are the classes that model.py has for the models; a model that it lacks is named after the spec (the one that is
    built) or after itself. `plain_specs` are the texts of derived models as specs of their own.
    """
    others = {name: other for name, other in program.models.items() if other is not model and name != model.name}
    specs = plain_specs or {}
    names = {model.name: camel(program.name), **{name: camel(name) for name in others}, **(class_names or {})}
    gates = [*program.gates, *(gate for deploy in program.deploys for gate in deploy.gates)]
    lock = {
        "schema": SCHEMA,
        "detc": detc.__version__,
        "spec": {
            "name": program.name,
            "file": PurePath(program.file).name,
            "sha256": spec_hash(program),
            "params": {name: setting.value for name, setting in program.params.items()},
            "overrides": {setting.name: setting.value for setting in program.overrides},
        },
        "model": {**_model(program, model, graph, target, names[model.name]), **_derived(model, specs)},
        "models": {
            name: {**_model(program, m, m.graph, target, names[name]), **_derived(m, specs)}
            for name, m in others.items()
            if m.graph.inputs
        },
        "data": {name: {"format": data.format, **data.options} for name, data in program.data.items()},
        "stages": [stage.options for stage in program.stages],
        "target": _target(target) if target else None,
        "plan": plan,
        "plans": dict(plans or {}),
        "gates": [gate_json(gate) for gate in gates],
    }
    return _portable(lock, program)  # type: ignore[no-any-return]


def program_graph_from_lock(lock: Mapping[str, Any], model: str | None = None) -> Graph:
    """The graph of the lock's model (or of the one named): nodes, outputs and spans as they were, scopes left out.

    KeyError, TypeError or ValueError where the mapping is no lock of schema 1.
    """
    if lock["schema"] != SCHEMA:
        raise ValueError(f"a lock of schema {lock['schema']!r}; this is {SCHEMA}")
    stored = lock["model"] if model in (None, lock["model"]["name"]) else lock["models"][model]
    graph = Graph(stored["name"], {name: tuple(nodes) for name, nodes in stored["outputs"].items()})
    for node in stored["nodes"]:
        span = node["span"]
        graph.add(
            Node(
                name=node["name"],
                op=op_from(node["op"], node["attributes"]),
                inputs=tuple(node["inputs"]),
                type=TensorType(tuple(node["shape"]), node["dtype"]),
                span=Span(**span) if span else None,
                scope=node["scope"],
                module="" if node["module"] == node["name"] else node["module"],
            )
        )
    return graph


def spec_hash(program: Program) -> str:
    """sha256 of the spec's text, and of the texts of the user's files that it uses after it."""
    own = [source.text for path, source in program.sources.items() if path == program.file]
    folder = str(Path(program.file).parent)
    used = [
        s.text for path, s in sorted(program.sources.items()) if path != program.file and path.startswith(folder + "/")
    ]
    return hashlib.sha256("".join([*own, *used]).encode()).hexdigest()


def camel(name: str) -> str:
    """`gnetdet_224` as Gnetdet224."""
    word = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    return word if word[:1].isalpha() else f"Model{word}"


# ---- parts ----------------------------------------------------------------------------------------------------------


def _model(program: Program, model: Model, graph: Graph, target: Target | None, class_name: str) -> dict[str, Any]:
    return {
        "name": model.name,
        "class": class_name,
        "kind": model.kind,
        "input": _input(graph, target),
        "nodes": [_node(node) for node in graph],
        "outputs": {name: list(nodes) for name, nodes in graph.outputs.items()},
        "heads": [
            {"kind": head.kind, "on": list(head.on), "options": {**head.options, **_names(program, model, head)}}
            for head in model.heads
        ],
    }


def _derived(model: Model, specs: Mapping[str, str]) -> dict[str, Any]:
    """How a pruned model came about; nothing for a model of its own."""
    return {"derived": derived_json(model.derivation, specs.get(model.name))} if model.derivation else {}


def derived_json(made: Derivation, spec: str | None) -> dict[str, Any]:
    """The plan of a pruned model as plain JSON; `spec` is its text as a spec of its own."""
    groups = [
        {"layers": list(group.layers), "before": group.before, "after": group.after, "kept": group.kept}
        for group in made.groups
    ]
    axes = [
        {"tensor": axis.tensor, "axis": axis.axis, "groups": axis.groups, "before": axis.before, "after": axis.after}
        for axis in made.axes
    ]
    share = float(made.share)
    plan = {"from": made.origin, "share": share, "multiple": made.multiple, "groups": groups, "axes": axes}
    return {**plan, "spec": spec}


def _node(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op.name,
        "attributes": {key: plain(value) for key, value in node.op.attributes().items()},
        "inputs": list(node.inputs),
        "shape": list(node.type.shape),
        "dtype": node.type.dtype,
        "module": node.module or node.name,
        "scope": node.scope,
        "span": node.span.as_json() if node.span else None,
    }


def _input(graph: Graph, target: Target | None) -> dict[str, Any]:
    """The model's input; a target with an input step of its own (`type input { encoding = u5 }`) names its encoding."""
    node = graph.inputs[0]
    op: Any = node.op
    encoding: dict[str, Any] = {"kind": _encoding(target)}
    if encoding["kind"] == "affine":
        channels = node.type.channels
        mean, std = ([float(v) for v in values] for values in (op.mean or [0.0] * channels, op.std or [1.0] * channels))
        encoding |= {"mean": mean, "std": std, "scale": float(op.scale), "offset": float(op.offset)}
    return {
        "name": node.name,
        "shape": list(node.type.shape),
        "dtype": node.type.dtype,
        "order": op.order,
        "steps": op.steps,
        "resize": {"mode": op.resize, "interpolation": op.interpolation, "pad": op.pad, "place": op.place},
        "encoding": encoding,
    }


def _encoding(target: Target | None) -> str:
    section = target.root.find("type", "input") if target else None
    fact = section.facts.get("encoding") if section else None
    return str(fact.value) if fact else "affine"


def _names(program: Program, model: Model, head: Head) -> dict[str, Any]:
    """Class names of a head that names none itself: those of the data its stages learn from, where their number fits."""
    if head.options.get("names") is not None or "classes" not in head.options:
        return {}
    for stage in program.stages:
        data = program.data.get(stage.options["data"]) if stage.model == model.name else None
        classes = data.options["classes"] if data else None
        if classes is not None and len(classes) == head.options["classes"]:
            return {"names": list(classes)}
    return {}


def _target(target: Target) -> dict[str, Any]:
    facts = dict(_facts(target.root, ""))
    facts.update({f"param.{name}": setting.value for name, setting in target.params.items()})
    return {"name": target.name, "lineage": list(target.lineage), "facts": facts}


def _facts(section: Section, path: str) -> Iterator[tuple[str, Any]]:
    """Every fact by its dotted place: `type.activation.cap`, `limits.majors`, `vendor`."""
    for fact in section.facts.values():
        yield f"{path}{fact.name}", _fact_value(fact.value)
    for inner in section.sections:
        label = f".{inner.label}" if inner.label else ""
        yield from _facts(inner, f"{path}{inner.kind}{label}.")


def _fact_value(value: Any) -> Any:
    if isinstance(value, Range):
        return {"from": value.low, "to": value.high}
    return [_fact_value(item) for item in value] if isinstance(value, tuple) else value


def _portable(value: Any, program: Program) -> Any:
    """The value with the files of all spans relative to the spec's folder: a build does not depend on where it is made."""
    if isinstance(value, dict):
        if value.keys() == _SPAN_KEYS:
            return {**value, "file": _relative(value["file"], program)}
        return {key: _portable(entry, program) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(entry, program) for entry in value]
    return value


_SPAN_KEYS = Span("", 1, 1, 1, 1).as_json().keys()


def _relative(file: str, program: Program) -> str:
    path, folder = PurePath(file), PurePath(program.file).parent
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else file
