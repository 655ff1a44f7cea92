"""Rules word findings, and every rule of the compiler has a code of its own."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import detc
from detc.diagnostics import Rule, Span
from detc.diagnostics.rules import collect, modules_of
from detc.syntax import mistakes


def test_a_rule_words_its_finding() -> None:
    rule = Rule("GTI101", "error", "`{name}` has a {actual}\n kernel; only {allowed}\n\nWhy.", "use {allowed}")
    finding = rule(Span("a", 1, 1, 1, 2), name="x", actual="5x5", allowed="3x3", label="{actual} here")
    assert (finding.message, finding.label, finding.help) == ("`x` has a 5x5 kernel; only 3x3", "5x5 here", "use 3x3")
    assert (finding.actual, finding.allowed) == ("5x5", "3x3")
    assert rule.explanation == "Why."


def test_codes_are_unique_in_the_whole_compiler() -> None:
    rules = collect(modules_of(detc))
    assert list(rules) == sorted(rules)
    assert all(re.fullmatch(r"[A-Z]{3}[0-9]{3}", code) for code in rules)
    assert {rule.code for rule in vars(mistakes).values() if isinstance(rule, Rule)} <= set(rules)
    for rule in rules.values():
        assert rule.message and rule.level in ("error", "warning", "note")


def test_a_code_used_twice_is_refused() -> None:
    one, two = ModuleType("one"), ModuleType("two")
    vars(one)["A"] = Rule("XYZ101", "error", "a")
    vars(two)["A"] = vars(one)["A"]
    assert list(collect([one, two])) == ["XYZ101"]
    vars(two)["A"] = Rule("XYZ101", "error", "b")
    with pytest.raises(ValueError, match="XYZ101 is the code of two rules, in one and in two"):
        collect([one, two])
