"""The worked examples of docs/int8.md, recomputed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from detrt.devices.stm32.arithmetic import Quant, quantise, rescale, rescale_of
from detrt.devices.stm32.functions import table
from detrt.devices.stm32.plan import Activation
from detrt.devices.stm32.postprocess import detect, form_of, tables
from detrt.devices.stm32.program import Program, Tensor
from detrt.devices.stm32.quantising import add_multipliers
from detrt.devices.stm32.quants import quant_of

PAGE = Path(__file__).parents[3] / "docs" / "int8.md"
Example = dict[str, Any]


def range_(one: Example) -> Example:
    quant = quant_of(tuple(one["range"]))
    return {"scale": quant.scale, "zero": quant.zero, "numbers": quantise(one["reals"], quant).tolist()}


def rescale_(one: Example) -> Example:
    factors = rescale_of(one["factor"])
    multiplier, left, right = (int(part[0]) for part in (factors.multiplier, factors.left, factors.right))
    told = [floor(Fraction(a * multiplier, 2 ** (32 + right - left)) + Fraction(1, 2)) for a in one["sums"]]
    assert told == rescale(np.array(one["sums"])[:, None], factors)[:, 0].tolist()
    return {"multiplier": multiplier, "left": left, "right": right, "numbers": told}


def add(one: Example) -> Example:
    x, y = (quant_of(tuple(given)) for given in one["ranges"])
    into = quant_of(tuple(one["into"]))
    (first, second), shift = add_multipliers(x, y, into)
    sums = [(a - x.zero) * first + (b - y.zero) * second for a, b in one["inputs"]]
    numbers = [max(-128, min(127, into.zero + ((s + (1 << (shift - 1))) >> shift))) for s in sums]
    return {"multipliers": [first, second], "shift": shift, "numbers": numbers}


def table_(one: Example) -> Example:
    made = table(Activation(one["function"]), quant_of(tuple(one["from"])), quant_of(tuple(one["into"])))
    return {"numbers": {q: int(made[int(q) + 128]) for q in one["numbers"]}}


def head_tables(one: Example) -> Example:
    quant = Quant(one["scale"], one["zero"])
    at = np.array(one["numbers"]) + 128
    return {
        "sigmoid": tables.sigmoids(quant, tables.ONE_SCORE)[at].tolist(),
        "exp": tables.sizes(quant)[at].tolist(),
        "powers": tables.powers(quant.scale)[one["distances"]].tolist(),
    }


def yolo_v2(one: Example) -> Example:
    rows, columns = one["grid"]
    tensor = Tensor("map", (rows, columns, len(one["numbers"])), Quant(one["scale"], one["zero"]))
    numbers = np.full(tensor.shape, -128, np.int8)
    numbers[one["row"], one["column"]] = one["numbers"]
    head = {"kind": "yolo_v2", "on": ["map"], "options": {"classes": 2, "anchors": [[one["anchor"]]], "unit": "image"}}
    found = detect(form_of(Program("page", {"map": tensor}, (), "", {"map": ("map",)}), head), [numbers])
    return {"score": int(found.scores[0]), "box": found.boxes[0].tolist(), "label": int(found.labels[0])}


EXAMPLES: dict[str, Callable[[Example], Example]] = {
    "range": range_,
    "rescale": rescale_,
    "add": add,
    "table": table_,
    "head tables": head_tables,
    "yolo_v2": yolo_v2,
}


def test_the_page_says_what_the_code_computes() -> None:
    blocks = [
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert {block["example"] for block in blocks} == set(EXAMPLES)
    for block in blocks:
        assert block == {**block, **EXAMPLES[block["example"]](block)}
