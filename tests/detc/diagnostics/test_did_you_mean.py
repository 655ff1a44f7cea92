"""The word that was most likely meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detc.diagnostics.did_you_mean import closest

WORDS = ["conv", "maxpool", "relu", "relu6", "classes", "weight_decay", "epochs", "x"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("maxpol", "maxpool"), ("Conv", "conv"), ("weight-decay", "weight_decay"), ("clases", "classes"), ("ocnv", "conv"),
        ("epoch", "epochs"), ("rleu", "relu"), ("batchnorm", None), ("", None), ("x" * 100, None), ("relu", "relu6"),
    ],
)  # fmt: skip
def test_the_nearest_of_some(word: str, meant: str | None) -> None:
    assert closest(word, WORDS) == meant


@given(st.text(max_size=70), st.lists(st.text(max_size=70), max_size=5))
def test_any_text_may_be_asked_for(word: str, candidates: list[str]) -> None:
    found = closest(word, candidates)
    assert found is None or (found in candidates and found != word)
    assert found == closest(word, reversed(candidates))
