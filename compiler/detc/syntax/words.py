"""The words of the language, which cannot be names."""

from __future__ import annotations

RESERVED = frozenset(
    {
        "and", "as", "else", "extends", "false", "for", "if", "in", "none", "not", "on", "or", "require", "then", "true",
        "use", "where",
    }
)  # fmt: skip
