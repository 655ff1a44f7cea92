"""The specs of the examples check without a complaint and are in the layout of `detc fmt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from detc.cli import main
from detc.compilation import compile_spec

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = sorted(EXAMPLES.glob("*/*.det"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_checks_and_is_formatted(path: Path) -> None:
    # Pictures as wide as those of the published nets, where Intel's compiler warns.
    wide = ("LOI133",)
    assert [f.message for f in compile_spec(path).findings if f.level != "note" and f.code not in wide] == []
    assert main(["fmt", "--check", str(path)]) == 0
