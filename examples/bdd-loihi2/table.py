"""The table of the story: what the net finds and what it costs, before it is cut, after that, and trained on.

python examples/bdd-loihi2/table.py build/bdd-loihi2/project
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from detc.semantics.lock import program_graph_from_lock

ROWS = (
    ("yolo_kp", "wide.classes"),
    ("yolo_kp4, cut", "half.cut"),
    ("yolo_kp4, trained on", "half.tune"),
)
"""Name of a row, and the stage whose figures it has."""
HEAD = "| net | mAP@0.5 | multiplications | cores | events a frame | share of neurons |\n|-|-|-|-|-|-|"


def table_of(project: Path) -> str:
    """Markdown from the lock and the newest `result.json` of a project folder: the figures of the best checkpoints."""
    lock = json.loads((project / "spec.lock.json").read_text(encoding="utf-8"))
    results = sorted((project / "runs").glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    found = {stage["id"]: stage for stage in json.loads(results[-1].read_text(encoding="utf-8"))["stages"]}
    return "\n".join([HEAD, *(_row(name, found[stage], lock) for name, stage in ROWS)]) + "\n"


def _row(name: str, result: dict[str, Any], lock: dict[str, Any]) -> str:
    model = next(stage["model"] for stage in lock["stages"] if stage["id"] == result["id"])
    plan = lock["plan"] if model == lock["model"]["name"] else lock["plans"][model]
    figures = result.get("final") or result["metrics"]
    macs = program_graph_from_lock(lock, model).macs() / 1e6
    cores = sum(net["cores"] for net in plan["nets"])
    events = f"{figures['events']:,.0f}" if "events" in figures else "-"
    share = f"{figures['event_rate']:.1%}" if "event_rate" in figures else "-"
    return f"| {name} | {figures['map50']:.3f} | {macs:,.2f} M | {cores} | {events} | {share} |"


if __name__ == "__main__":
    print(table_of(Path(sys.argv[1])), end="")
