"""The tables of the READMEs, written between their markers: recorded runs from their result.json, the library by detc.

python examples/figures.py            rewrites what stands between the markers; --check only says what would change
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from detc.cli import main as detc

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
END = "<!-- end -->"


def recorded(result: dict[str, Any]) -> str:
    """A Markdown row a trained stage: mAP@0.5 of all classes and of each, on the split that the run named last, and the time."""
    classes = result["classes"]
    stages = [stage for stage in result["stages"] if stage.get("final")]
    lines = ["| stage | mAP@0.5 | " + " | ".join(classes) + " | epochs | minutes |", "|---" * (len(classes) + 4) + "|"]
    for stage in stages:
        figures = [stage["final"]["map50"], *(stage["final"][f"map50/{name}"] for name in classes)]
        cells = [
            stage["name"],
            *(f"{value:.3f}" for value in figures),
            str(stage["epochs"]),
            f"{stage['seconds'] / 60:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    minutes = sum(stage.get("seconds") or 0 for stage in result["stages"]) / 60
    lines += ["", f"Scored on the {stages[-1]['final_split']} split, {minutes:.0f} minutes in all."]
    return "\n".join(lines)


def library() -> str:
    """What `detc library --format markdown` says."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = detc(["library", "--format", "markdown"])
    if code:
        raise SystemExit(f"detc library ended with {code}")
    return text.getvalue().rstrip()


def tables() -> dict[str, tuple[str, list[Path]]]:
    """By marker: the content and the pages that have it."""
    found = {"library": (library(), [README])}
    for path in sorted(HERE.glob("*/recorded/**/result.json")):
        example, _, *net = path.parent.relative_to(HERE).parts  # a folder each where an example has several nets
        content = recorded(json.loads(path.read_text(encoding="utf-8")))
        found[f"recorded: {'/'.join([example, *net])}"] = (content, [README, HERE / example / "README.md"])
    return found


def filled(page: str, marker: str, content: str) -> str:
    """`page` with `content` between the marker and the next end; a page without the marker stays as it is."""
    begin = f"<!-- {marker} -->"
    before, found, rest = page.partition(begin)
    if not found:
        return page
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n{content}\n{END}{after}"


def main() -> int:
    stale = False
    for marker, (content, pages) in tables().items():
        for path in pages:
            old = path.read_text(encoding="utf-8")
            new = filled(old, marker, content)
            if new == old:
                continue
            stale = True
            if "--check" in sys.argv:
                print(f"{path}: the table `{marker}` is not what it would be now")
            else:
                path.write_text(new, encoding="utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
