"""A `require` line of the spec; its condition is an EXPR of the lock, plain data."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from detrt.lock.part import Part


class Gate(Part):
    """`condition` is an EXPR of the lock; its form is checked here, what it asks for is judged after a stage."""

    text: str
    condition: dict[str, Any]
    message: str = ""
    verdict: str = "unjudged"

    @field_validator("condition")
    @classmethod
    def _well_formed(cls, condition: dict[str, Any]) -> dict[str, Any]:
        _check_condition(condition)
        return condition


def _check_condition(expr: Any, depth: int = 0) -> None:
    """Raises ValueError, which pydantic puts beside the key, if `expr` is no EXPR."""
    if not isinstance(expr, dict) or depth > 50:
        raise ValueError("expected an expression" if depth <= 50 else "nested too deeply")
    match expr:
        case {"value": bool() | int() | float() | str() | None, **rest} if set(rest) <= {"unit"}:
            parts: list[Any] = []
        case {"name": str(), **rest} if not rest:
            parts = []
        case {"call": str(), "args": list(args), "kwargs": dict(kwargs), **rest} if not rest:
            parts = [*args, *kwargs.values()]
        case {"op": "not" | "neg", "operand": operand, **rest} if not rest:
            parts = [operand]
        case {"op": str(), "left": left, "right": right, **rest} if not rest:
            parts = [left, right]
        case _:
            raise ValueError(f"no expression has the keys {', '.join(sorted(map(str, expr))) or 'of nothing'}")
    for part in parts:
        _check_condition(part, depth + 1)
