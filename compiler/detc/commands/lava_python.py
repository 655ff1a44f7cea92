"""Which Python runs train.py: that of a lava environment where stages run in time, else the present one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

NAMED = "DETC_LAVA_PYTHON"
"""The environment variable that names the Python of a lava environment."""
QUESTION = """
import importlib.util
from importlib.metadata import version
import detrt
assert all(map(importlib.util.find_spec, ("lava.lib.dl.slayer", "pydantic", "safetensors", "cv2")))
print(version("torch"))
"""
PATIENCE = 60.0


def python_for(folder: Path, arguments: Sequence[str], own_paths: Sequence[str]) -> tuple[str, list[str]]:
    """(interpreter, its PYTHONPATH) for the train.py of `folder` with `arguments`; `own_paths` are those of this Python.
    Says in one line where the choice is not a matter of course.
    """
    here = sys.executable, list(own_paths)
    engine = _value(arguments, "--engine") or "auto"
    if engine == "detrt" or not _runs_in_time(folder) or _has_lava():
        return here
    program = _found(folder)
    if program is None:  # train.py itself tells what is missing
        return here
    paths = _own_code()
    torch = _torch_of(program, paths)
    if torch is None:
        _say(f"{program} has no lava-dl that goes with this detc: `detc env loihi2` makes one")
        return here
    if engine == "auto" and torch.endswith("+cpu") and _on_gpu(_value(arguments, "--device")):
        _say(f"the lava environment has torch for the CPU: this Python trains on the GPU, not {program}")
        return here
    _say(f"stages in time train with lava-dl: train.py runs with {program}")
    return str(program), paths


def _runs_in_time(folder: Path) -> bool:
    """Whether the build has nets in lava-dl's blocks and a stage that trains their form."""
    try:
        lock: Any = json.loads((folder / "spec.lock.json").read_text(encoding="utf-8"))
        return (folder / "slayer_net.py").is_file() and any(
            stage["quantize"].get("events") == "sigma_delta" for stage in lock["stages"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _has_lava() -> bool:
    try:
        return find_spec("lava.lib.dl.slayer") is not None
    except (ModuleNotFoundError, ValueError):
        return False


def _found(folder: Path) -> Path | None:
    """The named Python, else that of an environment next to the build, in the working folder or in the checkout."""
    from detc.targets.loihi2.environment import PLACE, checkout, program_in

    named = os.environ.get(NAMED)
    if named:
        if Path(named).is_file():
            return Path(named)
        _say(f"{NAMED} = {named}: there is no such file")
        return None
    root = checkout()
    homes = [folder, *folder.resolve().parents[:2], Path.cwd(), *([root] if root else [])]
    programs = (program_in(home.absolute() / PLACE) for home in homes)
    return next((program for program in programs if program.is_file()), None)


def _torch_of(program: Path, paths: Sequence[str]) -> str | None:
    """The version of torch beside the lava-dl of an interpreter; None where it has not all that train.py needs."""
    command, around = [str(program), "-c", QUESTION], _environment(paths)
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=around)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if asked.returncode else asked.stdout.strip()


def _own_code() -> list[str]:
    """The path of the detrt that is running, unless it is installed: an environment then has its own."""
    spec = find_spec("detrt")
    home = Path(str(spec.origin)).parents[1] if spec and spec.origin else Path()
    return [] if home.name in ("site-packages", "dist-packages") else [str(home)]


def _environment(paths: Sequence[str]) -> Mapping[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)} if paths else kept


def _on_gpu(device: str | None) -> bool:
    """Whether train.py would take a GPU."""
    if device is not None:
        return device.startswith("cuda")
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def _value(arguments: Sequence[str], option: str) -> str | None:
    """What follows `option` in a command line."""
    found = [after for word, after in pairwise(arguments) if word == option]
    return found[-1] if found else None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
