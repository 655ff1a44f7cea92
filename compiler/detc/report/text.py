"""The report for a terminal: the verdict first, then budget bars, then tables, then what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detc.diagnostics import Finding, has_errors
from detc.diagnostics.render_text import render as render_findings
from detc.diagnostics.visible import visible
from detc.report.ansi import Terminal, table
from detc.report.figures import amount, count, short
from detc.report.layers import layer_table
from detc.report.subject import Compilation
from detc.report.tables import cells
from detc.report.timeline import timeline_text

BAR = 24
ESTIMATE = "_est"
"""How names of metrics end that are estimates."""
ROUGH = 10
"""An estimate of so much or more is told without decimals."""


def report_text(
    compilation: Compilation,
    terminal: Terminal,
    *,
    tables: bool = True,
    quiet: bool = False,
    full: bool = False,
    strict: bool = False,
) -> str:
    """The whole report; `quiet` leaves the verdict and the errors, `tables=False` leaves out layers and groups.

    `full` tells equal findings one by one; under `strict` a warning counts as an error.
    """
    grave = ("error", "warning") if strict else ("error",)
    findings = [f for f in compilation.findings if not quiet or f.level in grave]
    parts = [verdict(compilation, terminal, strict)]
    if not quiet:
        parts += [bars(compilation, terminal), facts(compilation, terminal)]
        if tables:
            parts += [group_table(compilation, terminal), layers(compilation, terminal)]
            parts += [target_table(entry, terminal) for entry in compilation.tables]
            parts.append(timeline_text(compilation.timeline, terminal))
    if findings:
        text = render_findings(findings, compilation.program.sources, terminal.color, not full, terminal.width)
        parts.append(text.rstrip("\n"))
    return "\n\n".join(part for part in parts if part) + "\n"


def tally(findings: tuple[Finding, ...]) -> str:
    """`2 errors, 1 warning`"""
    counts = {level: sum(f.level == level for f in findings) for level in ("error", "warning", "note")}
    return ", ".join(f"{n} {level}{'s' if n > 1 else ''}" for level, n in counts.items() if n)


def verdict(compilation: Compilation, terminal: Terminal, strict: bool = False) -> str:
    name, target, fits = visible(compilation.program.name), compilation.target, compilation.fits
    if target and (fits or compilation.refused):
        said = f"{name} {'fits' if fits else 'does not fit'} {target}"
    elif target and compilation.limits:
        said = f"{name} has mistakes; as far as it could be read, {target} would hold it"
    elif target:
        said = f"{name} has mistakes, so {target} could not judge it"
    else:
        said = f"{name} {'is sound' if fits else 'has mistakes'}"
    passes = not has_errors(compilation.findings, strict)
    if fits and not passes:
        said += ", but --strict lets no warning pass"
    line = f"{terminal.sign(passes)} {said}"
    found = tally(compilation.findings)
    return terminal.paint(line, "bold", "green" if passes else "red") + (f"  ({found})" if found else "")


def bars(compilation: Compilation, terminal: Terminal) -> str:
    return "\n".join(_bar(entry, terminal) for entry in compilation.limits)


def _bar(entry: dict[str, Any], terminal: Terminal) -> str:
    used, limit = entry["used"], entry["limit"]
    share = used / limit if limit else float(used > 0)
    cells = min(BAR, round(share * BAR)) if share <= 1 else BAR
    full, empty = terminal.bar
    colour = "red" if share > 1 else "yellow" if share > 0.9 else "green"
    drawn = terminal.paint(full * cells, colour) + terminal.paint(empty * (BAR - cells), "dim")
    said = f"{amount(used, entry['unit'])} of {amount(limit, entry['unit'])}"
    notes = (
        [f"{share:.0%}"] + ["soft limit"] * bool(entry.get("soft")) + ["no source yet"] * bool(entry.get("placeholder"))
    )
    return f"  {entry['name'].replace('_', ' '):<18} {drawn}  {said:<24} {terminal.paint(', '.join(notes), 'dim')}"


def facts(compilation: Compilation, terminal: Terminal) -> str:
    """The metrics on one or two lines, and what was changed from outside."""
    figures = compilation.metrics
    if not figures:
        return ""
    shown = [f"{count(figures['params'])} parameters", f"{short(figures['macs'])} multiplications a picture"]
    shown += [
        f"{title_of(name, compilation)} {said_of(name, compilation)}"
        for name, value in figures.items()
        if name not in ("params", "macs") and value != ""
    ]
    lines = ["  " + line for line in _wrapped(shown, terminal.width - 4)]
    if compilation.placeholders:
        count_ = compilation.placeholders
        lines.append(
            f"  {count_} fact{'s' if count_ > 1 else ''} of the target {'have' if count_ > 1 else 'has'} no source yet"
        )
    if compilation.program.overrides:
        changed = ", ".join(f"{s.name} = {visible(str(s.value))}" for s in compilation.program.overrides)
        lines.append(terminal.paint(f"  set from outside: {changed}", "cyan"))
    return "\n".join(lines)


def title_of(metric: str, compilation: Compilation) -> str:
    """What a metric is called on paper: the target's word for it, else its name."""
    plain = {"params": "parameters", "macs": "multiplications a picture"}
    return compilation.titles.get(metric) or plain.get(metric) or metric.removesuffix("_bytes").replace("_", " ")


def said_of(metric: str, compilation: Compilation) -> str:
    """A metric with its unit; an estimate as `~281.9 KiB ±10 %`, or `~281.9 KiB` where nobody knows its error."""
    value = compilation.metrics[metric]
    if not isinstance(value, int | float):
        return str(value)
    in_bytes = compilation.units.get(metric) == "B" or metric.endswith("_bytes")
    error = compilation.errors.get(metric)
    if error and not in_bytes and value >= ROUGH:
        value = round(value)
    said = amount(value, "B" if in_bytes else compilation.units.get(metric, ""))
    if error:
        return f"~{said} ±{error:.0%}"
    return f"~{said if in_bytes else short(value)}" if metric.endswith(ESTIMATE) else said


def _wrapped(items: list[str], width: int) -> Iterator[str]:
    line = ""
    for item in items:
        if line and len(line) + len(item) + 2 > width:
            yield line
            line = item
        else:
            line = f"{line}, {item}" if line else item
    if line:
        yield line


def group_table(compilation: Compilation, terminal: Terminal) -> str:
    if not compilation.groups:
        return ""
    rows = [
        [g["name"], g["about"], str(len(g["layers"])), g["layers"][0]["name"], g["layers"][-1]["name"], g["why"]]
        for g in compilation.groups
    ]
    head = ["part", "what", "layers", "from", "to", "why it starts there"]
    return "\n".join(table(head, rows, [False, False, True, False, False, False], terminal))


def target_table(entry: dict[str, Any], terminal: Terminal) -> str:
    """A table of the target's own under its title."""
    titles, rows, numeric = cells(entry)
    return "\n".join([f"  {entry['title']}", *table(titles, rows, numeric, terminal)])


def layers(compilation: Compilation, terminal: Terminal) -> str:
    if not compilation.layers:
        return ""
    titles, rows, numeric = layer_table(compilation.layers)
    return "\n".join(table(titles, rows, numeric, terminal))
