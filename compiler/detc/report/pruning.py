"""The widths of a pruned net as a table: what hangs together, how wide it was and is, and why some of it stays."""

from __future__ import annotations

from collections.abc import Sequence

from detc.report.ansi import Terminal, table
from detc.semantics.pruning import Group

SHOWN = 4
"""Layers of a group that are named."""


def groups_table(groups: Sequence[Group], terminal: Terminal) -> str:
    """A line a group, in the order of the net."""
    rows = [[str(group.before), str(group.after), _layers(group.layers), group.kept] for group in groups]
    return "\n".join(table(("before", "after", "layers", "kept"), rows, (True, True, False, False), terminal))


def _layers(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
