"""Going on by itself after torchrun has started the processes of a run anew (`--max-restarts`, or another number of nodes).

Workers die and come back, the agents that start them live as long as the launch. So a run's folder keeps the names of its
agents: who finds one of their own there goes on with that run. torchrun's own count of restarts does not tell: it stands
still when a node joins or leaves.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from detrt.train.distributed import Processes
from detrt.train.folder import write_text

_FILE = "launch.json"
_LARGEST = 1_000_000
"""Bytes of a launch file that are read; an agent takes about 40."""


def agents(processes: Processes) -> list[str]:
    """The torchrun agents of this launch, one for each node; none without torchrun."""
    own = _agent() if "TORCHELASTIC_RUN_ID" in os.environ else ""
    return sorted({name for name in processes.gather(own) if name})


def begun_before(out: Path, launch: list[str]) -> Path | None:
    """The folder in `out` of the run that agents of `launch` have begun, the newest if there are several."""
    found = [path for path in out.glob(f"*/{_FILE}") if set(_read(path)) & set(launch)]
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None


def remember(folder: Path, launch: list[str]) -> None:
    """Notes in a run's folder who has begun it."""
    if launch:
        write_text(folder / _FILE, json.dumps(launch) + "\n")


def _agent() -> str:
    """Host, process and moment of start of our parent: a number alone may be given again."""
    parent = os.getppid()
    try:
        started = Path(f"/proc/{parent}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    except (OSError, IndexError, UnicodeDecodeError):
        started = ""
    return f"{socket.gethostname()}:{parent}:{started}"


def _read(path: Path) -> list[str]:
    """The agents in a file; none if it is no such file."""
    try:
        if path.stat().st_size > _LARGEST:
            return []
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
