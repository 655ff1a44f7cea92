"""The C folder of an artifact, compiled by its own Makefile in a folder beside it, so that artifacts stay as they were."""

from __future__ import annotations

import shutil
from pathlib import Path

from detrt.devices.stm32.c.machines import Machine
from detrt.devices.stm32.c.process import run
from detrt.errors import DetrtError

COMPILE_SECONDS = 300
BUILT = "build"


def build(source: Path, machine: Machine, program: str, folder: Path, flags: str = "") -> Path:
    """The executable of `program` (main, runner or profile) for `machine`, compiled from a copy of `source` in `folder`.

    `flags` are added to the compiler's. Raises DetrtError for want of a compiler or of RAM, and for code that is damaged.
    """
    machine.check()
    if not (source / "Makefile").is_file():
        raise DetrtError("there is no C code here", source, "export the model again: detc export")
    try:
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(BUILT))
    except OSError as error:
        raise DetrtError(f"cannot be copied to {folder}: {error}", source) from error
    command = ["make", "-s", machine.target, f"PROGRAM={program}", f"BUILD={BUILT}"]
    run([*command, f"EXTRA={flags}"] if flags else command, folder, COMPILE_SECONDS, f"compiling for {machine.name}")
    return folder / BUILT / machine.target / program
