"""GELU where a file writes it in several operators: x / 2 * (1 + erf(x / sqrt(2))), in any of the orders that exporters have
(ONNX has an operator for it from opset 20 on)."""

from __future__ import annotations

import math
from dataclasses import replace

from detc.importers.foreign import ForeignModel, ForeignOp
from detc.importers.network.values import NUMPY, Constant

TOLERANCE = 1e-3
"""Of constants, which may be float16."""


def with_gelus(model: ForeignModel) -> ForeignModel:
    """The file with a `Gelu` in the place of the last operator of each such group; where more of a group is read, it stays."""
    search = _Search(model)
    made: dict[str, ForeignOp] = {}
    gone: set[str] = set()
    for op in model.ops:
        if op.kind == "Erf" and (found := search.group(op)):
            x, group = found
            made[group[-1].outputs[0]] = ForeignOp("Gelu", (x,), group[-1].outputs, name=group[-1].name)
            gone.update(one.outputs[0] for one in group[:-1])
    ops = tuple(made.get(_given(op), op) for op in model.ops if _given(op) not in gone)
    return replace(model, ops=ops) if made else model


def _given(op: ForeignOp) -> str:
    return op.outputs[0] if op.outputs else ""


class _Search:
    """Who makes and who reads each tensor of a file."""

    def __init__(self, model: ForeignModel) -> None:
        self.model = model
        self.makers = {name: op for op in model.ops for name in op.outputs}
        self.readers: dict[str, list[ForeignOp]] = {}
        for op in model.ops:
            for name in op.inputs:
                self.readers.setdefault(name, []).append(op)

    def group(self, erf: ForeignOp) -> tuple[str, list[ForeignOp]] | None:
        """What a GELU around this operator reads, and its operators; the last of them gives what the GELU gives."""
        before = self.makers.get(erf.inputs[0]) if erf.inputs else None
        x = before and (self.beside(before, "Mul", math.sqrt(0.5)) or self.beside(before, "Div", math.sqrt(2)))
        added = self.sole_reader(erf, "Add")
        product = added and self.sole_reader(added, "Mul")
        if not (before and x and added and product and self.sole_reader(before, "Erf")):
            return None
        if self.beside(added, "Add", 1.0) != erf.outputs[0]:
            return None
        group, other = [before, erf, added, product], self.other(product, added)
        if (halved := self.makers.get(other)) and self.beside(halved, "Mul", 0.5) == x:
            return (x, [halved, *group]) if self.sole_reader(halved, "Mul") else None
        last = self.sole_reader(product, "Mul")
        if last is None:
            return None
        others = (other, self.other(last, product))
        if (others[0] == x and self.is_number(others[1], 0.5)) or (others[1] == x and self.is_number(others[0], 0.5)):
            return x, [*group, last]
        return None

    def beside(self, op: ForeignOp, kind: str, number: float) -> str:
        """The other input of an operator of this kind and this constant; "" where it is none. A divisor stands behind."""
        if op.kind != kind or len(op.inputs) != 2:
            return ""
        for place in (1,) if kind == "Div" else (1, 0):
            if self.is_number(op.inputs[place], number):
                return op.inputs[1 - place]
        return ""

    def other(self, op: ForeignOp, one: ForeignOp) -> str:
        """What `op` reads beside what `one` gives."""
        return next((name for name in op.inputs if name != one.outputs[0]), "")

    def sole_reader(self, op: ForeignOp, kind: str) -> ForeignOp | None:
        """The operator of this kind that alone reads what `op` gives."""
        readers = self.readers.get(op.outputs[0], [])
        alone = len(op.outputs) == len(readers) == 1 and op.outputs[0] not in self.model.outputs
        return readers[0] if alone and readers[0].kind == kind else None

    def is_number(self, name: str, number: float) -> bool:
        tensor = self.model.tensors.get(name)
        if tensor is None or tensor.data is None or tensor.elements != 1 or tensor.dtype not in NUMPY:
            return False
        return math.isclose(float(Constant(tensor).real().reshape(-1)[0]), number, rel_tol=TOLERANCE)
