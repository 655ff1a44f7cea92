"""Targets from target.det and from edited copies of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gti_nets import load_target

from detc.semantics.program import Target


@pytest.fixture(scope="session")
def gti5801(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return load_target(tmp_path_factory.mktemp("target"))


@pytest.fixture
def target_of(tmp_path: Path) -> Callable[..., Target]:
    """`target_of(("majors <= 7", "majors <= 6"))`: the shipped facts with these edits."""
    return lambda *edits: load_target(tmp_path, *edits)
