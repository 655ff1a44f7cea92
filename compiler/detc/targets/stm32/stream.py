"""Steps that take turns row by row, so that the maps between them never lie in memory whole.

A stream is a run of consecutive steps whose inner tensors nothing else reads. It goes down its output row by row: a step computes
its next row as soon as the rows that this one stands on are there, and asks the steps before it for those that are not. Of an
inner tensor only the rows that are still read are kept, in a window. Every kernel works on one row, as on a smaller map:

    made    = the rows of a step's output that are there already; made .. made + grain come next
    keep    = the first row that a reader will still look at: what lies above is dropped, and the rest moved to the window's top

A convolution before a pool, a convolution before a convolution, a concatenation before a convolution: none of them needs the
bytes of its whole output. No value is computed twice. (Line buffering, as in Halide's sliding windows: Ragan-Kelley and others,
2013.) `detc_stream.c` does the same on the chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detc.targets.stm32.overlap import IN_PLACE
from detc.targets.stm32.slots import Slot, scratch_bytes
from detc.targets.stm32.steps import Step, Steps, map_shape

WINDOWED = frozenset(("conv", "depthwise", "max_pool", "average_pool"))
ROW_BY_ROW = frozenset(("add", "mul", "table", "concat", "channels", "shuffle"))

MOST_STEPS, MOST_INPUTS = 12, 8
"""The longest stream and the widest step of one: DETC_STREAM_MOST and DETC_STREAM_INPUTS of detc_stream.h."""

ENDS = 12
"""Rows at either end of a map in which a guess looks for the largest window and distance."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How rows of a step's output stand on rows of its input.

    Row r stands on rows r * stride - top .. r * stride - top + extent - 1, as far as they exist. `grain` rows are always computed
    together, from one row: enlarging gives several rows of one.
    """

    stride: int = 1
    top: int = 0
    extent: int = 1
    grain: int = 1

    def first(self, row: int) -> int:
        """The first row of the input that row `row` of the output, or a later one, stands on."""
        return max(0, row // self.grain * self.stride - self.top)

    def end(self, rows: int, height: int) -> int:
        """How many rows of an input of `height` rows the first `rows` rows stand on."""
        return min(height, (-(-rows // self.grain) - 1) * self.stride - self.top + self.extent) if rows else 0


def rows_of(steps: Steps, step: Step) -> Rows | None:
    """The rows of a step; None where its kernel needs the whole map at once."""
    of = step.attributes
    maps = len(steps.tensors[step.output]) == 3 and not any(name in steps.aliases for name in step.inputs)
    if not maps or len(step.inputs) > MOST_INPUTS:
        return None
    if step.kernel in WINDOWED:
        gap = of.get("dilation", (1, 1))[0]
        return Rows(of["stride"][0], of["pad"][0], gap * (of["k"][0] - 1) + 1)
    if step.kernel in ROW_BY_ROW:
        return Rows()
    if step.kernel == "space_to_depth":
        return Rows(of["block"], 0, of["block"])
    if step.kernel == "resize" and not of["bilinear"]:
        return Rows(grain=of["factor"][0])
    return None


class Stream:
    """A run of steps as a stream. `inner` are the tensors that live in windows, with the numbers of their steps."""

    def __init__(self, steps: Steps, run: Sequence[Step]):
        self.steps, self.run = steps, tuple(run)
        self.inner = {step.output: number for number, step in enumerate(self.run[:-1])}
        self.rows = [rows_of(steps, step) or Rows() for step in self.run]
        self.heights = [map_shape(steps.tensors[step.output])[0] for step in self.run]
        self.readers: list[list[int]] = [[] for _ in self.run]
        self.sources: list[list[int]] = [[] for _ in self.run]
        self.outside: dict[str, list[int]] = {}
        for number, step in enumerate(self.run):
            for name in steps.reads(step):
                if name in self.inner:
                    self.readers[self.inner[name]].append(number)
                    self.sources[number].append(self.inner[name])
                else:
                    self.outside.setdefault(name, []).append(number)

    def made(self, rows: int) -> tuple[int, ...]:
        """Rows made of every step's output when `rows` rows of the last one are."""
        made = [0] * len(self.run)
        made[-1] = rows
        for number in range(len(self.run) - 2, -1, -1):
            ends = max(self.rows[r].end(made[r], self.heights[number]) for r in self.readers[number])
            grain = self.rows[number].grain
            made[number] = -(-max(ends, 0) // grain) * grain
        return tuple(made)

    def windows(self, rows: int) -> list[int]:
        """The most rows of every step's output that are kept at once, until `rows` rows of the last one are made."""
        made, most, last = [0] * len(self.run), [0] * len(self.run), len(self.run) - 1
        while made[last] < rows:
            number = last
            while (lacking := self._lacking(number, made)) is not None:
                number = lacking
            keep = min([self.rows[r].first(made[r]) for r in self.readers[number]] + [made[number]])
            made[number] = min(made[number] + self.rows[number].grain, self.heights[number])
            most[number] = max(most[number], made[number] - keep)
        return most

    def _lacking(self, number: int, made: Sequence[int]) -> int | None:
        """A step of which a row is missing that the next row of step `number` stands on."""
        next_row = min(made[number] + self.rows[number].grain, self.heights[number])
        for source in self.sources[number]:
            if made[source] < self.rows[number].end(next_row, self.heights[source]):
                return source
        return None

    def slot(self, guess: bool = False) -> Slot:
        """The stream as a turn of the schedule; with `guess` only some of its rows are looked at.

        Its output may lie over an input. A turn ends with a row of the output, so up to then `written` bytes of it are written,
        and whatever a step before the last one read in this turn it has read before. It will not read above row `low` again
        (`first` never falls), so output + written <= input + low * row keeps all that is to come. The last step itself reads
        while it writes: for it `low` is that of the turn's beginning, unless its kernel works in place.
        """
        steps, last, grain = self.steps, self.run[-1], self.rows[-1].grain
        turns = -(-self.heights[-1] // grain)
        short = guess and turns > 3 * ENDS
        looked = (
            (*range(ENDS), *range(turns // 2, turns // 2 + 4), *range(turns - ENDS, turns)) if short else range(turns)
        )
        windows = self.windows(ENDS * grain if short else self.heights[-1])
        row = {name: row_bytes(steps, name) for name in (*self.inner, *self.outside, last.output)}
        whole = {name for step in self.run for name in whole_inputs(steps, step)}
        apart = {name: 0 for name in self.outside if name not in whole}
        for turn in looked:
            before, after = self.made(turn * grain), self.made(min((turn + 1) * grain, self.heights[-1]))
            written = after[-1] * row[last.output]
            for name in apart:
                for reader in self.outside[name]:
                    if reader < len(self.run) - 1 and turn < turns - 1:  # it reads on in the next turn
                        low = self.rows[reader].first(after[reader])
                    elif reader == len(self.run) - 1 and last.kernel not in IN_PLACE:  # it reads while it writes
                        low = self.rows[reader].first(before[reader])
                    else:
                        continue
                    apart[name] = max(apart[name], written - low * row[name])
        sizes = tuple((name, windows[number] * row[name]) for name, number in self.inner.items())
        scratch = max(scratch_bytes(steps, step) for step in self.run)
        return Slot(self.run, tuple(self.outside), last.output, scratch, tuple(apart.items()), sizes)


def whole_inputs(steps: Steps, step: Step) -> tuple[str, ...]:
    """The storages that a step reads whole for every row: a value a channel."""
    heights = [map_shape(steps.tensors[name])[0] for name in step.inputs]
    return tuple(steps.storage(n) for n, height in zip(step.inputs, heights, strict=True) if height != heights[0])


def row_bytes(steps: Steps, name: str) -> int:
    """Bytes of a row of a map."""
    _, width, channels = map_shape(steps.tensors[name])
    return width * channels
