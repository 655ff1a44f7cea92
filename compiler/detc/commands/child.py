"""Runs a program of the build folder, as `python train.py` would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from detc.commands.outcome import INTERRUPTED


def run_program(folder: Path, name: str, arguments: Sequence[str]) -> int:
    """Its exit code. Ctrl-C reaches the program itself, which ends in its own time."""
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).is_dir()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    command = [sys.executable, str(folder / name), *arguments]
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue
            return INTERRUPTED if code in (-2, INTERRUPTED) else max(code, 1) if code else 0
