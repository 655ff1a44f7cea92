"""The tables of recorded runs, written into the READMEs from the result.json files: nobody types a figure.

python examples/figures.py            rewrites what stands between the markers; --check only says what would change
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULT = HERE / "bccd-gti5801" / "recorded" / "result.json"
PAGES = (HERE.parent / "README.md", HERE / "bccd-gti5801" / "README.md")
BEGIN, END = "<!-- recorded: bccd-gti5801 -->", "<!-- end -->"


def table(result: dict[str, Any]) -> str:
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


def filled(page: str, content: str) -> str:
    """`page` with `content` between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def main() -> int:
    content = table(json.loads(RESULT.read_text(encoding="utf-8")))
    stale = [
        path for path in PAGES if filled(path.read_text(encoding="utf-8"), content) != path.read_text(encoding="utf-8")
    ]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path} is behind {RESULT}")
        else:
            path.write_text(filled(path.read_text(encoding="utf-8"), content), encoding="utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
