"""The arena of every library spec: near its lower bound, and beside what ST's tool needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from stm32_nets import STM32, lowered, target_of

from detc.library import library_names
from detc.semantics.program import Target
from detc.targets.stm32.arena import plan_net
from detc.targets.stm32.costs import StCosts, costs_of
from detc.targets.stm32.facts import flashes, memories
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.npu import npu_of
from detc.targets.stm32.plan import arena_json
from detc.targets.stm32.schedule import Schedule
from detc.targets.stm32.st_graph import of_graph
from detc.targets.stm32.st_rules import StRules, read_rules
from detc.targets.stm32.steps import Steps

PAGE = Path(__file__).parents[3] / "docs" / "stm32.md"
EMULATED = ("qemu_m4", "qemu_m7", "qemu_m55")
SMALLER = (320, 256, 224, 192)
"""Pictures that are tried where a net's own needs more RAM than any board has."""


@dataclass(frozen=True)
class Board:
    name: str
    ram: int
    flash: int

    def holds(self, costs: StCosts) -> bool:
        return costs.bytes <= self.ram and costs.weights + costs.code.value <= self.flash


@dataclass(frozen=True)
class Row:
    """A spec on a picture; `board` is the smallest that holds it inside by ST's figures, "" if none does."""

    spec: str
    image: int
    st: int
    alone: int
    bound: int
    own: int
    board: str

    @property
    def share(self) -> float:
        return self.own / self.st

    def line(self) -> str:
        sizes = "".join(f"{bytes / 1024:>9.1f}" for bytes in (self.st, self.alone, self.own))
        tight = f"{self.own / self.bound:>7.3f}"
        return f"{self.spec:<26}{self.image:>5}{sizes}{self.share:>7.2f}{tight}  {self.board}".rstrip()


def boards() -> list[Board]:
    """Real boards without a neural processor, by RAM inside the part."""
    found = []
    for file in (STM32 / "boards").glob("*.det"):
        target = target_of(file.stem)
        if file.stem not in EMULATED and npu_of(target) is None:
            ram = sum(pool.room for pool in memories(target) if not pool.external)
            flash = sum(pool.room for pool in flashes(target) if not pool.external)
            found.append(Board(file.stem, ram, flash))
    return sorted(found, key=lambda board: (board.ram, board.name))


def judged() -> tuple[Target, StRules]:
    target = target_of("stm32h747i_disco", tool="8.1.0", optimization="balanced")
    rules = read_rules(target)
    assert isinstance(rules, StRules)
    return target, rules


def costs_and_steps(spec: str, image: int | None = None) -> tuple[StCosts, Steps] | None:
    """What ST's tool needs, and the steps of detc's own code; None where a layer has no kernel."""
    graph, program = lowered(spec, (("image", image),) if image else ())
    steps, found = steps_of(graph, list(program.models.values())[-1])
    seen = of_graph(graph)
    return None if found or seen is None else (costs_of(seen, *judged()), steps)


def row_of(spec: str, fitting: list[Board]) -> Row | None:
    """A spec on its own picture, or on the largest smaller one that makes it fit where only RAM is lacking."""
    made = costs_and_steps(spec)
    if made is None:
        return None
    costs, steps = made
    board = next((b.name for b in fitting if b.holds(costs)), "")
    if not board and any(costs.weights + costs.code.value <= b.flash for b in fitting):
        for image in SMALLER:
            less = costs_and_steps(spec, image)
            board = next((b.name for b in fitting if less and b.holds(less[0])), "")
            if board and less:
                costs, steps = less
                break
    arena = arena_json(*plan_net(steps, ()))
    side = steps.tensors[steps.input][0]
    return Row(spec, side, costs.bytes, Schedule(steps, 0).fullest(), arena["bound"], arena["bytes"], board)


def test_a_small_detector_needs_less_than_st_s_tool_and_less_than_its_steps_alone() -> None:
    row = row_of("st_yolo_lc_v1", boards())
    assert row is not None and row.image == 256 and row.st == 278_592
    assert row.share <= 0.85 and row.own < row.alone and row.own <= 1.02 * row.bound


@pytest.mark.long
def test_the_library_beside_st_s_tool(golden: Callable[[str, str], None]) -> None:
    """Which specs count is decided by ST's figures alone, so that a smaller arena of ours lets no other spec in."""
    fitting = boards()
    rows = [row for name in library_names() if (row := row_of(name, fitting)) is not None]
    counted = [row for row in rows if row.board]
    assert all(row.bound <= row.own <= 1.02 * row.bound for row in rows)
    assert len(counted) >= 5 and median(row.share for row in counted) <= 0.85
    lines = [
        "RAM in KiB: ST's tool 8.1.0, balanced (ram_st); detc without streams; detc (ram_own)",
        "",
        f"{'spec':<26}{'image':>5}{'ST':>9}{'alone':>9}{'own':>9}{'/ ST':>7}{'/bound':>7}  smallest board that holds ST's",
        *(row.line() for row in sorted(rows, key=lambda row: (not row.board, row.spec))),
        "",
        f"median of own / ST: {median(row.share for row in counted):.2f} of the {len(counted)} that some board holds,"
        f" {median(row.share for row in rows):.2f} of all {len(rows)}",
    ]
    text = "\n".join(lines)
    golden("stm32/library_memory.txt", text)
    assert text in PAGE.read_text(encoding="utf-8"), "docs/stm32.md shows another table than tests/golden/stm32"
