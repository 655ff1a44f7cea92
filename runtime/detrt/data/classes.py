"""Class names of a data set: as the spec lists them, or one a line from a `classes_file`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from detrt.data.root import printable, read_label_text, require_beneath
from detrt.errors import DetrtError


def read_classes(root: Path, classes: Sequence[str] | None, classes_file: str | None) -> tuple[str, ...] | None:
    """The names in their order, or None where the spec gives neither. Raises DetrtError for an empty or repeating
    list.
    """
    if classes is not None:
        names, place = list(classes), "classes"
    elif classes_file:
        path = require_beneath(root, classes_file, "the classes file")
        names, place = (
            [printable(line.strip()) for line in read_label_text(path, "classes file").splitlines() if line.strip()],
            str(path),
        )
    else:
        return None
    if not names:
        raise DetrtError("the list of classes is empty", place)
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise DetrtError(f"class `{twice}` is listed twice", place)
    return tuple(names)


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean ...?` for a name that is close to a known one, else nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean `{close[0]}`?" if close else ""
