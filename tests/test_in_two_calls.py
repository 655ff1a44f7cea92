"""`make test` and `make long`: both calls of pytest are made, and the worse one is the answer."""

from __future__ import annotations

import pytest

import in_two_calls


@pytest.mark.parametrize(
    ("statuses", "answer"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1), ((5, 0), 0), ((5, 5), 5), ((4, 1), 4), ((2,), 2)]
)
def test_the_second_call_is_made_whatever_the_first_one_says(
    statuses: tuple[int, ...], answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, list[str]]] = []

    def pytest_call(marked: str, words: list[str], environment: dict[str, str]) -> int:
        calls.append((marked, words))
        return statuses[len(calls) - 1]

    monkeypatch.setattr(in_two_calls, "pytest", pytest_call)
    monkeypatch.setattr(in_two_calls, "find_spec", lambda name: None)
    assert in_two_calls.main(["-m", "not long", "-k", "x"]) == answer
    expected = [("(not long) and not alone", ["-k", "x"]), ("(not long) and alone", ["-k", "x"])]
    assert calls == expected[: len(statuses)]


def test_only_the_first_call_has_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[bool, str | None]] = []

    def pytest_call(marked: str, words: list[str], environment: dict[str, str]) -> int:
        calls.append(("-n" in words, environment.get("OMP_NUM_THREADS")))
        return 0

    monkeypatch.setattr(in_two_calls, "pytest", pytest_call)
    monkeypatch.setattr(in_two_calls, "find_spec", lambda name: object())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert in_two_calls.main([]) == 0
    assert calls == [(True, "1"), (False, "2")]
