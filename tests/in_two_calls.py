"""The tests in two calls of pytest: first those that share the machine, two at a time, then those that must have it alone.

python tests/in_two_calls.py -m "not long" [-k WORDS ..]

Both calls are made whatever the first one says; the exit status is the worse of the two. Tests that measure CPU time, count
on processes of their own or end them carry the marker `alone`. Without pytest-xdist the first call runs one test at a time too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec

WORKERS = ["-n", "2", "--dist", "worksteal"]
"""Worksteal keeps the tests of a module together, so that its fixtures are made once, until one worker has none left."""
INTERRUPTED, NO_TESTS = 2, 5
"""Exit statuses of pytest."""


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-m", dest="marked", default="")
    known, rest = parser.parse_known_args(words)
    which = f"({known.marked}) and " if known.marked else ""
    shared, environment = [], dict(os.environ)
    if find_spec("xdist"):
        shared, environment["OMP_NUM_THREADS"] = WORKERS, "1"
    found = [pytest(f"{which}not alone", [*shared, *rest], environment)]
    if found[0] != INTERRUPTED:
        found.append(pytest(f"{which}alone", rest, dict(os.environ)))
    ran = [status for status in found if status != NO_TESTS]
    return max(ran, default=NO_TESTS)


def pytest(marked: str, words: list[str], environment: dict[str, str]) -> int:
    """The exit status of pytest on the tests `marked` so; an interrupt is pytest's own to tell."""
    with subprocess.Popen([sys.executable, "-m", "pytest", "-m", marked, *words], env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
