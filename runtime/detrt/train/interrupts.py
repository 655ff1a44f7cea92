"""Being asked to stop: Ctrl-C or a signal ends the run after the present step; key `e` or a file `stop` ends only
the stage.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from detrt.train.distributed import Processes

_LOOK_EVERY = 10
"""Steps between two agreements of several processes on whether to stop; a process alone looks at every step."""


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; what it needs to go on is on the disk. `signal` is the number of the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal = signal_number


class Interrupts:
    """`run` is the number of the signal that ends the run, 0 for none; `stage` is true once the stage is to end.

    Both change in `look` alone, when all processes have agreed: a process that acted on its own signal would leave the
    others waiting for it.
    """

    def __init__(self) -> None:
        self.run = 0
        self.stage = False
        self._asked = 0
        self.stop_file: Path | None = None
        self._keys = False
        self._deferred = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, a signal waits for the loop to `look` between two steps; outside it ends the run at once."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def begin_stage(self, folder: Path) -> None:
        """Forgets an earlier wish to end a stage, and a stop file left over from before."""
        self.stage = False
        self.stop_file = folder / "stop"
        self.stop_file.unlink(missing_ok=True)

    def look(self, step: int, processes: Processes) -> bool:
        """True if the loop should break now; all processes get the same answer at the same step."""
        if processes.world > 1:
            if step % _LOOK_EVERY:
                return False
            if processes.first:
                self._look_at_keys_and_file()
            flags = torch.tensor([self._asked, int(self.stage)], dtype=torch.int32, device=processes.device)
            torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
            self.run, stage = int(flags[0]), int(flags[1])
            self.stage = bool(stage)
        else:
            self._look_at_keys_and_file()
            self.run = self._asked
        return bool(self.run or self.stage)

    def _look_at_keys_and_file(self) -> None:
        if self.stop_file is not None and self.stop_file.exists():
            self.stage = True
            self.stop_file.unlink(missing_ok=True)
        if self._keys and _in_front() and select.select([sys.stdin], [], [], 0)[0]:
            try:
                keys = os.read(sys.stdin.fileno(), 64)  # past Python's buffer, which would hide what select looks for
            except OSError:  # the terminal is gone
                keys = b""
            self.stage = self.stage or b"e" in keys
            self._keys = bool(keys)

    @contextmanager
    def listening(self, keys: bool) -> Iterator[None]:
        """Catches SIGINT and SIGTERM, and reads single keys from the terminal if `keys`; puts everything back
        afterwards.

        A second signal acts at once in any case: the present step may hang.
        """

        def note(number: int, frame: FrameType | None) -> None:
            if self._asked or not self._deferred:
                raise Interrupted(number)
            self._asked = number

        before: dict[int, Any] = {}
        for wanted in (signal.SIGINT, signal.SIGTERM):
            try:
                before[wanted] = signal.signal(wanted, note)
            except ValueError:  # not in the main thread: whoever runs us there handles signals
                break
        try:
            with _single_keys() if keys and _in_front() else _no_keys() as self._keys:
                yield
        finally:
            self._keys = False
            for number, handler in before.items():
                signal.signal(number, handler)


def _in_front() -> bool:
    """True if keys of a terminal are for us; reading or changing it from the background would stop the process."""
    if sys.stdin is None or not sys.stdin.isatty() or not hasattr(os, "tcgetpgrp"):
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


@contextmanager
def _no_keys() -> Iterator[bool]:
    yield False


@contextmanager
def _single_keys() -> Iterator[bool]:
    """The terminal gives each key at once, without an echo."""
    try:
        import termios
        import tty
    except ImportError:
        yield False
        return
    try:
        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin, termios.TCSANOW)
    except (termios.error, OSError):
        yield False
        return
    try:
        yield True
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
