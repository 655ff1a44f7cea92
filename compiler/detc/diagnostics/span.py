"""Where something stands in a source file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A text file as it was read: `path` is what a user is shown, `text` what was parsed."""

    path: str
    text: str

    def line(self, number: int) -> str:
        """The text of 1-based line `number` without its line end; empty past the last line."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 1 <= number <= len(lines) else ""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of text. Lines and columns count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def to(self, other: Span) -> Span:
        """The stretch from the start of this span to the end of `other` (same file)."""
        return Span(self.file, self.line, self.column, other.end_line, other.end_column)

    def as_json(self) -> dict[str, str | int]:
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }


@dataclass(frozen=True, slots=True, order=True)
class OperatorSpan(Span):
    """An operator of another tool's network: `line` is its number in the file, counted from 1; columns are those of a listing
    of the operators, one a line."""

    def __str__(self) -> str:
        return f"{self.file}, operator {self.line}"
