"""`param NAME: TYPE = DEFAULT where CONDITION`: the values that `--set` may touch, kept to their type and range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detc.diagnostics import Related, Rule
from detc.semantics.overrides import UNREADABLE, Override, Overrides
from detc.semantics.program import Setting
from detc.semantics.reading import Reader, did_you_mean
from detc.semantics.schema.kind import MISSING
from detc.semantics.schema.rules import PARAM
from detc.semantics.values import BROKEN, Quantity, Symbol, is_number
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

UNKNOWN_TYPE = Rule(
    "PAR120",
    "error",
    """no type of parameter is called `{actual}`

    Parameters are of type int, float, bool, str, or list, or of a unit's dimension: bits, bytes, epochs, images.""",
    help="{remedy}",
)
WRONG_TYPE = Rule(
    "PAR121",
    "error",
    """parameter `{name}` is {allowed}, and gets {actual}

    The type of a parameter is what its declaration says, or else that of its default.""",
    help="give it {allowed}",
)
OUT_OF_RANGE = Rule(
    "PAR122",
    "error",
    """parameter `{name}` = {actual} breaks its condition `{allowed}`

    What stands behind `where` must hold for the default and for every `--set`.""",
    help="choose a value that satisfies `{allowed}`",
)
NO_VALUE = Rule(
    "PAR123",
    "error",
    """parameter `{name}` has no value

    It is declared without a default, so every run has to set it.""",
    help="run with `--set {name}=VALUE`, or give it a default",
)
NO_RANGE = Rule(
    "PAR124",
    "error",
    """the condition `{actual}` of parameter `{name}` is neither true nor false

    Behind `where` stands a comparison of the parameter, such as `classes in 1 .. 246`.""",
    help="compare it: `where {name} in LOW .. HIGH`",
)

RULES = (UNKNOWN_TYPE, WRONG_TYPE, OUT_OF_RANGE, NO_VALUE, NO_RANGE)

TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a string",
    "list": "a list",
    "bits": "a number of bits",
    "bytes": "a size in bytes",
    "epochs": "a number of epochs",
    "images": "a number of images",
    "word": "a word",
}
_DIMENSIONS = ("bits", "bytes", "epochs", "images")


def declare(item: tree.Typed | tree.Named, scope: Environment) -> Any:
    """The value of a parameter of the spec, noted in `program.params`; BROKEN with findings reported."""
    context = scope.context
    at = Reader(scope, PARAM, context.sources, context.findings, context.overrides)
    overrides = context.overrides if scope.root else Overrides()
    read = read_param(item, at, overrides)
    if read is None:
        return BROKEN
    setting, value = read
    if scope.root:
        context.program.params.setdefault(setting.name, setting)
    return value


def read_param(
    item: tree.Typed | tree.Named, at: Reader, overrides: Overrides, prefix: str = ""
) -> tuple[Setting, Any] | None:
    """The parameter's setting (plain value) and its value in the language; None with findings reported.

    `prefix` is `target.` for the parameters of a target. A name that nothing binds is a word, as in `param optimize = balanced`.
    """
    name = item.name.id
    type = _type(item, at)
    override = overrides.take(prefix + name)
    default = _default(item.value, at) if item.value is not None else None
    wanted = type or (_type_of(default) if item.value is not None else None)
    value = default
    if override is not None:
        value = _overridden(override, wanted, at)
    elif item.value is None:
        at.report(NO_VALUE(item.span, name=prefix + name))
        return None
    if value is MISSING:
        return None
    span = override.span if override else item.value.span if item.value else item.span
    fitted = _fit(value, wanted)
    if fitted is MISSING:
        related = (Related(item.span, "declared here"),) if override else ()
        allowed = TYPES[wanted or "word"]
        actual = override.text if override else at.text(item.value or item)
        at.report(WRONG_TYPE(span, name=prefix + name, allowed=allowed, actual=actual, related=related))
        return None
    where = item.where if isinstance(item, tree.Typed) else None
    if where is not None and not _holds(where, name, fitted, span, item, at, override):
        return None
    return Setting(name, _plain(fitted), "--set" if override else "spec", span), fitted


def _default(expr: tree.Expr, at: Reader) -> Any:
    if isinstance(expr, tree.Name) and not at.bound(expr.id):
        return Symbol(expr.id, expr.span)
    return at.value(expr)


def _overridden(override: Override, wanted: str | None, at: Reader) -> Any:
    """The value of a `--set`: a number given for a string is the string as typed, since shells take quotes away."""
    if override.expr is None:
        if wanted == "str":
            return override.text
        return at.report(UNREADABLE(override.span, name=override.name))
    if wanted == "str" and not isinstance(override.expr, tree.String):
        return override.text
    return _default(override.expr, at)


def _type(item: tree.Typed | tree.Named, at: Reader) -> str | None:
    if isinstance(item, tree.Named):
        return None
    name = item.type.name.id
    if name in TYPES and name != "word":
        return name
    at.report(
        UNKNOWN_TYPE(item.type.span, actual=name, remedy=did_you_mean(name, tuple(t for t in TYPES if t != "word")))
    )
    return None


def _type_of(value: Any) -> str | None:
    """The type that a default tells, None where it says nothing (a function, a broken value)."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "str"
    if isinstance(value, Quantity) and value.dimension in _DIMENSIONS:
        return value.dimension
    return "list" if isinstance(value, list) else None


def _fit(value: Any, wanted: str | None) -> Any:
    """The value as one of the type, or MISSING."""
    if wanted is None or value is MISSING:
        return value
    if wanted == "int":
        return int(value) if is_number(value) and value == int(value) and not isinstance(value, float) else MISSING
    if wanted == "float":
        if isinstance(value, Quantity) and value.dimension == "relative":
            return float(value.value)
        return float(value) if is_number(value) else MISSING
    if wanted in _DIMENSIONS:
        return value if isinstance(value, Quantity) and value.dimension == wanted else MISSING
    kinds = {"bool": bool, "str": str, "list": list}
    return value if isinstance(value, kinds[wanted]) else MISSING


def _holds(
    where: tree.Expr,
    name: str,
    value: Any,
    span: Any,
    item: tree.Typed | tree.Named,
    at: Reader,
    override: Override | None,
) -> bool:
    inner = Reader(at.scope.with_names({name: value}), at.rules, at.sources, at.findings)
    verdict = inner.value(where)
    if verdict is MISSING:
        return False
    if not isinstance(verdict, bool):
        at.report(NO_RANGE(where.span, name=name, actual=at.text(where)))
        return False
    if not verdict:
        related = (Related(where.span, "the condition"),)
        actual = override.text if override else at.text(item.value or item)
        at.report(OUT_OF_RANGE(span, name=name, actual=actual, allowed=at.text(where), related=related))
    return verdict


def _plain(value: Any) -> Any:
    from detc.semantics.reading import plain_value

    plain = plain_value(value)
    return getattr(value, "name", str(value)) if plain is MISSING else plain
