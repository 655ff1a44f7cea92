"""All benchmarks, one after another, each in a process of its own: one JSON object on standard output.

    python benchmarks/run.py [NAME ..]         make bench runs them all

Each benchmark prints one JSON object; this adds its peak memory. Times are seconds, CPU unless the key says wall; a figure that
depends on the machine stands beside a peer measured in the same run, as a ratio.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMES = ("check", "scaling", "export", "training", "evaluation", "nms", "loihi2")


def measured(name: str) -> dict[str, Any]:
    """The figures of one benchmark with `peak_memory_mib` of its process; SystemExit with its words if it fails."""
    script = HERE / f"{name}.py"
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"benchmark {name} ended with status {process.returncode}")
    figures: dict[str, Any] = json.loads(text)
    return {**figures, "peak_memory_mib": round(usage.ru_maxrss / 1024, 1)}


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; known: {', '.join(NAMES)}")
    print(json.dumps({name: measured(name) for name in wanted}, indent=2))


if __name__ == "__main__":
    main()
