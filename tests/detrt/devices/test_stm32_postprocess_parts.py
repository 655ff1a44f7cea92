"""The integer post-processing piece by piece: tables, order, suppression, its buffer, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stm32_heads import CASES, case

from detc.targets.stm32 import postprocess_buffers
from detrt.devices.stm32.arithmetic import Quant
from detrt.devices.stm32.postprocess import Detector, buffer_bytes, detect, form_of, outputs_of, tables
from detrt.devices.stm32.postprocess.suppress import suppress
from detrt.errors import DetrtError

Box = tuple[int, int, int, int]


@pytest.mark.parametrize("kind", CASES)
def test_a_check_counts_the_buffer_of_the_c_code(kind: str) -> None:
    for seed in range(3):
        one = case(kind, seed)
        usual = {key: value for key, value in one.head["options"].items() if key != "max_detections"}
        for options in (one.head["options"], usual):
            shapes = [[one.program.tensors[name].shape for name in names] for names in one.program.outputs.values()]
            bytes = buffer_bytes(form_of(one.program, {**one.head, "options": options}))
            assert postprocess_buffers.buffer_bytes(kind, options, shapes) == bytes > 0


@settings(max_examples=25)
@given(st.floats(1e-4, 2), st.integers(-128, 127), st.integers(-128, 127))
def test_a_table_is_the_function_rounded_once(scale: float, zero: int, q: int) -> None:
    quant, real = Quant(scale, zero), (q - zero) * scale
    at = q + 128
    assert abs(tables.sigmoids(quant, 1 << 15)[at] - 32768 / (1 + math.exp(-real))) <= 0.5 + 1e-9
    assert tables.lines(quant)[at] == max(-(1 << 26), min(1 << 26, round(Fraction(scale) * (q - zero) * 65536)))
    assert abs(tables.sizes(quant)[at] - min(2**31 - 1, math.exp(real) * 65536)) <= 0.5 + math.exp(min(real, 10)) * 1e-9
    assert abs(tables.powers(scale)[at] - math.exp(-scale * at) * tables.ONE_POWER) <= 0.5 + 1e-9


def test_tables_of_absurd_scales_are_whole_numbers_too() -> None:
    for scale in (5e-324, 1e-300, 1e300):
        quant = Quant(scale, 3)
        assert tables.sigmoids(quant, 1 << 15)[3 + 128] == 1 << 14
        assert tables.sizes(quant).min() >= 0
        assert tables.powers(scale)[0] == tables.ONE_POWER


boxes = st.lists(st.tuples(*[st.integers(-20, 40)] * 4), max_size=12)


@given(boxes, st.integers(0, 1 << 16), st.booleans(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_suppression_is_the_greedy_one(found: list[Box], nms: int, agnostic: bool, most: int, random: Any) -> None:
    labels = [random.randrange(2) for _ in found]
    kept: list[int] = []
    for i, box in enumerate(found):
        rivals = [found[j] for j in kept if agnostic or labels[j] == labels[i]]
        if all(overlap(box, rival) <= Fraction(nms, 1 << 16) for rival in rivals):
            kept.append(i)
    stay = suppress(np.array(found, np.int64).reshape(-1, 4), np.array(labels, np.int64), nms, agnostic, most)
    assert stay.tolist() == kept[:most]


def overlap(a: Box, b: Box) -> Fraction:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return Fraction(inner, union) if union > 0 else Fraction(0)


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind != "softmax"])
def test_the_best_candidates_compete_and_equals_in_their_order(kind: str) -> None:
    one = case(kind, 2)
    form = form_of(one.program, {**one.head, "options": {**one.head["options"], "nms": 1.0, "score": 0.0}})
    assert isinstance(form, Detector)
    outputs = [one.tensors[name] // 16 * 16 for name in outputs_of(one.program, one.head)]  # many equal scores
    everything = detect(replace(form, candidates=1 << 20, detections=1 << 20), outputs)
    few = detect(replace(form, candidates=5), outputs)
    count = min(5, form.detections, len(everything.scores))
    assert np.array_equal(few.scores[:count], everything.scores[:count])
    assert np.array_equal(few.boxes[:count], everything.boxes[:count])
    assert (np.diff(everything.scores) <= 0).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"soft": "linear"}, "no soft suppression `linear`"),
        ({"classes": 5000}, "5000 classes"),
        ({"anchors": [[[1, 1]]]}, "expects"),
        ({"nms": 2}, "decoding needs"),
    ],
)
def test_what_whole_numbers_cannot_do_is_said(options: dict[str, Any], said: str) -> None:
    one = case("yolo_v2", 1)
    with pytest.raises(DetrtError, match=said):
        shown = one.program
        if "classes" in options:
            name = shown.outputs["map"][0]
            options = {**options, "anchors": [[[1, 1]]]}
            shown = replace(
                shown,
                tensors={name: replace(shown.tensors[name], shape=(1, 1, 5005))},
                outputs={"map": (name,)},
            )
        form_of(shown, {**one.head, "options": {**one.head["options"], **options}})


def test_a_head_that_nobody_knows_and_an_output_that_is_not_there() -> None:
    one = case("yolo_v2", 1)
    with pytest.raises(DetrtError, match="no integer post-processing for a head `centernet`"):
        form_of(one.program, {"kind": "centernet"})
    with pytest.raises(DetrtError, match="gives no output `other`"):
        form_of(one.program, {**one.head, "on": ["other"]})
