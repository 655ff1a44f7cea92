"""The schedule: which steps become streams, so that the fullest moment of the net needs the fewest bytes."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from itertools import accumulate

from detc.targets.stm32.slots import Slot, slot_of
from detc.targets.stm32.steps import Steps
from detc.targets.stm32.stream import MOST_STEPS, Stream, rows_of, whole_inputs
from detc.targets.stm32.tenants import rounded

LOOKS, OPTIMIZED_LOOKS = 150, 5_000
"""Streams that are looked at in a check, and with `--optimize`."""

Run = tuple[int, int]
"""Numbers of the first and the last step of a slot."""


class Schedule:
    """Slots of a net, as runs of steps. `alone` until streams are made."""

    def __init__(self, steps: Steps, looks: int):
        self.steps, self.looks = steps, looks
        self.runs: list[Run] = [(n, n) for n in range(len(steps.steps))]
        self.by_rows = [rows_of(steps, step) is not None for step in steps.steps]
        self.first = {steps.input: -1} | {step.output: n for n, step in enumerate(steps.steps)}
        self.last = dict(self.first)
        self.reads = [steps.reads(step) for step in steps.steps]
        for number, reads in enumerate(self.reads):
            self.last |= dict.fromkeys(reads, number)
        for name in steps.kept:
            self.last[name] = len(steps.steps)
        changes = [0] * (len(steps.steps) + 2)
        for name, first in self.first.items():  # there before step first + 1, up to step last
            changes[first + 1] += rounded(steps.bytes(name))
            changes[min(self.last[name], len(steps.steps)) + 1] -= rounded(steps.bytes(name))
        self.crossing = list(accumulate(changes))
        """Bytes of what is made before a step and read by it or later."""
        self.known: dict[tuple[Run, bool], Slot] = {}
        self.known_needs: dict[tuple[Run, bool], int] = {}

    def slots(self) -> tuple[Slot, ...]:
        return tuple(self.slot(run) for run in self.runs)

    def slot(self, run: Run, guess: bool = False) -> Slot:
        if (run, guess) not in self.known:
            first, last = run
            steps = self.steps.steps[first : last + 1]
            made = slot_of(self.steps, steps[0]) if first == last else Stream(self.steps, steps).slot(guess)
            self.known[run, guess] = made
        return self.known[run, guess]

    def need(self, run: Run, guess: bool = False) -> int:
        """Bytes that a slot cannot do without, as `House.needs` counts them."""
        if (run, guess) not in self.known_needs:
            self.known_needs[run, guess] = self._need(run, guess)
        return self.known_needs[run, guess]

    def _need(self, run: Run, guess: bool) -> int:
        slot, (first, last) = self.slot(run, guess), run
        out = rounded(self.steps.bytes(slot.output))
        saved = 0
        for name, apart in slot.distances:
            if self.last[name] <= last:
                size = rounded(self.steps.bytes(name))
                saved = max(saved, size + out - min(max(rounded(apart) + size, out), size + out))
        inside = sum(rounded(size) for _, size in slot.windows) + rounded(slot.scratch)
        return self.crossing[first] + out + inside - saved

    def fullest(self) -> int:
        """Bytes that no plan of these runs can go below."""
        return max((self.need(run) for run in self.runs), default=0)

    def at_least(self, run: Run) -> int:
        """Bytes that a stream of these steps needs at any rate."""
        read = {name for reads in self.reads[run[0] : run[1] + 1] for name in reads}
        dying = sum(rounded(self.steps.bytes(n)) for n in read if self.last[n] <= run[1] and self.first[n] < run[0])
        return self.crossing[run[0]] + max(0, rounded(self.steps.bytes(self.steps.steps[run[1]].output)) - dying)

    def may_stream(self, run: Run) -> bool:
        """Whether the steps of a run can take turns: row by row, and nothing else reads what is between them."""
        first, last = run
        steps = self.steps.steps[first : last + 1]
        return (
            all(self.by_rows[first : last + 1])
            and all(number < self.last[step.output] <= last for number, step in enumerate(steps[:-1], start=first))
            and all(self.first[name] < first for step in steps for name in whole_inputs(self.steps, step))
        )

    def around(self, index: int) -> Iterator[tuple[int, int]]:
        """(first, last) numbers of slots that could be one stream with slot `index` in it, the shortest first."""
        spans = [
            (self.runs[high][1] - self.runs[low][0] + 1, low, high)
            for low in range(max(0, index - MOST_STEPS), index + 1)
            for high in range(max(index, low + 1), min(len(self.runs), low + MOST_STEPS))
        ]
        for _, low, high in sorted(span for span in spans if span[0] <= MOST_STEPS):
            if self.may_stream((self.runs[low][0], self.runs[high][1])):
                yield low, high

    def copy(self) -> Schedule:
        """The same runs, to go on from; what is known of slots is shared."""
        other = copy(self)
        other.runs = list(self.runs)
        return other

    def joins(self, limit: int) -> Iterator[Schedule]:
        """The schedule with two neighbours joined, of which the second reads the first one's output last, the largest such
        output first; only where that needs no more than the fullest slot."""
        peak = self.fullest()
        pairs = []
        for index in range(len(self.runs) - 1):
            (first, middle), (_, last) = self.runs[index], self.runs[index + 1]
            short = last - first < MOST_STEPS
            if short and self.may_stream((first, last)) and self.need((first, last), guess=True) <= peak:
                pairs.append((-self.steps.bytes(self.steps.steps[middle].output), index))
        for _, index in sorted(pairs)[:limit]:
            other = self.copy()
            other.runs = self.merged(index, index + 1)
            yield other

    def merged(self, low: int, high: int) -> list[Run]:
        return [*self.runs[:low], (self.runs[low][0], self.runs[high][1]), *self.runs[high + 1 :]]

    def lower(self) -> None:
        """Makes streams around the fullest slot as long as that makes it less full: the shortest that helps enough, else the one
        that helps most."""
        while self.looks > 0:
            needs = [self.need(run) for run in self.runs]
            peak = max(needs, default=0)
            index = needs.index(peak) if needs else 0
            best: tuple[int, int, int] | None = None
            for low, high in self.around(index):
                run = (self.runs[low][0], self.runs[high][1])
                if self.looks <= 0:
                    break
                if self.at_least(run) >= (best[0] if best else peak):
                    continue
                self.looks -= 1
                need = self.need(run, guess=True)
                if best is None or need < best[0]:
                    best = (need, low, high)
                goal = max((n for i, n in enumerate(needs) if not low <= i <= high), default=0)
                if need <= goal:
                    break
            if best is None or best[0] >= peak:
                return
            changed = self.merged(best[1], best[2])
            if self.need(changed[best[1]]) >= peak:  # the guess was too good
                return
            self.runs = changed

    def relax(self, share: float) -> None:
        """Streams around slots that need more than `share` of the peak too, where that makes them need a tenth less."""
        peak = self.fullest()
        tried: set[Run] = set()
        while self.looks > 0:
            full = [(self.need(run), i) for i, run in enumerate(self.runs) if run not in tried]
            need, index = max(full, default=(0, 0))
            if need <= share * peak:
                return
            tried.add(self.runs[index])
            best: tuple[int, int, int] | None = None
            for low, high in self.around(index):
                run = (self.runs[low][0], self.runs[high][1])
                if self.looks <= 0:
                    break
                if self.at_least(run) >= (best[0] if best else need * 0.9):
                    continue
                self.looks -= 1
                found = self.need(run, guess=True)
                if found < (best[0] if best else need * 0.9):
                    best = (found, low, high)
                if found <= share * peak:
                    break
            if best is not None:
                changed = self.merged(best[1], best[2])
                if self.need(changed[best[1]]) < need:
                    self.runs = changed
