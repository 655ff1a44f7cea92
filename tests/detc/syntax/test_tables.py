"""The grammar and the tables made from it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from detc.diagnostics import Source
from detc.syntax import mistakes, tables, tree
from detc.syntax.parser import parse
from detc.syntax.units import UNITS
from detc.syntax.words import RESERVED

ROOT = Path(__file__).parents[3]
SHIPPED = "detc.syntax._tables"


def shipped(grammar: str) -> ModuleType:
    module = ModuleType(SHIPPED)
    exec(compile(tables.module_source(grammar), SHIPPED, "exec"), vars(module))
    return module


def test_the_grammar_has_no_conflicts() -> None:
    lark = pytest.importorskip("lark")
    pytest.importorskip("interegular")
    lark.Lark(tables.GRAMMAR.read_text(encoding="utf-8"), parser="lalr", strict=True, maybe_placeholders=True)


def test_shipped_tables_are_those_of_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    monkeypatch.setitem(sys.modules, SHIPPED, shipped(grammar))
    monkeypatch.setattr(tables, "compile_tables", lambda _: pytest.fail("compiled although shipped"))
    loaded = tables.load()
    monkeypatch.undo()
    assert loaded == tables.compile_tables(grammar)


@pytest.mark.parametrize("there", [True, False])
def test_missing_or_older_tables_are_compiled_anew(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    old = shipped(grammar)
    vars(old).update(GRAMMAR=grammar + "\n// changed\n", RULES=())
    monkeypatch.setitem(sys.modules, SHIPPED, old if there else None)  # type: ignore[arg-type]
    assert tables.load() == tables.compile_tables(grammar)


def test_the_build_hook_writes_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec and spec.loader
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    target = tmp_path / "compiler" / "detc" / "syntax"
    target.mkdir(parents=True)
    written = hook.write_tables(tmp_path)
    assert written.parent == target
    assert written.read_text(encoding="utf-8") == tables.module_source(tables.GRAMMAR.read_text(encoding="utf-8"))


def test_two_builds_of_the_tables_are_the_same() -> None:
    script = "from detc.syntax import tables; print(tables.module_source(tables.GRAMMAR.read_text(encoding='utf-8')))"
    outputs = set()
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "compiler")}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_reserved_words_are_those_of_the_grammar() -> None:
    literals = tables.load().literals
    assert {word for word in literals if word.isalpha()} == RESERVED
    assert all(f" {word}," in mistakes.RESERVED.text or f" {word}." in mistakes.RESERVED.text for word in RESERVED)


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_unit_is_read_as_one(unit: str) -> None:
    for text in (f"x = 5 {unit}", f"x = 5{unit}", f"x = f(5 {unit}, 2)"):
        file, findings = parse(Source("", text))
        assert not findings
        (item,) = file.items
        assert isinstance(item, tree.Assign)
        value = item.value.args[0] if isinstance(item.value, tree.Call) else item.value
        assert isinstance(value, tree.Quantity) and value.unit == unit


def test_what_the_grammar_reads_as_a_unit_has_a_meaning() -> None:
    for prefix in ("", *"kMGTKmunp", "Ki", "Mi", "Gi"):
        for unit in ("B", "B/s", "Hz", "s", "J", "W", "MAC", "OPS", "bit", "bits", "h", "min", "px", "deg", "fps", "%"):
            file, findings = parse(Source("", f"x = [5 {prefix}{unit}]"))
            read = file.items[0] if file.items and not findings else None
            known = f"{prefix}{unit}" in UNITS
            assert (read is not None) == known, (prefix, unit)
