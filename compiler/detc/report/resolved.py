"""The resolved spec as text: params, models, data, stages, deploys, each value with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from detc.diagnostics.visible import visible
from detc.report.ansi import Terminal
from detc.report.figures import count
from detc.report.subject import Compilation
from detc.semantics.program import Model, Setting


def resolved_text(compilation: Compilation, terminal: Terminal) -> str:
    """All sections that the spec has, in the order in which a reader asks for them."""
    program = compilation.program
    sections: list[tuple[str, list[str]]] = [("params", _settings(program.params.values(), terminal))]
    sections += [(f"model {m.name}", list(_model(m, terminal))) for m in program.models.values()]
    sections += [
        (f"data {d.name}  ({d.format})", _settings(program.settings.get(f"data.{d.name}", ()), terminal))
        for d in program.data.values()
    ]
    for stage in program.stages:
        title = f"stage {stage.train}.{stage.name}  ({stage.kind} {stage.model})"
        sections.append((title, _settings(stage.settings, terminal)))
    for deploy in program.deploys:
        lines = _settings(program.settings.get(f"deploy.{deploy.name}", ()), terminal)
        gates = [f"  require {gate.text}" for gate in deploy.gates]
        sections.append((f"deploy {deploy.name} on {deploy.target}", lines + gates))
    if program.target is not None:
        about = [
            f"  {' < '.join(program.target.lineage)}",
            f"  without a source: {len(program.target.placeholders())} of its facts",
        ]
        sections.append((f"target {program.target.name}", about + _settings(program.target.params.values(), terminal)))
    if program.overrides:
        sections.append(("set from outside", _settings(program.overrides, terminal)))
    written = (terminal.paint(title, "bold") + "\n" + "\n".join(lines) for title, lines in sections if lines)
    return "\n\n".join([terminal.paint(visible(f"{program.name}  ({program.file})"), "bold", "cyan"), *written]) + "\n"


def _settings(settings: Iterable[Setting], terminal: Terminal) -> list[str]:
    """`name = value` with its origin; defaults are dim, overrides stand out."""
    entries = [(s.name, value_text(s.value), s) for s in settings]
    name_width = max((len(name) for name, _, _ in entries), default=0)
    value_width = min(48, max((len(value) for _, value, _ in entries), default=0))
    lines = []
    for name, value, setting in entries:
        origin = setting.origin + (f"  {setting.span}" if setting.span and setting.origin == "spec" else "")
        line = f"  {name:<{name_width}} = {value:<{value_width}}  {terminal.paint(origin, 'dim')}"
        lines.append(terminal.paint(line, "cyan") if setting.origin == "--set" else line)
    return lines


def _model(model: Model, terminal: Terminal) -> Iterator[str]:
    graph = model.graph
    for node in graph.inputs:
        yield f"  input {node.name}: {node.type}"
    for name, nodes in graph.outputs.items():
        yield f"  output {name}: {', '.join(str(graph[n].type) for n in nodes)}"
    for head in model.heads:
        options = ", ".join(f"{key} = {value_text(value)}" for key, value in head.options.items())
        yield f"  head {head.kind} on {', '.join(head.on)}: {options}"
    if model.host:
        yield f"  on the host: {', '.join(sorted(model.host))}"
    yield f"  {len(graph)} nodes, {count(graph.params())} parameters, {count(graph.macs())} multiplications a picture"


def value_text(value: Any) -> str:
    """A value as a spec would spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = ", ".join(f"{k} = {value_text(v)}" for k, v in value.items() if k != "name")
        return f"{value['name']}({inner})" if "name" in value else f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value)
