"""Ctrl-C before the engine listens, while a generated program still imports torch: told in a word, not as a traceback."""

from __future__ import annotations

import sys
from types import TracebackType


def tell_shortly() -> None:
    """From now on an interrupt that nobody answers ends the program with one line; all else is shown as before."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("interrupted before anything was written", file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = hook
