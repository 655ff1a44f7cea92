"""Findings for people: the message, the user's line, the line that states the limit, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import TextWrapper

from detc.diagnostics.finding import Finding
from detc.diagnostics.grouping import Group, group
from detc.diagnostics.span import Source, Span
from detc.diagnostics.visible import expand, visible

WIDTH, NARROWEST = 100, 40
"""Columns where no terminal says how many it has, and the fewest that text is wrapped to."""
LONGEST_LINE = 120
PLACES_SHOWN = 4
_COLORS = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "help": "1;32",
    "gutter": "34",
    "related": "36",
    "bold": "1",
}


def render(
    findings: Iterable[Finding],
    sources: Mapping[str, Source],
    color: bool = False,
    grouped: bool = True,
    width: int = WIDTH,
) -> str:
    """All findings, a blank line between two, each line ended. Equal ones are told once ("and 14 more") unless `grouped`
    is false. A span whose file is not among `sources` (by path) is named without its text. Messages and remedies are wrapped
    to `width` columns; lines of a source stay whole."""
    text = _Text(sources, color, width)
    groups = group(findings) if grouped else [Group(finding, ()) for finding in findings]
    return "\n".join(text.finding(g) for g in groups)


class _Text:
    def __init__(self, sources: Mapping[str, Source], color: bool, width: int) -> None:
        self.sources = sources
        self.color = color
        self.width = width
        self.lines: dict[str, list[str]] = {}

    def finding(self, group: Group) -> str:
        finding = group.first
        name = f"{finding.level}[{finding.code}]"
        message = _lines(finding.message, self.width, len(name) + 2)
        parts = [self._paint(finding.level, name) + self._paint("bold", f": {message}")]
        marks = [(related.span, "-", related.label, "related") for related in finding.related]
        if finding.span is not None:
            marks.insert(0, (finding.span, "^", finding.label, finding.level))
        gutter = max((len(str(span.line)) for span, *_ in marks), default=1)
        before: Span | None = None
        for span, sign, label, style in marks:
            parts += self._snippet(span, sign, label, style, gutter, before)
            before = span
        if group.others:
            parts.append(self._paint("note", _others(group)))
        if finding.help:
            parts.append(self._paint("help", "help") + f": {_lines(finding.help, self.width, 6, '      ')}")
        return "\n".join(parts) + "\n"

    def _snippet(self, span: Span, sign: str, label: str, style: str, gutter: int, before: Span | None) -> list[str]:
        """Arrow, source line and marks; only the marks if the line was shown just before."""
        line = self._line(span)
        label = visible(label)
        if line is None:
            return [self._arrow(span, gutter) + (f" ({label})" if label else "")]
        shown, start, end = _window(line, span)
        marks = self._paint(style, f"{sign * max(1, end - start)} {label}".rstrip())
        margin = self._paint("gutter", f"{' ' * gutter} |")
        out = [f"{margin} {' ' * start}{marks}"]
        if before is None or (before.file, before.line) != (span.file, span.line):
            number = self._paint("gutter", f"{span.line:>{gutter}} |")
            out = [self._arrow(span, gutter), f"{number} {shown}".rstrip(), *out]
        return out

    def _arrow(self, span: Span, gutter: int) -> str:
        return " " * gutter + self._paint("gutter", "-->") + f" {visible(str(span))}"

    def _line(self, span: Span) -> str | None:
        source = self.sources.get(span.file)
        if source is None:
            return None
        lines = self.lines.setdefault(span.file, source.text.split("\n"))
        return lines[span.line - 1].rstrip("\r") if span.line <= len(lines) else None

    def _paint(self, style: str, text: str) -> str:
        return f"\033[{_COLORS[style]}m{text}\033[0m" if self.color else text


def _window(line: str, span: Span) -> tuple[str, int, int]:
    """What to show of the line (all of it, or a window on the span where it is long), and the display columns of the marks."""
    first = min(span.column - 1, len(line))
    last = min(span.end_column - 1, len(line)) if span.end_line == span.line else len(line)
    last = max(first, last)
    cut = max(0, min(first - LONGEST_LINE // 3, len(line) - LONGEST_LINE)) if len(line) > LONGEST_LINE else 0
    piece = line[cut : cut + LONGEST_LINE]
    shown, columns = expand(piece)
    start, end = columns[min(first - cut, len(piece))], columns[min(last - cut, len(piece))]
    if cut:
        shown, start, end = f"...{shown}", start + 3, end + 3
    if cut + LONGEST_LINE < len(line):
        shown += "..."
    return shown, start, end


def _others(group: Group) -> str:
    """`and 14 more: a.det:24:5, a.det:26:5, ...`"""
    places = list(dict.fromkeys(str(span) for span in group.others if span is not None and span != group.first.span))
    shown = ", ".join(visible(place) for place in places[:PLACES_SHOWN])
    if not shown:
        return f"and {len(group.others)} more here"
    return f"and {len(group.others)} more: {shown}{', ...' if len(places) > PLACES_SHOWN else ''}"


def _lines(text: str, width: int, taken: int, indent: str = "  ") -> str:
    """Text with line ends of ours, made visible line by line and wrapped; of the first line so many columns are taken."""
    lines: list[str] = []
    for line in text.split("\n"):
        first = " " * taken if not lines else indent
        lines += _wrapper(width, first, indent).wrap(visible(line)) or [indent]
    return "\n".join(lines)[taken:]


def _wrapper(width: int, first: str, indent: str) -> TextWrapper:
    return TextWrapper(
        max(width, NARROWEST),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )
