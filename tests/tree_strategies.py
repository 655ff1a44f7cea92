"""Hypothesis strategies for syntax trees: any tree the grammar can produce, spans aside."""

from __future__ import annotations

from hypothesis import strategies as st

from detc.diagnostics import Span
from detc.syntax import tree
from detc.syntax.units import UNITS
from detc.syntax.words import RESERVED

AT = Span("", 1, 1, 1, 1)

words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda word: word not in RESERVED)
names = words.map(lambda word: tree.Name(AT, word))
paths = st.lists(names, min_size=1, max_size=3).map(tuple)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
strings = texts.map(lambda text: tree.String(AT, text))
integers = st.integers(0, 10**12)
floats = st.floats(0, 1e300, allow_nan=False)


def _number(value: int | float) -> tree.Number:
    return tree.Number(AT, value, repr(value))


def _quantity(value: int | float, unit: str) -> tree.Quantity:
    return tree.Quantity(AT, value, unit, f"{value!r} {unit}")


leaves = st.one_of(
    names,
    st.one_of(integers, floats).map(_number),
    st.builds(_quantity, st.one_of(integers, floats), st.sampled_from(sorted(UNITS))),
    st.lists(st.integers(1, 999), min_size=2, max_size=4).map(lambda values: tree.Dims(AT, tuple(values))),
    strings,
    st.sampled_from([True, False, None]).map(lambda value: tree.Constant(AT, value)),
)
_BINARY = ["+", "-", "*", "/", "//", "==", "!=", "<=", ">=", "<", ">", "in", "and", "or", "|>", ".."]


def _compound(inner: st.SearchStrategy[tree.Expr]) -> st.SearchStrategy[tree.Expr]:
    items = st.lists(inner, max_size=3).map(tuple)
    at = st.just(AT)
    entries = st.lists(st.builds(tree.Entry, at, texts, inner), max_size=3, unique_by=lambda entry: entry.key).map(
        tuple
    )
    return st.one_of(
        st.builds(tree.List, at, items),
        st.builds(tree.Tuple, at, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(tree.Map, at, entries),
        st.builds(
            tree.Comprehension, at, inner, st.lists(names, min_size=1, max_size=2).map(tuple), inner, st.none() | inner
        ),
        st.builds(tree.Member, at, inner, names),
        st.builds(tree.Call, at, inner, items, _kwargs(inner)),
        st.builds(tree.Index, at, inner, items),
        st.builds(tree.Unary, at, st.sampled_from(["-", "not"]), inner),
        st.builds(tree.Binary, at, st.sampled_from(_BINARY), inner, inner),
        st.builds(tree.Choice, at, inner, inner, inner),
    )


def _kwargs(inner: st.SearchStrategy[tree.Expr]) -> st.SearchStrategy[tuple[tree.Kwarg, ...]]:
    kwargs = st.builds(tree.Kwarg, st.just(AT), names, inner)
    return st.lists(kwargs, max_size=2, unique_by=lambda kwarg: kwarg.name.id).map(tuple)


exprs: st.SearchStrategy[tree.Expr] = st.recursive(leaves, _compound, max_leaves=10)
_few = st.recursive(leaves, _compound, max_leaves=3)

doc_lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=10)


@st.composite
def types(draw: st.DrawFn) -> tree.Type:
    return tree.Type(AT, draw(names), tuple(draw(st.lists(_few, max_size=2))))


@st.composite
def params(draw: st.DrawFn) -> tuple[tree.Param, ...]:
    found = draw(st.lists(names, max_size=3, unique_by=lambda name: name.id))
    return tuple(tree.Param(AT, name, draw(st.none() | types()), draw(st.none() | _few)) for name in found)


@st.composite
def attributes(draw: st.DrawFn) -> tree.Attribute:
    return tree.Attribute(AT, draw(names), tuple(draw(st.lists(_few, max_size=2))), draw(_kwargs(_few)))


@st.composite
def items(draw: st.DrawFn, depth: int = 2) -> tree.AnyItem:
    """An item; bodies nest `depth` deep at most."""
    kinds = [tree.Use, tree.Assign, tree.Named, tree.Typed, tree.Bound, tree.Require]
    kind = draw(st.sampled_from([*kinds, tree.Block, tree.For, tree.If] if depth else kinds))
    message = st.none() | strings
    if kind is tree.Use:
        file = draw(st.none() | strings)
        return tree.Use(AT, "", (), () if file else tuple(draw(paths)), file, draw(st.none() | names))
    doc = "\n".join(draw(st.lists(doc_lines, max_size=2)))
    about = AT, doc, tuple(draw(st.lists(attributes(), max_size=1)))
    if kind is tree.Assign:
        return tree.Assign(*about, draw(paths), draw(_few))
    if kind is tree.Named:
        return tree.Named(*about, draw(names), draw(names), draw(_few))
    if kind is tree.Typed:
        return tree.Typed(
            *about, draw(names), draw(names), draw(types()), draw(st.none() | _few), draw(st.none() | _few)
        )
    if kind is tree.Bound:
        op = draw(st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "in"]))
        return tree.Bound(*about, draw(st.none() | names), draw(paths), op, draw(_few), draw(message))
    if kind is tree.Require:
        return tree.Require(*about, draw(_few), draw(message))
    body = tuple(draw(st.lists(items(depth - 1), max_size=3)))
    if kind is tree.For:
        return tree.For(*about, tuple(draw(st.lists(names, min_size=1, max_size=2))), draw(_few), body)
    if kind is tree.If:
        return tree.If(*about, draw(_few), body, tuple(draw(st.lists(items(depth - 1), max_size=2))))
    if draw(st.booleans()):
        return tree.Block(*about, draw(names), draw(names | strings), draw(params()), (), (), (), draw(_few))
    label, given_ = draw(st.none() | names | strings), draw(st.none() | params())
    on, extends = tuple(draw(st.lists(_few, max_size=2))), draw(st.just(()) | paths)
    return tree.Block(*about, draw(names), label, given_, on, extends, body, None)


@st.composite
def files(draw: st.DrawFn) -> tree.File:
    doc = "\n".join(draw(st.lists(doc_lines, max_size=2)))
    return tree.File(AT, doc, tuple(draw(st.lists(items(), max_size=4))))
