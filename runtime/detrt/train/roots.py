"""Where relative data roots of a lock are looked for."""

from __future__ import annotations

from pathlib import Path


def data_bases(data_root: Path | None, lock_path: Path) -> list[Path]:
    """Folders from which a relative data root is tried, in order: the given one alone; else where we are, and those
    above the lock.

    A build folder stands two levels below the spec, and data roots are relative to the spec.
    """
    if data_root is not None:
        return [data_root]
    above = lock_path.resolve().parent
    return [Path.cwd(), above, above.parent, above.parent.parent]
