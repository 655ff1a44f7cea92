"""Compilers and emulators are watched: they end in time, with whoever waits for them, and say what went wrong."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from stm32_plans import plan_apart
from stm32_tiny import HEAD, LOCK, tiny_program

from detrt.devices.stm32.c import write
from detrt.devices.stm32.c.description import read_description
from detrt.devices.stm32.c.elf import footprint
from detrt.devices.stm32.c.machines import MACHINES, machine
from detrt.devices.stm32.c.process import run
from detrt.devices.stm32.c.profiling import callgrind_costs
from detrt.errors import DetrtError

SLEEPER = ["sh", "-c", "sleep 600 & echo $! > child; wait"]


def gone(folder: Path) -> bool:
    """Whether the process that the sleeper started has ended, within a second."""
    child = int((folder / "child").read_text())
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{child}/stat").read_text().split(")")[1].split()[0] == "Z":
            return True  # it waits for init to bury it
        time.sleep(0.01)
    return False


@pytest.mark.alone
def test_what_takes_too_long_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(DetrtError, match="the network on qemu-m4 has not ended after 0 s and was stopped"):
        run(SLEEPER, tmp_path, 0.2, "the network on qemu-m4")
    assert gone(tmp_path)


@pytest.mark.alone
def test_ctrl_c_ends_the_emulator(tmp_path: Path) -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            run(SLEEPER, tmp_path, 60, "a network")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert gone(tmp_path)


def test_a_failure_shows_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(DetrtError, match=r"(?s)compiling failed with status 3:.*line 99") as caught:
        run(["sh", "-c", "for i in $(seq 99); do echo line $i; done; exit 3"], tmp_path, 60, "compiling")
    assert "line 1\n" not in str(caught.value)
    with pytest.raises(DetrtError, match="cannot start no-such-compiler"):
        run(["no-such-compiler"], tmp_path, 60, "compiling")


def test_machines_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DetrtError, match=r"(?s)arm-none-eabi-gcc and no qemu-system-arm.*apt-get install gcc-arm-none-eabi"
    ):
        MACHINES["qemu-m4"].check()
    with pytest.raises(DetrtError, match="no machine `qemu-m3`"):
        machine("qemu-m3")


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "main"
    path.write_bytes(b"\x7fELF\x02\x01")
    with pytest.raises(DetrtError, match="no ELF file of 32 bits"):
        footprint(path)
    header = bytearray(52)
    header[:6] = b"\x7fELF\x01\x01"
    struct.pack_into("<I", header, 0x20, 1000)
    struct.pack_into("<HH", header, 0x2E, 40, 5)
    path.write_bytes(header)
    with pytest.raises(DetrtError, match="ends inside a table"):
        footprint(path)


def test_callgrind_costs_are_summed_over_callers() -> None:
    text = """
fn=(1) network_run
10 5
cfn=(2) run_stem
calls=1 20
11 700
cfn=(3) run_pool
calls=1 40
11 30
fn=(2)
20 100
cfn=(4) detc_conv
calls=1 1
21 600
fn=(5) other
1 1
cfn=(3)
calls=2 40
2 60
"""
    assert callgrind_costs(text) == {"run_stem": 700, "run_pool": 90, "detc_conv": 600}


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said | {"schema": 2},
        lambda said: said | {"layers": [{"name": "x"}]},
        lambda said: said | {"macs": {"dense": -1, "separable": 0, "inverted": 0}},
        lambda said: said | {"input": 1 << 60},
        lambda said: [],
    ],
)
def test_a_damaged_description_is_refused(change: Callable[[Any], Any], tmp_path: Path) -> None:
    program = tiny_program()
    write(program, plan_apart(program), LOCK, HEAD, tmp_path)
    path = tmp_path / "network.json"
    assert read_description(tmp_path)["macs"] == {"dense": 1728, "separable": 832, "inverted": 0}
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DetrtError, match="export the model again"):
        read_description(tmp_path)
