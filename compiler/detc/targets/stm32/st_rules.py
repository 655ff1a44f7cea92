"""The numbers of ST's memory rules for one tool version and optimisation, as target.det gives them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from detc.diagnostics import Finding, Rule
from detc.semantics.program import Fact, Target

INCOMPLETE = Rule(
    "STM190",
    "error",
    """target `{name}` does not say `{path}`, and without it nobody can tell what memory a net takes

    The Python side of this target holds no number of its own. A target that extends `stm32` may change a value, but has to leave
    one of the same kind in its place.""",
    help="take the value from `stm32`, or measure it",
)

TOOL, OPTIMIZATION = "tool", "optimization"


@dataclass(frozen=True, slots=True)
class StRules:
    """What `tool "VERSION" { activations { .. } scratch { .. } weights { .. } }` says; each field is explained there."""

    narrow_channels: int
    narrow_overlap: bool
    conv_copy: bool
    same_rows: int
    explicit_rows: int
    depthwise_copy: bool
    depthwise_overlap: bool
    depthwise_pixels: int
    pointwise_ratio: float
    in_place_add: bool
    constant_output: float
    output_bytes: int
    conv_tap: int
    conv_channel: int
    conv_pair: int
    conv_most: int
    pointwise_in: int
    pointwise_out: int
    depthwise_tap: int
    depthwise_channel: int
    depthwise_fixed: int
    dense_in: int
    dense_out: int
    softmax: int
    weight_bytes: int
    bias_bytes: int
    fixed: int
    margin: float
    runtime_layer: float
    runtime_free: float
    runtime_error: float
    code_layer: float
    code_fixed: int
    code_error: float


def tool_of(target: Target) -> str:
    """The version that the target is judged for."""
    return str(target.params[TOOL].value) if TOOL in target.params else ""


def tool_facts(target: Target) -> dict[str, Fact]:
    """All facts of the target's tool by name: those of the version that it counts `like`, its own over them, those of its
    optimisation over both."""
    optimization = str(target.params[OPTIMIZATION].value) if OPTIMIZATION in target.params else ""
    return _facts(target, tool_of(target), optimization, set())


def _facts(target: Target, version: str, optimization: str, seen: set[str]) -> dict[str, Fact]:
    section = target.root.find(TOOL, version)
    if section is None or version in seen:
        return {}
    like = section.facts.get("like")
    facts = _facts(target, str(like.value), optimization, seen | {version}) if like else {}
    special = section.find(OPTIMIZATION, optimization)
    for part in (section, *(s for s in section.sections if s.kind != OPTIMIZATION), *([special] if special else [])):
        facts |= part.facts
    return facts


def read_rules(target: Target) -> StRules | tuple[Finding, ...]:
    """The rules of the target's tool, or a finding for each number that is missing or of the wrong kind.

    No findings and no rules where the version was refused (`--set target.tool=9.9`): that has been told, and it lacks everything.
    """
    if TOOL not in target.params:
        return ()
    facts = tool_facts(target)
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}
    values: dict[str, Any] = {}
    found: list[Finding] = []
    for field in fields(StRules):
        fact = facts.get(field.name)
        wanted = kinds[str(field.type)]
        good = (
            fact is not None and isinstance(fact.value, wanted) and (bool in wanted or not isinstance(fact.value, bool))
        )
        if fact is not None and good and (bool in wanted or fact.value >= 0):
            values[field.name] = fact.value
        else:
            path = f'tool "{tool_of(target)}" . {field.name}'
            found.append(INCOMPLETE(fact.span if fact else target.span, name=target.name, path=path))
    return tuple(found) if found else StRules(**values)
