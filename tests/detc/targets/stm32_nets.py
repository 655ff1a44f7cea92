"""Targets from edited copies of stm32's files, specs lowered as a device sees them, and operators by hand."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from detc.ir.graph import Graph
from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.semantics.elaborate import elaborate
from detc.semantics.environment import Context as Elaboration
from detc.semantics.overrides import parse_sets
from detc.semantics.program import Program, Section, Target
from detc.semantics.targets import resolve
from detc.targets import FOLDER
from detc.targets.stm32.st_graph import of_graph
from detc.targets.stm32.st_ops import StModel, StOp, StTensor
from detc.targets.stm32.st_rules import StRules, read_rules

STM32 = FOLDER / "stm32"
SPECS = Path(__file__).parents[3] / "specs"


def target_of(name: str, folder: Path = Path(), **sets: str) -> Target:
    """A target by its name, with its params set."""
    context = Elaboration(
        Program("probe", "probe.det"), folder, parse_sets({f"target.{k}": v for k, v in sets.items()})
    )
    target = resolve(name, context, None, chosen=True)
    assert target is not None and not context.findings, context.findings
    return target


def edited(folder: Path, name: str, old: str, new: str) -> Target:
    """The board `name` on files of which one says `new` where it says `old`: all of its line copied beside a spec."""
    line = [part for part in target_of(name).lineage if part != "microcontroller"]
    parts, found = [], 0
    for part in line:
        file = next(STM32.glob(f"*/{part}.det"), STM32 / "target.det")
        text = file.read_text(encoding="utf-8")
        found += text.count(old)
        text = text.replace(old, new)
        for other in line:
            text = re.sub(rf"\b(target|extends) {other}\b", rf"\1 my_{other}", text)
        parts.append(text)
    assert found == 1, f"{old!r} stands {found} times in the files of {name}"
    (folder / f"my_{name}.det").write_text("\n".join(parts), encoding="utf-8")
    return target_of(f"my_{name}", folder)


@lru_cache(maxsize=8)
def rules_of(tool: str = "8.1.0", optimization: str = "balanced") -> StRules:
    rules = read_rules(target_of("stm32", tool=tool, optimization=optimization))
    assert isinstance(rules, StRules), rules
    return rules


@lru_cache(maxsize=16)
def lowered(spec: str, sets: tuple[tuple[str, Any], ...] = ()) -> tuple[Graph, Program]:
    """The lowered graph of the last model of a library spec, and its program."""
    program = elaborate(SPECS / f"{spec}.det", {name: str(value) for name, value in sets}, None)
    assert not [finding for finding in program.findings if finding.level == "error"], program.findings
    model = list(program.models.values())[-1]
    graph, _ = run(model.graph, (*FRONT, *LOWERING), Context(None, model.host))
    return graph, program


def st_model(spec: str, **sets: Any) -> StModel:
    """A library spec as ST's tools see it."""
    model = of_graph(lowered(spec, tuple(sets.items()))[0])
    assert model is not None
    return model


class Ops:
    """A net of ST's operators by hand: `ops.tensor("a", 8, 8, 16)`, then `ops.op("conv", "a", "b", kernel=(3, 3))`."""

    def __init__(self, *inputs: str) -> None:
        self.tensors: dict[str, StTensor] = {}
        self.ops: list[StOp] = []
        self.inputs = inputs

    def tensor(self, name: str, *shape: int, element: int = 1, constant: bool = False) -> Ops:
        self.tensors[name] = StTensor(name, shape, element, constant)
        return self

    def op(self, kind: str, inputs: str, outputs: str, **fields: Any) -> Ops:
        names = tuple(outputs.split())
        self.ops.append(StOp(f"{kind} {len(self.ops)}", kind, tuple(inputs.split()), names, **fields))
        return self

    def done(self, *outputs: str) -> StModel:
        return StModel(self.tensors, tuple(self.ops), self.inputs, outputs or self.ops[-1].outputs)


def facts_of(section: Section, prefix: str = "") -> dict[str, Any]:
    """Every fact of a section and of those inside it, by dotted path."""
    found = {f"{prefix}{name}": fact for name, fact in section.facts.items()}
    for inner in section.sections:
        found |= facts_of(inner, f"{prefix}{inner.kind} {inner.label}".strip() + " . ")
    return found
