"""Does the net fit: RAM of detc's own code and of ST's, flash, the neural processor's pools. One function a rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from detc.diagnostics import Finding, Related, Rule, Span
from detc.diagnostics.finding import USED_HERE, Level
from detc.report.figures import size
from detc.semantics.program import Target
from detc.targets.bounds import place
from detc.targets.stm32.facts import Pool, flashes, memories, number

NO_MEMORY = Rule(
    "STM100",
    "error",
    """target `{name}` names no {actual} that a net may use

    Families and cores are what boards extend; a net is judged on a part or a board, whose memories are known.""",
    help="choose a board: `detc targets` lists them; or write one: `target mine extends {name} {{ memory ram {{ .. }} .. }}`",
)
OWN_RAM = Rule(
    "STM101",
    "error",
    """the net needs {actual} of RAM in detc's C code, and {target} leaves it {allowed}: `{name}` is the fullest step, with
    {alive}

    All tensors that are alive at one time lie in one arena, outputs over inputs where the kernels allow it. What the application
    keeps for itself (`application` of each memory) is not the net's.""",
    help="{remedy}",
)
ST_RAM = Rule(
    "STM102",
    "error",
    """the net needs ~{actual} of RAM in the code of ST's tool {tool}, and {target} leaves it {allowed} in one memory: `{name}` is
    the fullest operator, with {alive}

    ST's tool puts all activations, the picture and the outputs into one pool and fails at link time where that is too small. With
    `--set target.runtime=st` this decides whether the net fits; detc's own C code is judged by a figure of its own.""",
    help="{remedy}",
)
ST_CLOSE = Rule(
    "STM103",
    "warning",
    """the net needs ~{actual} of RAM in the code of ST's tool {tool}, which is within its error of the {allowed} that {target}
    leaves

    The estimate may be wrong by {margin}.""",
    help="keep a reserve of {margin}, or let ST's tool say: its report names the exact figure",
)
TENSOR = Rule(
    "STM104",
    "error",
    """the tensor `{name}` takes {actual}, and the largest memory of {target} leaves {allowed}

    A tensor lies in one memory as a whole.""",
    help="shrink the picture or the channels of this layer",
)
POSTPROCESSING = Rule(
    "STM105",
    "error",
    """the boxes of the post-processing take {actual} beside the net, and {target} leaves {allowed}

    Candidates are kept in a fixed buffer until overlapping ones are dropped.""",
    help="lower `max_detections`, or use fewer classes",
)
APPLICATION = Rule(
    "STM106",
    "error",
    """the application keeps {actual} of `{name}`, which has {allowed}

    `application` and `buffer` are parts of the memory.""",
    help="correct the board's file",
)
SPILL = Rule(
    "STM107",
    "warning",
    """the net needs {actual} of RAM, and the memories inside {target} leave {allowed}: the rest lies outside the chip

    Activations in external memory take about twice the time of a picture.""",
    help="{remedy}",
)
FLASH = Rule(
    "STM110",
    "error",
    """weights and code take ~{actual} in {whose}, and the flash of {target} leaves {allowed}

    Weights are exact, code is estimated. detc's own C code keeps factors of each channel and tables beside the weights.""",
    help="narrow the net: its weights take {weights}",
)
EXTERNAL_FLASH = Rule(
    "STM111",
    "note",
    """weights and code take ~{actual} in {whose}, more than the {allowed} that {target} leaves inside: {what} in external flash

    Reading weights from outside the chip slows layers with many weights down; the estimate of the time leaves that out.""",
    help="",
)
UNPUBLISHED = Rule(
    "STM112",
    "note",
    """no figure of a microcontroller is published for version {actual} of ST's tool; the rules of an older one are used""",
    help="",
)


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a net needs most: the step's name and text, and what is alive then, (name, bytes) each."""

    name: str
    span: Span | None
    via: tuple[Span, ...]
    alive: tuple[tuple[str, int], ...]

    def words(self) -> str:
        """`conv1` 144.0 KiB, `conv2` 72.0 KiB and 3 more: the largest first."""
        ordered = sorted(self.alive, key=lambda item: -item[1])
        said = [f"`{name}` {size(bytes)}" for name, bytes in ordered[:SAID]]
        more = len(ordered) - len(said)
        return ", ".join(said) + (f" and {more} more" if more else "")

    def related(self, pool: Pool) -> tuple[Related, ...]:
        kept = (Related(b.span, f"the application's {b.label}: {size(number(b, 'size'))}") for b in pool.buffers)
        return (place(pool.fact), *kept, *(Related(span, USED_HERE) for span in self.via if span != self.span))


SAID = 4
"""Tensors that a message names."""


def spills(target: Target) -> bool:
    """Whether activations may lie outside the chip."""
    return "spill" in target.params and bool(target.params["spill"].value)


def usable(target: Target) -> tuple[Pool, ...]:
    """The RAM that activations may lie in, internal first, the largest first."""
    return tuple(pool for pool in memories(target) if pool.room and (not pool.external or spills(target)))


