"""How long `detc check` takes: cold, as a user's shell starts it, against bare Python; and warm, as an editor would call it."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import subprocess
import sys
import time

from detc.cli import main as detc

COMMAND = ["check", "gnetdet448", "--target", "gti5801"]
RUNS = 5


def cpu_of(arguments: list[str]) -> float:
    """CPU seconds of a child process, the least of some runs."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(RUNS))


def warm() -> float:
    """CPU seconds of a check in a process that has done one before."""
    times = []
    for _ in range(RUNS + 1):
        start = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            detc(COMMAND)
        times.append(time.process_time() - start)
    return min(times[1:])


if __name__ == "__main__":
    cold, bare = cpu_of(["-m", "detc", *COMMAND]), cpu_of(["-c", ""])
    print(
        json.dumps(
            {
                "cold": round(cold, 3),
                "bare_python": round(bare, 3),
                "ratio": round(cold / bare, 1),
                "warm": round(warm(), 4),
            }
        )
    )
