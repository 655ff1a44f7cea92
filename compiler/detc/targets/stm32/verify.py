"""The verifier of a plan: it executes the emitted offsets on a picture of the memory and trusts nothing of the planner.

Every byte carries a label of the tensor and row that wrote it; a byte that nobody wrote is 0xA5. A step must find the rows that
it reads as they were written, pixel by pixel while it writes its own; its scratch is overwritten before it and after it. Steps of
a stream take turns, as `detc_stream.c` has them do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Target
from detc.targets.stm32.verify_memory import BrokenPlan, Memory, Plan
from detc.targets.stm32.verify_reads import AHEAD, Stand, lines, pixels, stand_of

BROKEN_PLAN = Rule(
    "STM390",
    "error",
    """detc's own memory plan is wrong: {actual}

    The planner and this check are written apart on purpose. Your spec is not at fault.""",
    help="please report it with the spec",
)


def verify_plan(plan: Plan, target: Target | None = None, thorough: bool = False) -> tuple[Finding, ...]:
    """A finding for the first promise of a plan that does not hold; none for a plan that holds.

    `thorough` follows overlapping steps through every pixel; else through those of their first and last rows.
    """
    try:
        _Machine(plan, thorough).run()
    except BrokenPlan as broken:
        return (BROKEN_PLAN(target.span if target else None, actual=str(broken)),)
    return ()


class _Machine:
    def __init__(self, plan: Plan, thorough: bool):
        self.plan, self.thorough = plan, thorough
        self.memory = Memory(plan)

    def run(self) -> None:
        memory, steps = self.memory, {step["name"]: step for step in self.plan["steps"]}
        memory.write(self.plan["input"])
        streams = {stream["steps"][0]: stream for stream in self.plan["arena"].get("streams", ())}
        waiting = [step["name"] for step in self.plan["steps"]]
        while waiting:
            stream = streams.get(waiting[0])
            if stream is None:
                self.step(steps[waiting.pop(0)])
                continue
            names, waiting = waiting[: len(stream["steps"])], waiting[len(stream["steps"]) :]
            if names != stream["steps"]:
                raise BrokenPlan(f"the steps of the stream of `{names[0]}` do not follow each other")
            self.stream([steps[name] for name in names], stream["windows"])
        for name in [tensor for tensors in self.plan["outputs"].values() for tensor in tensors]:
            memory.check(name, "the end of the net")

    # ---- a step alone ------------------------------------------------------------------------------------------------

    def step(self, step: Plan) -> None:
        memory, rows = self.memory, self.memory.shape(step["output"])[0]
        for name in step["inputs"]:
            memory.check(name, step["name"])
        flat = any(memory.shape(name) != memory.shape(memory.root(name)) for name in step["inputs"])
        if flat and step["kernel"] == "table" and memory.place(step["inputs"][0]) == memory.place(step["output"]):
            memory.write(step["output"])
        else:
            self.rows(step, 0, rows, ordered=not flat)
        memory.check(step["output"], step["name"])

    def rows(self, step: Plan, first: int, end: int, ordered: bool = True) -> None:
        """A call of the step's kernel for the rows first .. end - 1 of its output."""
        memory = self.memory
        memory.spoil(step)
        grouped = step["kernel"] == "conv" and step["groups"] > 1
        if ordered and step["kernel"] in AHEAD and not grouped:
            if not self.apart(step):
                for row in range(first, end):
                    self.compute(step, row, end)
                memory.spoil(step)
                return
            reads: Iterable[tuple[str, int | None]] = {r for row in range(first, end) for r in lines(memory, step, row)}
        elif ordered:
            reads = {r for row in range(first, end) for r in lines(memory, step, row)}
        else:
            reads = {(name, None) for name in step["inputs"]}
        # In any order: what is read must outlive all that is written.
        for row in range(first, end):
            memory.write_row(step["output"], row)
        for name, line in sorted(reads, key=str):
            memory.check(name, step["name"], line)
        memory.spoil(step)

    def apart(self, step: Plan) -> bool:
        """Whether the output shares no byte with an input."""
        pool, start, end = self.memory.span(step["output"])
        spans = [self.memory.span(name) for name in step["inputs"]]
        return not any(other == pool and low < end and start < high for other, low, high in spans)

    def compute(self, step: Plan, row: int, end: int) -> None:
        """One row of an output over its input: all at once after its reads, or pixel by pixel; the call ends before row `end`."""
        memory = self.memory
        height, width, _ = memory.shape(step["output"])
        if not self.thorough and 0 < row < height - 1:
            for name, line in lines(memory, step, row):
                memory.check(name, step["name"], line)
            memory.write_row(step["output"], row)
            return
        painted = row * width
        for column in range(width):
            reach = min(row * width + column + AHEAD[step["kernel"]], end * width)
            memory.paint(step["output"], painted, reach)
            painted = max(painted, reach)
            for name, line, columns in pixels(memory, step, row, column):
                memory.check(name, step["name"], line, columns)
        memory.paint(step["output"], painted, (row + 1) * width)

    # ---- a stream ----------------------------------------------------------------------------------------------------

    def stream(self, run: list[Plan], windows: dict[str, Any]) -> None:
        memory, last = self.memory, run[-1]
        stands = [stand_of(memory, step) for step in run]
        heights = [memory.shape(step["output"])[0] for step in run]
        inner = [step["output"] for step in run[:-1]]
        if sorted(inner) != sorted(windows):
            raise BrokenPlan(
                f"the stream of `{run[0]['name']}` has windows of {sorted(windows)}, not of {sorted(inner)}"
            )
        for name in inner:
            memory.open(name, windows[name])
        readers = [[n for n, s in enumerate(run) if output in map(memory.root, s["inputs"])] for output in inner]
        sources = [[inner.index(n) for n in map(memory.root, step["inputs"]) if n in inner] for step in run]
        made = [0] * len(run)
        while made[-1] < heights[-1]:
            number, ends = self.next_rows(made, stands, heights, sources)
            if number < len(inner):
                keep = min([stands[r].first(made[r]) for r in readers[number]] + [made[number]])
                memory.slide(inner[number], keep, made[number], ends)
            self.rows(run[number], made[number], ends)
            for row in range(made[number], ends):
                memory.check(run[number]["output"], run[number]["name"], row)
            made[number] = ends
        for name in inner:
            memory.close(name)
        memory.check(last["output"], last["name"])

    @staticmethod
    def next_rows(
        made: list[int], stands: list[Stand], heights: list[int], sources: list[list[int]]
    ) -> tuple[int, int]:
        """(step, behind its last row) of the rows that come next: the last step's if all that they stand on is there, else
        those of a step that lacks some."""
        waiting = [len(made) - 1]
        while True:
            number = waiting[-1]
            ends = min(made[number] + stands[number].grain, heights[number])
            lacking = [s for s in sources[number] if made[s] < stands[number].end(ends, heights[s])]
            if not lacking:
                return number, ends
            waiting.append(lacking[0])
