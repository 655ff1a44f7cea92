"""The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detc.diagnostics import Finding, Source, Span
from detc.report.figures import amount, count, short, size
from detc.report.layers import layer_table
from detc.report.picture import net_picture
from detc.report.subject import Compilation
from detc.report.tables import cells
from detc.report.text import ESTIMATE, said_of, tally, title_of
from detc.report.timeline import timeline_svg

TEMPLATE = Path(__file__).with_name("page.html.jinja")


def report_html(compilation: Compilation) -> str:
    """The page. Every text of the spec is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    titles, rows, numeric = layer_table(compilation.layers)
    program = compilation.program
    text: str = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=program.name,
        doc=_headline(compilation),
        file=program.file,
        target=compilation.target,
        fits=compilation.fits,
        refused=compilation.refused,
        verdict=_verdict(compilation),
        tally=tally(compilation.findings) or "no findings",
        figures=_figures(compilation),
        bars=[_bar(entry) for entry in compilation.limits],
        picture=Markup(net_picture(compilation)),
        timeline=Markup(timeline_svg(compilation.timeline)),
        peak=_peak(compilation),
        groups=compilation.groups,
        tables=[(entry["title"], *cells(entry)) for entry in compilation.tables],
        titles=titles,
        rows=rows,
        numeric=numeric,
        findings=[_finding(f, program.sources) for f in _grouped(compilation.findings)],
        overrides=[(s.name, s.value, s.span) for s in program.overrides],
        placeholders=compilation.placeholders,
    )
    return text


def _verdict(compilation: Compilation) -> str:
    if compilation.fits:
        return "fits" if compilation.target else "sound"
    return "does not fit" if compilation.target and compilation.refused else "has mistakes"


def _figures(compilation: Compilation) -> list[tuple[str, str, str]]:
    """(title, short figure, exact figure)"""
    shown = []
    for name, value in compilation.metrics.items():
        if isinstance(value, int | float):
            in_bytes = name.endswith("_bytes") or compilation.units.get(name) == "B"
            exact = f"{count(value)} bytes" if in_bytes else count(value)
            told = in_bytes or name in compilation.units or name in compilation.errors
            said = said_of(name, compilation) if told else f"{'~' * name.endswith(ESTIMATE)}{short(value)}"
            shown.append((title_of(name, compilation), said, exact))
        elif value:
            shown.append((title_of(name, compilation), str(value), str(value)))
    return shown


def _peak(compilation: Compilation) -> tuple[str, str, list[tuple[str, str, str]]] | None:
    """(step, bytes, (name, kind, bytes) of all that is alive) where the memory is fullest."""
    timeline = compilation.timeline
    if timeline is None or not timeline.moments:
        return None
    name, need = timeline.moments[timeline.peak]
    return name, size(need), [(p.name, p.kind, size(p.bytes)) for p in timeline.alive(timeline.peak)]


def _headline(compilation: Compilation) -> str:
    """What the spec says of itself: the model's doc, else the first `##` line of its file."""
    if compilation.model and compilation.model.doc:
        return compilation.model.doc
    source = compilation.program.sources.get(compilation.program.file)
    lines = source.text.split("\n", 20) if source else []
    return next((line.removeprefix("##").strip() for line in lines if line.startswith("##")), "")


def _bar(entry: dict[str, Any]) -> dict[str, Any]:
    share = entry["used"] / entry["limit"] if entry["limit"] else float(entry["used"] > 0)
    return {
        "name": entry["name"].replace("_", " "),
        "said": f"{amount(entry['used'], entry['unit'])} of {amount(entry['limit'], entry['unit'])}",
        "width": f"{min(share, 1) * 100:.1f}",
        "share": f"{share:.0%}",
        "level": "over" if share > 1 else "near" if share > 0.9 else "good",
        "soft": bool(entry.get("soft")),
        "source": entry.get("source") or ("no source yet" if entry.get("placeholder") else ""),
    }


def _grouped(findings: tuple[Finding, ...]) -> list[tuple[Finding, int]]:
    """Findings of one code at one place together: the first, and how many more there are."""
    groups: dict[tuple[str, Span | None], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.span), []).append(finding)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(((g[0], len(g) - 1) for g in groups.values()), key=lambda entry: order[entry[0].level])


def _finding(entry: tuple[Finding, int], sources: Any) -> dict[str, Any]:
    finding, more = entry
    places = [(finding.span, finding.label)] if finding.span else []
    places += [(related.span, related.label) for related in finding.related]
    return {
        "code": finding.code,
        "level": finding.level,
        "message": finding.message,
        "help": finding.help,
        "more": more,
        "places": [_place(span, label, sources.get(span.file)) for span, label in places],
    }


def _place(span: Span, label: str, source: Source | None) -> dict[str, Any]:
    line = source.line(span.line) if source else ""
    stop = span.end_column - 1 if span.end_line == span.line else len(line)
    start = span.column - 1
    return {
        "at": str(span),
        "line": span.line,
        "before": line[:start],
        "marked": line[start:stop],
        "after": line[stop:],
        "label": label,
    }
