"""What the README shows is true: its page of the language checks without a complaint."""

import re
from pathlib import Path

from detc.compilation import compile_spec

README = Path(__file__).parents[2] / "README.md"


def test_the_language_page_is_a_spec_that_fits(tmp_path: Path) -> None:
    (page,) = re.findall(r"```\n(use std.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    spec = tmp_path / "page.det"
    spec.write_text(page, encoding="utf-8")
    done = compile_spec(spec)
    assert done.graph is not None and done.target == "gti5801"
    assert [f.message for f in done.findings if f.level != "note"] == []
