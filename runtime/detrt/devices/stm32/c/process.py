"""Programs that are watched: they end with the time they are given, and with whoever waits for them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from detrt.errors import DetrtError

SHOWN_LINES = 12


def run(command: Sequence[str], folder: Path, seconds: float, what: str) -> str:
    """Standard output and error of `command`, run in `folder`. Raises DetrtError if it fails or takes longer than `seconds`.

    Whatever ends the wait, Ctrl-C too, ends the program and all that it started.
    """
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise DetrtError(f"{what}: cannot start {command[0]}: {error.strerror}") from error
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise DetrtError(f"{what} has not ended after {seconds:.0f} s and was stopped", " ".join(command)) from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        last = "\n".join(said.strip().splitlines()[-SHOWN_LINES:])
        raise DetrtError(f"{what} failed with status {process.returncode}" + (f":\n{last}" if last else ""))
    return said
