"""What every test may ask for: the shared data folder, golden files, and a strict mode for skips."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
CHECKOUT = Path(__file__).parent.parent
OWN_OUTPUT = "# own output of detc; rewrite with pytest --update-golden"

try:
    from hypothesis import settings
except ModuleNotFoundError:
    pass
else:
    settings.register_profile(
        "detc", deadline=None, derandomize=True, max_examples=int(os.environ.get("DETC_FUZZ", "100"))
    )
    settings.load_profile("detc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files that hold detc's own output")


def require(name: str, there: bool, why: str) -> None:
    """Skip the test with one line unless `there`; fail it if DETC_REQUIRE (a comma-separated list) names `name`."""
    if there:
        return
    required = {part.strip() for part in os.environ.get("DETC_REQUIRE", "").split(",")}
    if name in required:
        pytest.fail(f"{why} (DETC_REQUIRE asks for {name})", pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def needs() -> Callable[[str, str], None]:
    """`needs(package, group)` skips a test whose optional package is not installed; fails it if DETC_REQUIRE names the group."""
    return lambda package, group: require(group, find_spec(package) is not None, f"needs {package}")


@pytest.fixture(scope="session")
def needs_program() -> Callable[[str, str], None]:
    """`needs_program(program, group)` skips or fails a test like `needs`, where a program is not on the path."""
    return lambda program, group: require(group, shutil.which(program) is not None, f"needs {program}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data named by DETC_SHARED."""
    folder = os.environ.get("DETC_SHARED", "")
    require("shared", bool(folder) and Path(folder).is_dir(), "needs DETC_SHARED, the folder of shared data")
    return Path(folder)


@pytest.fixture(scope="session")
def lava_python() -> Path:
    """A Python with lava-dl and lava-nc (`make loihi` makes one): DETC_LAVA_PYTHON, else that of the checkout's .venv-loihi.

    The word of DETC_REQUIRE is `lava`. What imports lava runs in a process of its own, with a time limit: lava's own processes
    can keep an interpreter from ending.
    """
    program = Path(os.environ.get("DETC_LAVA_PYTHON") or CHECKOUT / ".venv-loihi/bin/python")
    require("lava", program.is_file(), "needs DETC_LAVA_PYTHON or `make loihi`, a Python with lava-dl")
    return program


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], None]]:
    """`golden(path, text)` compares `text` with tests/golden/PATH below its first line, which says where the file comes
    from. With --update-golden it rewrites (or makes) the file, but only one that holds detc's own output."""
    update = request.config.getoption("--update-golden")

    def compare(path: str, text: str) -> None:
        file = GOLDEN / path
        text = text if text.endswith("\n") else text + "\n"
        if not file.exists():
            assert update, f"no golden file {file}; make it with --update-golden and read it"
            header, expected = OWN_OUTPUT, None
        else:
            header, _, expected = file.read_text(encoding="utf-8").partition("\n")
        if update and expected != text and "own output" in header:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{header}\n{text}", encoding="utf-8")
            return
        assert text == expected, f"{path} ({header.lstrip('# ')}) differs"

    yield compare
