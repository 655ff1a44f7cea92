"""What a person sees while it runs: a live line on a terminal, plain lines elsewhere; nothing from any process but the first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Progress:
    """`print_every` steps between two plain lines within an epoch, or None for one line an epoch."""

    def __init__(self, active: bool, quiet: bool = False, print_every: int | None = None) -> None:
        self.active = active
        self.quiet = quiet
        self.print_every = print_every
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0

    def say(self, text: str) -> None:
        """A line that stays, also with `--quiet`."""
        if not self.active:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """A line that stays, but not with `--quiet`."""
        if not self.quiet:
            self.say(text)

    @contextmanager
    def stage(self, name: str, epochs: int) -> Iterator[None]:
        """A live line for the time of one stage, if this is a terminal."""
        if not (self.active and not self.quiet and sys.stdout.isatty()):
            yield
            return
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        with Bar(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[text]}"), transient=True
        ) as bar:
            self._bar, self._task = (
                bar,
                bar.add_task(name, total=epochs, text="key e ends this stage and keeps its best"),
            )
            try:
                yield
            finally:
                self._bar = self._task = None

    def wants_step(self, step: int) -> bool:
        """True if this step should be shown; asking costs next to nothing."""
        if not self.active:
            return False
        if self.print_every is not None and step % self.print_every == 0:
            return True
        return self._bar is not None and time.monotonic() - self._shown > 0.2

    def step(self, epoch: int, step: int, steps: int, loss: float, clock: Clock, left: float) -> None:
        """Shows one step; `left` is the estimated number of seconds to the end of the stage."""
        self._shown = time.monotonic()
        text = f"step {step}/{steps}  loss {loss:.4f}  {clock}  eta {duration(left)}"
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch + step / max(1, steps), text=text)
        if self.print_every is not None and step % self.print_every == 0:
            self.say(f"  epoch {epoch + 1}  {text}")

    def epoch(self, text: str) -> None:
        self.note(text)


class Clock:
    """Where the time of an epoch went: waiting for the loader, or in steps."""

    def __init__(self) -> None:
        self.loader = 0.0
        self.steps = 0.0

    @property
    def total(self) -> float:
        return self.loader + self.steps

    @property
    def loader_share(self) -> float:
        return self.loader / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"loader {self.loader_share:.0%} / step {1 - self.loader_share:.0%}"


def duration(seconds: float) -> str:
    """`1:02:03`, or `2:03` below an hour."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
