"""From a command line to an exit code: what `train.py` does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from detrt.errors import DetrtError
from detrt.lock import read_lock
from detrt.train.context import TaskMaker, lock_task
from detrt.train.distributed import process_group
from detrt.train.interrupts import Interrupted
from detrt.train.memory import keep_freed_memory
from detrt.train.network import ModelClasses
from detrt.train.options import Options, parse_options
from detrt.train.run import Run


def main(
    model: ModelClasses,
    lock_path: str | Path,
    argv: Sequence[str] | None = None,
    slayer: Mapping[str, str] | None = None,
) -> int:
    """Trains; what a generated `train.py` calls. Returns the exit code: 0 done, 1 a mistake or a failed gate, 130
    interrupted. `slayer` are the project's modules with nets in lava-dl's blocks, by model.
    """
    options = parse_options(sys.argv[1:] if argv is None else argv)
    return train(model, Path(lock_path), options, slayer=slayer)


def train(
    model: ModelClasses,
    lock_path: Path,
    options: Options,
    make_task: TaskMaker = lock_task,
    slayer: Mapping[str, str] | None = None,
) -> int:
    """As `main`, from options that are already read."""
    try:
        lock = options.applied(read_lock(lock_path))
        with process_group(options.device) as processes:
            if processes.device.type == "cpu":
                keep_freed_memory()
            return Run(model, lock, lock_path, options, processes, make_task, slayer).run()
    except DetrtError as error:
        _complain(f"error: {error}", first_only=False)
        return 1
    except KeyboardInterrupt as stop:
        _complain("interrupted: what there is is kept; go on with --resume")
        return 128 + (stop.signal if isinstance(stop, Interrupted) else signal.SIGINT)


def _complain(text: str, first_only: bool = True) -> None:
    """One text for a whole run; of an error the other processes add a line, for it may be theirs alone."""
    rank = os.environ.get("RANK", "0")
    if rank == "0":
        print(text, file=sys.stderr, flush=True)
    elif not first_only:
        print(f"process {rank}: {text.splitlines()[0]}", file=sys.stderr, flush=True)
