"""Data sets written to disk in the formats that can hold boxes; `write_set` is what commands call."""

from detrt.data.writing.tree import FORMS, write_set

__all__ = ["FORMS", "write_set"]
