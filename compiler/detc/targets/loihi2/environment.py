"""The lava environment: a virtual environment of Python 3.11 with lava-dl, lava-nc and detc itself.

lava-dl 0.6.0 asks for other versions of torch and numpy than detc's, so it lives apart, in `.venv-loihi`. What goes into it is
pinned in constraints-loihi.txt, each wheel by its hash; torch comes as a build for the CPU, which slayer and netx run on.

It is made beside its place and renamed when it works, so that an environment is whole or not there; scripts with the path of
their Python in them are rewritten before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detc.codegen.folder import alive
from detc.targets.loihi2.own_wheel import wheel_of_installation

PLACE = ".venv-loihi"
"""Where the environment lies unless told otherwise."""
STAMP = "detc-env.json"
"""The file in an environment that says what it was made from."""
PYTHON = (3, 11)
"""The only version that lava-dl 0.6.0 and a CPU build of torch have in common."""
TORCH = "2.13.0"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
LOCK = "constraints-loihi.txt"

LOOK = """
import json, platform
from importlib.metadata import version
found = {name: version(name) for name in ("lava-dl", "lava-nc", "torch", "numpy", "detc")}
from detrt.devices.loihi2.shim import import_netx, import_slayer
import_slayer(), import_netx()
print(json.dumps({"python": platform.python_version(), **found}))
"""
"""What a lava environment must be able to do."""
PATIENCE = 300.0
"""Seconds for LOOK: the first import of torch from a cold disk takes a while."""

Say = Callable[[str], None]


class NotMade(Exception):
    """An environment that could not be made or does not work: a sentence, and what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def lock_file() -> Path:
    """constraints-loihi.txt: in an installed package, or in the checkout."""
    package = Path(__file__).parents[2]
    installed = package / LOCK
    return installed if installed.is_file() else package.parent.parent / LOCK


def checkout() -> Path | None:
    """The checkout that this detc runs from, None for an installed one."""
    root = Path(__file__).parents[4]
    return root if (root / "pyproject.toml").is_file() and (root / "runtime/detrt").is_dir() else None


def program_in(place: Path) -> Path:
    """The Python of the environment at `place`."""
    return place / "bin/python"


def look(program: Path) -> dict[str, str]:
    """Versions by name of what the environment of the interpreter `program` holds. NotMade where lava does not import."""
    remake = "`detc env loihi2` makes it anew"
    try:
        done = subprocess.run([program, "-c", LOOK], capture_output=True, text=True, timeout=PATIENCE, env=_clean())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMade(f"{program} does not run: {error}", remake) from error
    if done.returncode:
        raise NotMade(f"lava does not import with {program}: {_last_line(done.stderr)}", remake)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def make(place: Path, python: str | None, say: Say) -> bool:
    """Makes the environment at `place`, unless one made of the same parts is there; whether there was anything to do.

    `python` is the interpreter it is made with; None looks for a Python 3.11. Nothing at `place` changes unless all went well.
    Raises NotMade.
    """
    wanted = _parts()
    if place.exists():
        if not (place / STAMP).is_file():
            raise NotMade(
                f"{place} is there, and `detc env` has not made it", "remove it, or choose a folder with --into"
            )
        if _stamp(place) == wanted and program_in(place).exists():
            return False
    if not place.parent.is_dir():
        raise NotMade(f"there is no folder {place.parent}", "choose another with --into")
    _clear_leftovers(place)
    beside = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    try:
        _Maker(beside, say).make(_python(python))
        (beside / STAMP).write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        _move(beside, place)
    except OSError as error:
        raise NotMade(f"{error.filename or place}: {error.strerror or error}", "choose a folder with --into") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return True


def _parts() -> dict[str, Any]:
    """What an environment made now would be made of."""
    root = checkout()
    if root is None:
        from importlib.metadata import distribution

        record = distribution("detc").read_text("RECORD") or ""
        own = f"{distribution('detc').version} {hashlib.sha256(record.encode()).hexdigest()}"
    else:
        own = str(root)
    return {"schema": 1, "lock": hashlib.sha256(lock_file().read_bytes()).hexdigest(), "torch": TORCH, "detc": own}


