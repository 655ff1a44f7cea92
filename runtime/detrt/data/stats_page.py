"""The counts of a data set as a page, a picture or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from detrt.bars import stacked_charts
from detrt.data.stats import Stats
from detrt.errors import DetrtError
from detrt.files import write_json, write_png, write_text

_CSS = """
body { margin:32px auto; max-width:720px; padding:0 20px; font:15px/1.5 system-ui,sans-serif; color:#1c2430 }
@media (prefers-color-scheme: dark) { body { background:#12161d; color:#e7ebf2 } }
svg { width:100%; height:auto; margin:18px 0 }
"""


def write_stats(path: Path, stats: Sequence[Stats], title: str) -> None:
    """Writes `.html`, `.png` or `.json`, as the name ends. Raises DetrtError for another ending."""
    if path.suffix == ".json":
        write_json(path, {"schema": 1, "splits": [one.as_dict() for one in stats]})
    elif path.suffix == ".png":
        write_png(path, stacked_charts([chart for one in stats for chart in one.charts]))
    elif path.suffix in (".html", ".htm"):
        write_text(path, _page(stats, title))
    else:
        raise DetrtError(
            f"no way to write counts as `{path.suffix or path.name}`", path, "end the name in .html, .png or .json"
        )


def _page(stats: Sequence[Stats], title: str) -> str:
    parts = [f"<h1>{escape(title)}</h1>"]
    for one in stats:
        parts.append(f"<h2>{escape(one.name)}</h2>")
        parts.append(f"<p>{one.pictures:,} pictures ({one.empty:,} without boxes), {one.boxes:,} boxes</p>")
        parts += [chart.svg() for chart in one.charts]
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<style>{_CSS}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
