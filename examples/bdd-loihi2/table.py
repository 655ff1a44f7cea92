"""The table of the story: what the net finds and what it costs, before it is cut, after that, and trained on.

python examples/bdd-loihi2/table.py build/bdd-loihi2/project [-o table.json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from detc.semantics.lock import program_graph_from_lock

ROWS = {"wide.classes": "yolo_kp", "half.cut": "yolo_kp4, cut", "half.tune": "yolo_kp4, trained on"}
"""A row for each of these stages, and what it is called."""
HEAD = "| net | mAP@0.5 | multiplications | cores | events a frame | neurons that send |\n|-|-|-|-|-|-|"


def rows_of(project: Path) -> list[dict[str, Any]]:
    """What `markdown` shows, from the lock and the newest `result.json` of a project folder."""
    lock = json.loads((project / "spec.lock.json").read_text(encoding="utf-8"))
    results = sorted((project / "runs").glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    stages = {stage["id"]: stage for stage in json.loads(results[-1].read_text(encoding="utf-8"))["stages"]}
    rows = []
    for id, name in ROWS.items():
        model = next(stage["model"] for stage in lock["stages"] if stage["id"] == id)
        plan = lock["plan"] if model == lock["model"]["name"] else lock["plans"][model]
        costs = {"macs": program_graph_from_lock(lock, model).macs(), "cores": sum(n["cores"] for n in plan["nets"])}
        figures = {key: stages[id]["final"][key] for key in ("map50", "event_rate", "events", "synops")}
        rows.append({"stage": id, "net": name, **costs, **figures})
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {row['net']} | {row['map50']:.3f} | {row['macs'] / 1e6:,.2f} M | {row['cores']} | {row['events']:,.0f} | "
        f"{row['event_rate']:.1%} |"
        for row in rows
    ]
    return "\n".join([HEAD, *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("project", type=Path, help="the build folder")
    parser.add_argument("-o", type=Path, metavar="FILE", help="write the figures there, as JSON")
    found = parser.parse_args()
    figures = rows_of(found.project)
    if found.o is not None:
        found.o.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(markdown(figures))
