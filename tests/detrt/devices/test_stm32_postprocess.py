"""The integer post-processing: near the float decoders, and in C the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stm32_gcc import Compiled
from stm32_heads import CASES, Case, case, numbers

from detrt.devices.stm32.postprocess import Found, decoder, detect, form_of, outputs_of
from detrt.heads.detections import Detections

BOX, SCORE = 1 / 256, 1 / 128
FAR = 8
"""Canvases from which on it does not matter how far a box reaches."""


def unsuppressed(one: Case) -> Case:
    """The same head letting every box through."""
    options = {**one.head["options"], "nms": 1.0, "max_detections": 100_000}
    return replace(one, head={**one.head, "options": options if one.head["kind"] != "softmax" else one.head["options"]})


def without_twin(found: Detections, others: Detections, above: float) -> int:
    """How many finds above a score have no find of their class near them, in place and score, among others."""
    missing = 0
    for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True):
        if score > above:
            off = np.clip(others.boxes, -FAR, FAR) - np.clip(box, -FAR, FAR)
            near = np.abs(off).max(axis=1, initial=0) < BOX
            missing += not (near & (np.abs(others.scores - score) < SCORE) & (others.labels == label)).any()
    return missing


def compare_with_floats(kind: str, heads: range) -> None:
    for seed in heads:
        one = unsuppressed(case(kind, seed))
        whole = decoder(one.program, one.head)(one.tensors)
        real = one.in_floats()
        near = one.head["options"].get("score", 0) + SCORE
        assert not without_twin(whole, real, near), seed
        assert not without_twin(real, whole, near), seed
        assert (np.diff(whole.scores) <= 0).all()


@pytest.mark.parametrize("kind", CASES)
def test_every_box_lies_where_the_float_decoder_puts_it(kind: str) -> None:
    compare_with_floats(kind, range(4))


@pytest.mark.long
@pytest.mark.parametrize("kind", CASES)
def test_every_box_of_many_heads_lies_where_the_float_decoder_puts_it(kind: str) -> None:
    compare_with_floats(kind, range(4, 30))


def same(one: Found, other: Found) -> bool:
    return all(np.array_equal(getattr(one, key), getattr(other, key)) for key in ("boxes", "scores", "labels"))


@pytest.fixture(scope="module")
def folder(needs_program: Callable[[str, str], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For C code; its tests need gcc."""
    needs_program("gcc", "gcc")
    return tmp_path_factory.mktemp("c")


def compare_with_c(kind: str, heads: int, pictures: int, folder: Path, *flags: str) -> None:
    for seed in range(heads):
        one = case(kind, 1000 + seed)
        random = np.random.default_rng(seed)
        shown = [one.tensors, *(numbers(one.program, random) for _ in range(pictures - 1))]
        form, names = form_of(one.program, one.head), outputs_of(one.program, one.head)
        found = Compiled(one, folder, *flags).run(shown)
        assert len(found) == pictures
        for tensors, theirs in zip(shown, found, strict=True):
            assert same(detect(form, [tensors[name] for name in names]), theirs), (kind, seed)


@pytest.mark.parametrize("kind", CASES)
def test_c_finds_the_same(kind: str, folder: Path) -> None:
    compare_with_c(kind, 1, 40, folder)


@pytest.mark.long
@pytest.mark.parametrize("kind", CASES)
def test_c_finds_the_same_and_does_nothing_undefined(kind: str, folder: Path) -> None:
    compare_with_c(kind, 4, 100, folder, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
