"""A run in a real terminal: the live line, key `e`, Ctrl-C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_detector import all_stages, environment, write_lock

pty = pytest.importorskip("pty", reason="needs a system with terminals")
PROGRAM = str(Path(__file__).parent / "tiny_detector.py")


TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A program in a terminal of its own; `screen` is all that it has written."""

    def __init__(self, *command: str) -> None:
        self.mine, theirs = pty.openpty()
        env = environment() | {"TERM": "xterm", "COLUMNS": "120"}
        # A session of its own whose terminal this is, as a shell would start it.
        program = [sys.executable, "-c", TAKE_TERMINAL, *command]
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        self.process = subprocess.Popen(program, env=env, start_new_session=True, **streams)
        os.close(theirs)
        self.screen = ""

    def read(self) -> None:
        try:
            self.screen += os.read(self.mine, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            time.sleep(0.01)

    def until(self, path: Path) -> None:
        while not path.exists():
            assert self.process.poll() is None, self.screen
            self.read()

    def press(self, keys: str) -> None:
        os.write(self.mine, keys.encode())

    def end(self) -> int:
        limit = time.monotonic() + 60
        while self.process.poll() is None:
            if time.monotonic() > limit:
                self.process.kill()
            self.read()
        self.read()
        os.close(self.mine)
        return self.process.returncode


@pytest.mark.long
@pytest.mark.alone
def test_key_e_ends_a_stage_and_keeps_its_best(tmp_path: Path) -> None:
    stages = all_stages()[:2]
    stages[0]["epochs"] = 100_000
    path = write_lock(tmp_path, stages)
    terminal = Terminal(sys.executable, PROGRAM, str(path), "--name", "a")
    terminal.until(tmp_path / "runs/a/float/best.safetensors")
    terminal.press("xe")
    assert terminal.end() == 0, terminal.screen
    assert "key e ends this stage" in terminal.screen
    assert "eta" in terminal.screen
    found = json.loads((tmp_path / "runs/a/result.json").read_text())["stages"]
    assert [stage["ended"] for stage in found] == ["by hand", "all epochs"]


@pytest.mark.long
@pytest.mark.alone
def test_ctrl_c_says_one_line_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    stages = all_stages()[:1]
    stages[0]["epochs"] = 100_000
    path = write_lock(tmp_path, stages)
    terminal = Terminal(sys.executable, PROGRAM, str(path), "--name", "a", "--print-every", "1")
    terminal.until(tmp_path / "runs/a/float/last.safetensors")
    os.kill(terminal.process.pid, 2)
    assert terminal.end() == 130
    assert "go on with --resume" in terminal.screen
    assert "Traceback" not in terminal.screen
    assert "step 1/3" in terminal.screen
