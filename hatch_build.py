"""Build hook: writes the parser's tables, so that no grammar is compiled when detc starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes compiler/detc/syntax/_tables.py from det.lark, for wheels and for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        write_tables(Path(self.root))


def write_tables(root: Path) -> Path:
    """The tables' file under the checkout `root`, freshly written."""
    compiler = root / "compiler"
    sys.path.insert(0, str(compiler))
    try:
        from detc.syntax.tables import GRAMMAR, module_source

        target = compiler / "detc" / "syntax" / "_tables.py"
        target.write_text(module_source(GRAMMAR.read_text(encoding="utf-8")), encoding="utf-8")
    finally:
        sys.path.remove(str(compiler))
    return target


if __name__ == "__main__":
    print(write_tables(Path(__file__).parent))
