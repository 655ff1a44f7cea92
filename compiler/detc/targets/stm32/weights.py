"""Weights in flash as ST's tool stores them: exact where the graph is the one that the tool reads."""

from __future__ import annotations

from detc.targets.stm32.st_ops import MULTIPLYING, StModel, prepare
from detc.targets.stm32.st_rules import StRules


def weight_bytes(model: StModel, rules: StRules) -> int:
    """Bytes of distinct constants: weights and biases of layers, fixed operands of sums and products, constant outputs.

    A tensor that two operators read counts once. Shapes, axes and scales are not among them: they fold away or stand in code.
    """
    ready = prepare(model)
    sizes: dict[str, int] = {}
    for op in ready.model.ops:
        for place, name in enumerate(op.constants):
            if op.kind in MULTIPLYING:
                width = rules.weight_bytes if place == 0 else rules.bias_bytes
            elif op.kind == "elementwise":
                width = rules.weight_bytes
            else:
                continue
            sizes.setdefault(name, model.tensors[name].elements * width)
    outputs = sum(model.tensors[name].elements * rules.weight_bytes for name in ready.constant_outputs)
    return sum(sizes.values()) + outputs
