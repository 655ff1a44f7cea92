"""Reading a spec costs little before anything else is done."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from detc.diagnostics import Source
from detc.syntax import tables
from detc.syntax.parser import parse

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys, time
start = time.process_time()
sys.modules["detc.syntax._tables"] = __import__("types").ModuleType("_tables")
exec(open(sys.argv[1]).read(), vars(sys.modules["detc.syntax._tables"]))
start = time.process_time()
from detc.diagnostics import Source
from detc.syntax.parser import parse
file, findings = parse(Source("spec.det", open(sys.argv[2]).read()))
assert file.items and not findings
heavy = {"lark", "rich", "pydantic", "networkx", "numpy", "torch"}
print(time.process_time() - start, *sorted(heavy & set(sys.modules)))
"""


@pytest.mark.alone
def test_parsing_needs_no_lark_and_little_time(tmp_path: Path) -> None:
    made = tmp_path / "tables.py"
    made.write_text(tables.module_source(tables.GRAMMAR.read_text(encoding="utf-8")), encoding="utf-8")
    spec = ROOT / "specs" / "gnetdet448.det"
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(made), str(spec)], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(ROOT / "compiler")},
        )  # fmt: skip
        seconds, *modules = done.stdout.split()
        assert not modules
        times.append(float(seconds))
    assert min(times) < 0.2


@pytest.mark.alone
def test_a_spec_of_5000_layers_is_read_fast() -> None:
    layers = "".join(f"  let c{i} = c{i - 1} |> conv(64, k = 3x3) |> relu\n" for i in range(1, 5001))
    text = f"model m {{\n  input c0: u8[3, 448, 448]\n{layers}}}\n"
    start = time.process_time()
    file, findings = parse(Source("", text))
    assert time.process_time() - start < 1.5
    assert not findings and len(file.items) == 1
