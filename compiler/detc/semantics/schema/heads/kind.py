"""What a kind of head is: its options, the loss it trains with, and what it asks of the tensors it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detc.diagnostics import Finding, Related, Span
from detc.ir.types import TensorType
from detc.semantics.schema.heads import rules
from detc.semantics.schema.key import Key, Schema


@dataclass(eq=False, repr=False)
class Output:
    """An output that a head is put on: one tensor or a list. `places` are where the last layer of each stands."""

    name: str
    span: Span
    types: Sequence[TensorType]
    places: Sequence[Span | None] = ()

    def called(self, index: int) -> str:
        """How a finding names tensor `index`: by the output alone if it is the only one."""
        return self.name if len(self.types) == 1 else f"{self.name}[{index}]"

    def made(self, index: int, what: str) -> list[Related]:
        place = self.places[index] if index < len(self.places) else None
        return [Related(place, what)] if place else []


@dataclass(eq=False, repr=False)
class Placed:
    """A head on its outputs, while it is checked. `options` are read; a check adds those that follow from the tensors.

    `image` is (height, width) of the model's input, `grid` what `grid = features` gave (or None).
    """

    kind: str
    outputs: Sequence[Output]
    options: dict[str, Any]
    spans: Mapping[str, Span]
    image: tuple[int, int]
    span: Span
    grid: tuple[int, int] | None = None
    findings: list[Finding] = field(default_factory=list)

    def maps(self) -> bool:
        """Whether all tensors are maps; else a finding for each that is none."""
        before = len(self.findings)
        for output in self.outputs:
            for index, type in enumerate(output.types):
                if not type.is_map:
                    name = output.called(index)
                    self.findings.append(rules.NOT_A_MAP(output.span, output=name, kind=self.kind, actual=str(type)))
        return len(self.findings) == before

    def channels(
        self, output: Output, index: int, wanted: int, formula: str, numbers: Mapping[str, int] | None = None
    ) -> None:
        """A finding unless tensor `index` has `wanted` channels: `formula` with the options, and `numbers`, filled in."""
        type = output.types[index]
        if type.channels == wanted:
            return
        counted = f"{type.channels} {'channels' if type.is_map else 'features'}"
        filled, names = self._filled(formula, numbers or {})
        spoken = f"{filled} = {wanted}" if filled != str(wanted) else filled
        given = [Related(self.spans[name], f"{name} = {self.options[name]}") for name in names if self._plain(name)]
        self.findings.append(
            (rules.CHANNELS if type.is_map else rules.FEATURES)(
                output.span,
                output=output.called(index),
                kind=self.kind,
                actual=type.channels,
                allowed=wanted,
                formula=spoken,
                remedy=f", or change {' and '.join(names)}" if names else "",
                label=counted,
                related=[*given, *output.made(index, f"gives {counted}")],
            )
        )

    def _plain(self, name: str) -> bool:
        return name in self.spans and isinstance(self.options.get(name), int)

    def _filled(self, formula: str, numbers: Mapping[str, int]) -> tuple[str, list[str]]:
        """The formula with numbers for its words, and the words."""
        words = [word for word in dict.fromkeys(re.findall(r"[a-z_]+", formula))]
        values = {word: numbers.get(word, self.options.get(word)) for word in words}
        return re.sub(r"[a-z_]+", lambda match: str(values[match[0]]), formula), words

    def one_each(self, option: str, output: Output, entries: int) -> bool:
        """Whether a list option has one entry a map of `output`; else a finding."""
        if entries == len(output.types):
            return True
        span = self.spans.get(option, self.span)
        self.findings.append(
            rules.ONE_A_MAP(span, option=option, actual=entries, allowed=len(output.types), output=output.name)
        )
        return False

    def same_maps(self) -> bool:
        """Whether all outputs have as many maps, of the same heights and widths; else a finding for each that differs."""
        before = len(self.findings)
        first = self.outputs[0]
        for other in self.outputs[1:]:
            if len(other.types) != len(first.types):
                self._differs(other, other.name, f"{len(other.types)} maps", first.name, f"{len(first.types)}")
                continue
            for index, (type, wanted) in enumerate(zip(other.types, first.types, strict=True)):
                if type.shape[1:] != wanted.shape[1:]:
                    self._differs(other, other.called(index), f"{size(type)} cells", first.called(index), size(wanted))
        return len(self.findings) == before

    def _differs(self, output: Output, name: str, actual: str, other: str, allowed: str) -> None:
        self.findings.append(rules.SAME_MAPS(output.span, output=name, actual=actual, other=other, allowed=allowed))

    def derive_classes(self, output: Output, per: int, beside: int, formula: str) -> bool:
        """Fills in `classes` where it is not given: channels of the first tensor = per * (classes + beside)."""
        if self.options["classes"] is None:
            channels = output.types[0].channels
            classes, rest = divmod(channels, per)
            if rest or classes <= beside:
                name = output.called(0)
                self.findings.append(
                    rules.CLASSES(output.span, output=name, kind=self.kind, actual=channels, formula=formula)
                )
                return False
            self.options["classes"] = classes - beside
        return True


def size(type: TensorType) -> str:
    """`19x19`, height first."""
    return f"{type.height}x{type.width}"


BOXES = ("map50", "map", "loss")
"""What the stages of a detector are measured by."""


@dataclass(eq=False, repr=False)
class HeadKind:
    """A kind of head: `schema` of its options, the stage keys of its `loss`, and the outputs it `reads` (a name each).

    `check` reports into the Placed head what it asks of the tensors, and fills in what follows from them. `lists`: an
    output may be a list of maps. `grid`: it takes `grid = MAP`. `one_size`: its targets stand on the grid of one input
    size, so it cannot be trained at several. `measures`: the figures of its stages; the best checkpoint is chosen by the first.
    """

    schema: Schema
    loss: tuple[Key, ...]
    reads: tuple[str, ...]
    check: Callable[[Placed], None]
    lists: bool = False
    grid: bool = False
    one_size: bool = False
    measures: tuple[str, ...] = BOXES
