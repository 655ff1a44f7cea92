"""Runs a program of the build folder, as `python train.py` would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from detc.commands.lava_python import python_for
from detc.commands.outcome import INTERRUPTED, MISTAKE, OK


def run_program(folder: Path, name: str, arguments: Sequence[str]) -> int:
    """0, 1 for whatever it failed with, or 130. Ctrl-C reaches the program itself, which ends in its own time."""
    paths = [str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).is_dir()]
    python = sys.executable
    if name == "train.py":
        python, paths = python_for(folder, arguments, paths)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    command = [python, str(folder / name), *arguments]
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue
            if code in (-signal.SIGINT, INTERRUPTED):
                return INTERRUPTED
            return MISTAKE if code else OK