def own_runtime(target: Target) -> bool:
    """Whether detc's own code is what has to fit; else that of ST's tool."""
    return "runtime" not in target.params or target.params["runtime"].value == "own"


def check_target(target: Target) -> Iterator[Finding]:
    """What the target itself lacks or states wrongly."""
    found: tuple[tuple[str, Sequence[Pool]], ...] = (("memory", usable(target)), ("flash", flashes(target)))
    for kind, pools in found:
        if not any(pool.room for pool in pools):
            related = (Related(target.span, "this target"),) if target.span else ()
            yield NO_MEMORY(None, name=target.name, actual=kind, related=related)
    for pool in (*memories(target), *flashes(target)):
        if pool.application > pool.size:
            kept, held = size(pool.application), size(pool.size)
            yield APPLICATION(pool.fact.span, name=pool.name, actual=kept, allowed=held)


def check_own(
    peak: Peak, needed: int, fits: bool, largest: Peak, boxes: int, target: Target, remedy: str
) -> Iterator[Finding]:
    """detc's own code: `needed` bytes of arena, `largest` its largest tensor, and `boxes` of post-processing."""
    pools = usable(target)
    level: Level | None = None if own_runtime(target) else "warning"
    biggest, room = max(pools, key=lambda pool: pool.room), sum(pool.room for pool in pools)
    held = (
        f"{size(room)} in {len(pools)} memories, {size(biggest.room)} in the largest" if len(pools) > 1 else size(room)
    )
    if not fits:
        for name, bytes in largest.alive:
            if bytes > biggest.room:
                yield TENSOR(
                    largest.span,
                    label="written here",
                    related=largest.related(biggest),
                    level=level,
                    name=name,
                    actual=size(bytes),
                    allowed=size(biggest.room),
                    target=target.name,
                )
        yield OWN_RAM(
            peak.span,
            label="the fullest step",
            related=peak.related(biggest),
            level=level,
            name=peak.name,
            actual=size(needed),
            allowed=held,
            target=target.name,
            alive=peak.words(),
            remedy=remedy,
        )
    elif needed + boxes > room:
        yield POSTPROCESSING(
            None,
            related=(place(biggest.fact),),
            level=level,
            actual=size(boxes),
            allowed=size(room - needed),
            target=target.name,
        )


def check_st(peak: Peak, needed: int, margin: float, tool: str, target: Target, remedy: str) -> Iterator[Finding]:
    """The code of ST's tool: `needed` bytes in one pool, wrong by `margin` of it at most."""
    pool = max(usable(target), key=lambda pool: pool.room)
    facts: dict[str, Any] = {"actual": size(needed), "allowed": size(pool.room), "target": target.name, "tool": tool}
    if needed > pool.room:
        yield ST_RAM(
            peak.span,
            label="the fullest operator",
            related=peak.related(pool),
            level="warning" if own_runtime(target) else None,
            name=peak.name,
            alive=peak.words(),
            remedy=remedy,
            **facts,
        )
    elif needed * (1 + margin) > pool.room and not own_runtime(target):
        yield ST_CLOSE(peak.span, related=peak.related(pool), margin=f"{margin:.0%}", **facts)


def check_spill(peak: Peak, needed: int, pools: Sequence[Pool], target: Target, remedy: str) -> Iterator[Finding]:
    """Activations outside the chip, where the target allows them there. `pools` are those that they may lie in."""
    inside = [pool for pool in pools if not pool.external]
    room = sum(pool.room for pool in inside)
    if inside and needed > room:
        yield SPILL(
            peak.span,
            related=peak.related(inside[0]),
            actual=size(needed),
            allowed=size(room),
            target=target.name,
            remedy=remedy,
        )


def check_flash(weights: int, code: int, target: Target, own: bool) -> Iterator[Finding]:
    """Weights and code in internal flash, else the weights outside, else both: in detc's own C code or in that of ST's tool. The
    one that is not to run the net is warned about at most."""
    decides = own == own_runtime(target)
    pools = flashes(target)
    inside = sum(pool.room for pool in pools if not pool.external)
    outside = sum(pool.room for pool in pools if pool.external)
    pool = next((pool for pool in pools if pool.room), pools[0])
    whose = "detc's C code" if own else "the code of ST's tool"
    facts: dict[str, Any] = {"actual": size(weights + code), "target": target.name, "whose": whose}
    if weights + code <= inside:
        return
    if (code <= inside and weights <= outside) or weights + code <= outside:
        if inside and decides:
            what = "weights lie" if code <= inside else "both lie"
            yield EXTERNAL_FLASH(None, related=(place(pool.fact),), allowed=size(inside), what=what, **facts)
        return
    level: Level | None = None if decides else "warning"
    held = size(inside + outside)
    yield FLASH(None, related=(place(pool.fact),), level=level, allowed=held, weights=size(weights), **facts)


def check_tool(tool: str, placeholder: bool) -> Iterator[Finding]:
    if placeholder:
        yield UNPUBLISHED(None, actual=tool)
