"""Freed memory stays with the process while it trains on a CPU."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt (malloc.h)."""


def keep_freed_memory() -> bool:
    """Tells glibc not to hand freed blocks back to the system; True if it listens.

    Every step frees and allocates the same maps of many megabytes. By default glibc maps and unmaps each of them, and the
    system clears its pages anew: measured at a fifth of a step of gnetdet224 at width 0.25 (50,000 page faults).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_ARENA_MAX, 1), (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1))
    return all(bool(mallopt(name, value)) for name, value in settings)
