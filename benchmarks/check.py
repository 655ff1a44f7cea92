"""How long `detc check` takes: cold, as a user's shell starts it, against bare Python; and warm, as an editor would call it.

Then the library: which spec takes longest warm, without a target or on one, and what that one costs cold. All of it CPU seconds,
the least of some runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import subprocess
import sys
import time

from detc.cli import main as detc
from detc.library import library_names

TARGET = ["--target", "gti5801"]
COMMAND = ["check", "gnetdet448", *TARGET]
RUNS = 5


def cpu_of(arguments: list[str], allowed: tuple[int, ...] = (0,)) -> float:
    """CPU seconds of a child process that ends with one of the `allowed` exit codes."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        if done.returncode not in allowed:
            raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(RUNS))


def warm(command: list[str], runs: int) -> float:
    """CPU seconds of a check in a process that has done one before."""
    times = []
    for _ in range(runs + 1):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            detc(command)
        times.append(time.process_time() - start)
    return min(times[1:])


def slowest(target: list[str]) -> dict[str, str | float]:
    """The spec of the library that takes longest."""
    times = {name: warm(["check", name, *target], 2) for name in library_names()}
    name = max(times, key=lambda name: times[name])
    cold = cpu_of(["-m", "detc", "check", name, *target], allowed=(0, 1))
    return {
        "spec": name,
        "warm": round(times[name], 4),
        "cold": round(cold, 3),
        "all_warm": round(sum(times.values()), 3),
    }


if __name__ == "__main__":
    cold, bare = cpu_of(["-m", "detc", *COMMAND]), cpu_of(["-c", ""])
    print(
        json.dumps(
            {
                "cold": round(cold, 3),
                "bare_python": round(bare, 3),
                "ratio": round(cold / bare, 1),
                "warm": round(warm(COMMAND, RUNS), 4),
                "slowest_of_library": slowest([]),
                "slowest_of_library_on_target": slowest(TARGET),
            }
        )
    )
