"""The order of steps: where a net branches, which branch runs first decides how much must be kept meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace

from detc.targets.stm32.slots import slot_of
from detc.targets.stm32.steps import Step, Steps

BEAM, OPTIMIZED_BEAM = 8, 200
"""Partial orders that are followed at a time, in a check and with `--optimize`."""


@dataclass(frozen=True, slots=True)
class _Partial:
    """Some steps that have run: as bits in `done`, the `last` of them behind those of `before`. `ready` may run next. `live` are
    the bytes kept, `peak` the most bytes that a step needed, `total` the sum of what was kept from step to step."""

    peak: int
    total: int
    live: int
    done: int
    ready: frozenset[int]
    last: int = -1
    before: _Partial | None = None

    def ran(self) -> list[int]:
        """The steps in their order."""
        steps: list[int] = []
        partial: _Partial | None = self
        while partial is not None and partial.before is not None:
            steps.append(partial.last)
            partial = partial.before
        return steps[::-1]


def reordered(steps: Steps, beam: int) -> Steps:
    """The same steps in an order with a smaller peak, as far as a beam search finds one; the given order where it finds none."""
    search = _Search(steps)
    found = search.best(beam)
    given = search.given()
    if (found.peak, found.total) >= (given.peak, given.total):
        return steps
    return replace(steps, steps=[steps.steps[number] for number in found.ran()])


class _Search:
    def __init__(self, steps: Steps):
        self.steps = steps
        count = len(steps.steps)
        maker = {step.output: number for number, step in enumerate(steps.steps)}
        self.bytes = {name: steps.bytes(name) for name in steps.storages()}
        self.reads = [steps.reads(step) for step in steps.steps]
        self.before = [sum(1 << maker[name] for name in reads if name in maker) for reads in self.reads]
        self.behind: list[list[int]] = [[] for _ in steps.steps]
        for number, reads in enumerate(self.reads):
            for name in reads:
                if name in maker:
                    self.behind[maker[name]].append(number)
        self.readers = dict.fromkeys(self.bytes, 0)
        for number, reads in enumerate(self.reads):
            for name in reads:
                self.readers[name] |= 1 << number
        for name in steps.kept:
            self.readers[name] |= 1 << count  # never read
        self.inside = [self._inside(step) for step in steps.steps]

    def _inside(self, step: Step) -> tuple[int, dict[str, int]]:
        """Scratch of a step, and bytes that its output saves by lying over an input that dies."""
        slot = slot_of(self.steps, step)
        out = self.bytes[step.output]
        saved = {}
        for name, apart in slot.distances:
            size = self.bytes[name]
            saved[name] = size + out - min(max(apart + size, out), size + out)
        return slot.scratch, saved

    def start(self) -> _Partial:
        ready = frozenset(number for number, before in enumerate(self.before) if not before)
        return _Partial(0, 0, self.bytes[self.steps.input], 0, ready)

    def given(self) -> _Partial:
        partial = self.start()
        for number in range(len(self.steps.steps)):
            partial = self.after(partial, number)
        return partial

    def after(self, partial: _Partial, number: int) -> _Partial:
        """With one step more."""
        step, done = self.steps.steps[number], partial.done | 1 << number
        out = self.bytes[step.output]
        dying = [name for name in self.reads[number] if not self.readers[name] & ~done]
        scratch, saved = self.inside[number]
        need = partial.live + out + scratch - max((saved.get(name, 0) for name in dying), default=0)
        live = partial.live - sum(self.bytes[name] for name in dying)
        live += out if self.readers[step.output] & ~done else 0
        freed = {reader for reader in self.behind[number] if not self.before[reader] & ~done}
        ready = partial.ready - {number} | freed
        return _Partial(max(partial.peak, need), partial.total + live, live, done, ready, number, partial)

    def best(self, beam: int) -> _Partial:
        """Step by step, the `beam` best sets of steps that have run, each by the best way to it."""
        count, partials = len(self.steps.steps), [self.start()]
        for _ in range(count):
            ways: dict[int, _Partial] = {}
            for partial in partials:
                for number in sorted(partial.ready):
                    way = self.after(partial, number)
                    known = ways.get(way.done)
                    if known is None or (way.peak, way.total) < (known.peak, known.total):
                        ways[way.done] = way
            partials = sorted(ways.values(), key=lambda way: (way.peak, way.total, way.last))[:beam]
        return partials[0]
