"""How long a picture would take on every board that detc knows: an estimate, from MACs and the cycles of the boards' cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detc.semantics.environment import Context
from detc.semantics.overrides import Overrides
from detc.semantics.program import Program, Section
from detc.semantics.targets import resolve

BOARDS = Path(__file__).parent / "boards"


@dataclass(frozen=True, slots=True)
class BoardTime:
    """`ms` may be wrong by the share `error` either way."""

    board: str
    core: str
    clock: int
    ms: float
    error: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def board_times(macs: Mapping[str, int]) -> list[BoardTime]:
    """For `macs` by the kinds of `cycles { dense separable inverted }`: the boards with a clock and cycles, the fastest first."""
    names = sorted(path.stem for path in BOARDS.glob("*.det") if not path.stem.startswith("qemu"))
    return sorted((time for name in names for time in _times(name, macs)), key=lambda time: (time.ms, time.board))


def _times(name: str, macs: Mapping[str, int]) -> Iterator[BoardTime]:
    target = resolve(name, Context(Program(name, name), Path(), Overrides()), None)
    core = target.root.find("core") if target else None
    cycles = target.root.find("cycles") if target else None
    if core is None or cycles is None or "clock" not in core.facts:
        return
    clock = int(_value(core, "clock"))
    taken = sum(count * float(_value(cycles, kind)) for kind, count in macs.items() if count)
    yield BoardTime(
        name, str(_value(core, "name")), clock, round(taken / clock * 1000, 1), float(_value(cycles, "error"))
    )


def _value(section: Section, name: str) -> Any:
    return section.facts[name].value
