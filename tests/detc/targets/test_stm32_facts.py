"""Facts in .det, judgement in Python: every number of the stm32 files decides something, and none stands in a .py file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from stm32_nets import SPECS, STM32, Ops, edited, facts_of, lowered, rules_of, target_of

import detc.targets.stm32 as package
from detc.semantics.program import Target
from detc.targets.stm32.backend import judge
from detc.targets.stm32.estimates import code_flash, runtime_ram
from detc.targets.stm32.ram_st import estimate
from detc.targets.stm32.st_ops import StModel
from detc.targets.stm32.st_rules import StRules, read_rules
from detc.targets.stm32.weights import weight_bytes

SAME3 = {"kernel": (3, 3), "padding": (2, 2)}


def probes() -> Iterator[StModel]:
    """Nets of one operator or two, each at whose peak another number of the rules counts."""
    for kind, before, after, more in (
        ("conv", (16, 16, 3), (8, 8, 8), SAME3),  # a first conv
        (
            "conv",
            (16, 16, 5),
            (8, 8, 8),
            SAME3,
        ),  # a conv that copies its input, if it has more channels than a first one
        ("conv", (16, 16, 64), (16, 16, 64), SAME3),  # all weights are too many to unfold
        ("conv", (16, 16, 8), (16, 16, 8), {"kernel": (3, 3)}),
        ("depthwise", (16, 16, 8), (16, 16, 8), SAME3),
        ("depthwise", (16, 16, 8), (14, 14, 8), {"kernel": (3, 3)}),
        ("conv", (16, 16, 8), (16, 16, 16), {}),
        ("conv", (16, 16, 8), (16, 16, 24), {}),
        ("dense", (64,), (10,), {}),
        ("softmax", (64,), (64,), {}),
    ):
        weights = {"constants": ("w", "b")}
        ops = (
            Ops("x")
            .tensor("x", *before)
            .tensor("y", *after)
            .tensor("w", 7, constant=True)
            .tensor("b", 2, constant=True)
        )
        yield ops.op(kind, "x", "y", **more, **(weights if kind in ("conv", "dense") else {})).done()
    ops = Ops("a").tensor("a", 64).tensor("b", 64).tensor("c", 64)
    yield ops.op("other", "a", "b").op("elementwise", "a b", "c").done()
    ops = Ops("x").tensor("x", 4).tensor("y", 4).tensor("priors", 4, constant=True)
    yield ops.op("other", "x", "y").done("y", "priors")


def told(rules: StRules) -> list[Any]:
    """Everything that the rules say of the probes."""
    said: list[Any] = [(estimate(m, rules).bytes, weight_bytes(m, rules)) for m in probes()]
    return [*said, runtime_ram(20, rules), code_flash(20, rules), rules.margin]


@pytest.mark.parametrize("name", [field.name for field in fields(StRules)])
def test_every_number_of_the_rules_decides_something(name: str) -> None:
    rules = rules_of()
    value = getattr(rules, name)
    other = not value if isinstance(value, bool) else value + 1
    assert told(replace(rules, **{name: other})) != told(rules)


def test_the_rules_are_read_from_the_file_and_nothing_else_is_there() -> None:
    tool = target_of("stm32").root.find("tool", "8.1.0")
    assert tool is not None
    plain = {path.rpartition(" . ")[2] for path in facts_of(tool) if not path.startswith("optimization")}
    assert plain == {field.name for field in fields(StRules)}
    for version, optimization in (("8.1.0", "ram"), ("8.1.0", "time"), ("10.0.0", "balanced"), ("3.0.0", "balanced")):
        assert rules_of(version, optimization) != rules_of(), (version, optimization)


def test_an_edited_rule_is_heard(tmp_path: Path) -> None:
    rules = read_rules(edited(tmp_path, "nucleo_f411re", "conv_most         = 5120 B", "conv_most = 77 B"))
    assert isinstance(rules, StRules) and rules == replace(rules_of(), conv_most=77)


# ---- boards -----------------------------------------------------------------------------------------------------------

NETS = {
    "lc": ("st_yolo_lc_v1", (("image", 192), ("classes", 1))),
    "mb": ("ssdlite_mobilenetv3small", (("image", 300),)),
}

EDITS: list[tuple[str, str, str, str]] = [
    # board, text in one of the files of its line, edited text, the net that it changes something for
    ("stm32h747i_disco", "application = 97 KiB", "application = 400 KiB", "lc"),
    ("stm32h747i_disco", "application = 8 KiB", "application = 9 KiB", "lc"),
    ("stm32h747i_disco", "memory sram123 { application = 288 KiB }", "memory sram123 { application = 0 KiB }", "lc"),
    ("stm32h747i_disco", "memory sram4 { application = 64 KiB }", "memory sram4 { application = 0 KiB }", "lc"),
    ("stm32h747i_disco", "flash internal { application = 1 MiB }", "flash internal { application = 2040 KiB }", "lc"),
    ("stm32h747i_disco", "application = 3072 KiB", "application = 130800 KiB", "mb"),
    ("stm32h747i_disco", "clock = 400 MHz", "clock = 200 MHz", "lc"),
    ("nucleo_h743zi", "address = 0x24000000  size = 512 KiB", "address = 0x24000000  size = 100 KiB", "lc"),
    ("nucleo_h743zi", "size = 2 MiB", "size = 200 KiB", "lc"),
    ("nucleo_h743zi", "dense = 1.3", "dense = 1.4", "lc"),
    ("nucleo_h743zi", "separable = 1.7", "separable = 1.8", "lc"),
    ("nucleo_h743zi", "inverted = 2.2", "inverted = 2.3", "mb"),
    ("nucleo_h743zi", "error = 15 %", "error = 16 %", "lc"),
    ("stm32n6570_dk", "application = 400 KiB", "application = 0 KiB", "lc"),
    ("stm32n6570_dk", "application = 624 KiB", "application = 0 KiB", "lc"),
    ("stm32n6570_dk", "size = 1024 KiB  npu = true", "size = 1023 KiB  npu = true", "lc"),
    ("stm32n6570_dk", "size = 1792 KiB  npu = true", "size = 1792 KiB  npu = false", "lc"),
    ("stm32n6570_dk", "size = 61 MiB", "size = 1 MiB", "mb"),
    ("stm32n6570_dk", "planning = 2", "planning = 6", "mb"),
    ("stm32n6570_dk", "planning_error = 50 %", "planning_error = 60 %", "lc"),
    ("stm32n6570_dk", "weights = 367 MB/s", "weights = 300 MB/s", "lc"),
    ("stm32n6570_dk", "activations = 1445 MB/s", "activations = 700 MB/s", "lc"),
    ("stm32n6570_dk", "multiplications = 317 GMAC", "multiplications = 30 GMAC", "lc"),
]


def verdict(target: Target, net: str) -> Any:
    """Metrics, errors, budget bars and codes of a net on a target."""
    spec, sets = NETS[net]
    graph, program = lowered(spec, sets)
    done = judge(graph, list(program.models.values())[-1], target)
    bars = [{key: value for key, value in bar.items() if key != "span"} for bar in done.limits]
    return done.metrics, done.errors, bars, sorted(finding.code for finding in done.findings)


@lru_cache
def shipped(board: str, net: str) -> Any:
    return verdict(target_of(board), net)


@pytest.mark.parametrize(("board", "old", "new", "net"), EDITS)
def test_editing_a_number_of_a_board_changes_a_figure_or_the_verdict(
    board: str, old: str, new: str, net: str, tmp_path: Path
) -> None:
    assert verdict(edited(tmp_path, board, old, new), net) != shipped(board, net)


def test_spilling_costs_the_time_that_the_facts_say(tmp_path: Path) -> None:
    def milliseconds(old: str = "", new: str = "") -> float:
        target = edited(tmp_path, "stm32n6570_dk", "planning = 2", "planning = 9")
        if old:
            text = (tmp_path / "my_stm32n6570_dk.det").read_text(encoding="utf-8")
            (tmp_path / "other.det").write_text(
                text.replace("my_stm32n6570_dk", "other").replace(old, new), encoding="utf-8"
            )
            target = target_of("other", tmp_path)
        return float(verdict(target, "mb")[0]["latency_ms_est"])

    assert milliseconds("spill_cost = 2", "spill_cost = 4") == pytest.approx(2 * milliseconds(), rel=0.01)


def test_no_number_of_the_files_stands_in_python() -> None:
    """Numbers beyond 10 of the stm32 files do not occur as literals in the estimates and checks."""
    values: set[float] = set()
    for path in STM32.rglob("*.det"):
        text = re.sub(r'"[^"]*"|#.*|0x[0-9a-f]+', "", path.read_text(encoding="utf-8"))
        values |= {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text) if float(number) > 10}
    mine = (
        "costs",
        "estimates",
        "facts",
        "memory_checks",
        "metrics",
        "npu",
        "own",
        "own_flash",
        "ram_st",
        "st_*",
        "weights",
        "backend",
    )
    for name in mine:
        for path in Path(package.__file__).parent.glob(f"{name}.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value != 1000:
                    assert float(node.value) not in values, f"{path.name}:{node.lineno} holds {node.value}"


def test_nothing_is_looked_up_by_the_name_of_a_net_or_by_a_hash() -> None:
    nets = {path.stem for path in SPECS.glob("*.det")} | {"mobilenet", "yolo", "ssd", "sha256", "md5", "hashlib"}
    for path in Path(package.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                if path.name in ("postprocess_buffers.py", "head_checks.py"):  # kinds of heads, not nets
                    continue
                assert not any(net in node.value.lower() for net in nets), f"{path.name}:{node.lineno} {node.value!r}"
