"""The softmax head against a plain reading of cross entropy, and what must hold beyond it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from detrt.errors import DetrtError
from detrt.heads import build_decoder, build_head
from detrt.heads.softmax import NOTHING, SoftmaxHead
from detrt.heads.softmax_decode import TOP


def head(classes: int = 3, smoothing: float = 0.0) -> SoftmaxHead:
    entry = {"kind": "softmax", "on": ["logits"], "options": {"classes": classes, "image": [8, 8]}}
    built = build_head(entry, {"label_smoothing": smoothing})
    assert isinstance(built, SoftmaxHead)
    return built


def plain_loss(logits: list[list[float]], labels: list[int], smoothing: float) -> float:
    """The mean over labelled pictures of -sum(q log p), q = smoothing / classes + (1 - smoothing) on the label."""
    total, count = 0.0, 0
    for row, label in zip(logits, labels, strict=True):
        if label == NOTHING:
            continue
        norm = math.log(sum(math.exp(v) for v in row))
        count += 1
        for number, value in enumerate(row):
            share = smoothing / len(row) + (1 - smoothing) * (number == label)
            total -= share * (value - norm)
    return total / max(1, count)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.6]))
def test_the_loss_is_cross_entropy_over_labelled_pictures(seed: int, pictures: int, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (pictures, 3)), rng.integers(-1, 3, pictures)
    found = head(smoothing=smoothing).loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found["cls"].item() == pytest.approx(plain_loss(logits.tolist(), labels.tolist(), smoothing), rel=1e-5)


def test_shares_of_two_processes_sum_to_the_loss_of_the_whole_batch() -> None:
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2, 1, 1, 0])
    whole = head().loss(logits, labels)["cls"]
    parts = [head().loss(logits[s], labels[s], lambda n: torch.tensor(5.0))["cls"] for s in (slice(0, 2), slice(2, 5))]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-6)
    assert head().loss(logits[:0], labels[:0])["cls"].item() == 0


def test_the_gradient_is_probability_minus_target() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(2), requires_grad=True)
    labels = torch.tensor([0, 2, 1, 1])
    head().loss({"logits": logits[:, :, None, None]}, labels)["cls"].backward()
    wanted = (logits.softmax(1) - torch.nn.functional.one_hot(labels, 3)).detach() / 4
    assert logits.grad is not None and torch.allclose(logits.grad, wanted, atol=1e-6)


def test_decoding_gives_the_most_probable_classes_of_the_whole_picture() -> None:
    logits = np.array([0.5, 3, 1, 3, -2, 0, 0.1], np.float32)
    found = build_decoder({"kind": "softmax", "on": ["logits"], "options": {"classes": 7}})(logits)
    assert found.labels.tolist() == [1, 3, 2, 0, 6] and len(found) == TOP
    assert found.scores[0] == pytest.approx(math.exp(3) / np.exp(logits).sum(), rel=1e-5)
    assert found.boxes.tolist() == [[0, 0, 1, 1]] * TOP
    (same,) = head(7).decode({"logits": torch.from_numpy(logits)[None]})
    assert same.labels.tolist() == found.labels.tolist() and same.scores.tolist() == found.scores.tolist()


def test_outputs_that_are_no_numbers_say_nothing() -> None:
    decode = build_decoder({"kind": "softmax", "on": ["logits"], "options": {"classes": 2}})
    assert len(decode(np.array([np.nan, 1], np.float32))) == 0
    assert len(decode(np.array([np.inf, 1], np.float32))) == 0
    assert decode(np.array([3e38, -3e38], np.float32)).scores.tolist() == [1, 0]


def test_targets_are_labels() -> None:
    whole = np.array([[0, 0, 1, 1]], np.float32)
    assert head().targets(whole, np.array([2])).item() == 2
    assert head().targets(whole[:0], np.array([], np.int64)).item() == NOTHING


@pytest.mark.parametrize(
    ("options", "loss", "problem"),
    [
        ({"classes": 0}, {}, "0 classes"),
        ({"classes": 2.5}, {}, "2.5 classes"),
        ({"classes": 2, "names": ["a"]}, {}, "1 names for 2 classes"),
        ({"classes": 2, "nms": 0.5}, {}, "no option `nms`"),
        ({"classes": 2}, {"label_smoothing": 1.0}, "`label_smoothing` is 1"),
        ({"classes": 2}, {"label_smoothing": "a"}, "not a number"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], loss: dict[str, object], problem: str) -> None:
    with pytest.raises(DetrtError, match=problem):
        build_head({"kind": "softmax", "on": ["logits"], "options": options}, loss)


def test_another_count_of_values_is_refused() -> None:
    with pytest.raises(DetrtError, match="expects 3 values, the model gives 4"):
        head().loss(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(DetrtError, match="expects 3 values, the model gives 4"):
        head().decode(torch.zeros(2, 4))
