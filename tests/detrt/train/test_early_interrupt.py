"""Ctrl-C while a generated program still imports its net."""

import signal
import subprocess
import sys
from pathlib import Path


def test_an_interrupt_during_the_imports_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(9)\n"
    )
    (tmp_path / "export.py").write_text("from detrt.train import export_main\nfrom model import Net\n")
    done = subprocess.run([sys.executable, "export.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (-signal.SIGINT, 130)
    assert done.stderr == "interrupted before anything was written\n"