def _stamp(place: Path) -> Any:
    try:
        return json.loads((place / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes an environment at `place`, which nothing is at."""

    place: Path
    say: Say

    def make(self, python: str) -> None:
        begun = time.monotonic()
        self.say(f"1/5 a virtual environment ({python})")
        self._run([python, "-m", "venv", str(self.place)], "a virtual environment cannot be made")
        self.say(f"2/5 lava-dl, lava-nc and what they need, by {LOCK}")
        exact = ["--require-hashes", "--only-binary", ":all:", "--ignore-requires-python"]
        self._pip([*exact, "-r", str(lock_file())], f"what {LOCK} names cannot be installed")
        self.say(f"3/5 torch {TORCH} for the CPU")
        self._torch()
        self.say("4/5 detc")
        self._detc()
        self.say("5/5 a look at whether all of it imports")
        look(program_in(self.place))
        self.say(f"done in {time.monotonic() - begun:.0f} s")

    def _torch(self) -> None:
        """A local index may have the CPU build under its full name; torch's own index has it for Linux, PyPI for others."""
        routes = [[f"torch=={TORCH}+cpu"], ["--index-url", CPU_WHEELS, f"torch=={TORCH}"]]
        if sys.platform != "linux":
            routes.append([f"torch=={TORCH}"])
        for route in routes[:-1]:
            try:
                return self._pip(route, "")
            except NotMade:
                continue
        self._pip(routes[-1], f"no CPU build of torch {TORCH} can be installed")

    def _detc(self) -> None:
        root = checkout()
        if root is not None:
            return self._pip(["--no-build-isolation", "-e", str(root)], f"detc cannot be installed from {root}")
        self._pip([str(wheel_of_installation("detc", self.place))], "detc's own wheel cannot be installed")

    def _pip(self, words: Sequence[str], problem: str) -> None:
        quiet = ["-q", "--disable-pip-version-check", "--no-input", "--no-deps"]
        self._run([str(program_in(self.place)), "-m", "pip", "install", *quiet, *words], problem)

    def _run(self, command: Sequence[str], problem: str) -> None:
        """Ctrl-C reaches the command itself; it is waited for, so that nothing writes any more when it is cleaned up after."""
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_clean()
        ) as child:
            try:
                _, errors = child.communicate()
            except KeyboardInterrupt:
                child.wait()
                raise
        if child.returncode:
            raise NotMade(
                f"{problem}: {_last_line(errors)}", "see whether this machine reaches a package index, then again"
            )


def _python(given: str | None) -> str:
    """An interpreter of Python 3.11 that can make environments. NotMade where there is none."""
    wanted = ".".join(map(str, PYTHON))
    named = [given] if given else [*([sys.executable] if sys.version_info[:2] == PYTHON else []), f"python{wanted}"]
    said = ""
    for name in named:
        program = shutil.which(name)
        if program is None:
            said = said or f"`{name}` is not on the path"
            continue
        question = "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')"
        asked = subprocess.run([program, "-c", question], capture_output=True, text=True, env=_clean())
        if asked.stdout.strip() == wanted:
            return program
        version = asked.stdout.strip()
        said = f"`{program}` is Python {version}" if version else f"`{program}`: {_last_line(asked.stderr)}"
    raise NotMade(
        f"lava-dl needs Python {wanted} with its module venv: {said}",
        f"install Python {wanted}, or name one with --python",
    )


def _clean() -> dict[str, str]:
    """The environment without what would let packages of this Python in."""
    return {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def _last_line(text: str) -> str:
    """The line that says what went wrong: pip's first ERROR, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[::-1] or ["nothing was said"])[0][:300]


def _move(made: Path, place: Path) -> None:
    """Renames an environment; one that was at `place` before goes away."""
    for script in (made / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            old = script.read_bytes()
            new = old.replace(os.fsencode(made), os.fsencode(place))
            if new != old:
                script.write_bytes(new)
    before = made.with_name(f"{place.name}.{os.getpid()}.old")
    if place.exists():
        place.rename(before)
    made.rename(place)
    shutil.rmtree(before, ignore_errors=True)


def _clear_leftovers(place: Path) -> None:
    """Removes what was left by makers that were killed: those whose process is gone."""
    for left in place.parent.glob(f"{place.name}.*"):
        number, _, kind = left.name.removeprefix(f"{place.name}.").partition(".")
        if number.isdigit() and kind in ("tmp", "old") and not alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)
