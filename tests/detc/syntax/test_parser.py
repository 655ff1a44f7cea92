"""What each construct of the language becomes."""

from __future__ import annotations

import pytest

from detc.diagnostics import Source
from detc.syntax import tree
from detc.syntax.format import same
from detc.syntax.parser import parse


def read(text: str) -> tree.File:
    file, findings = parse(Source("a.det", text))
    assert not findings, findings
    return file


def item(text: str) -> tree.AnyItem:
    (only,) = read(text).items
    return only


def value(text: str) -> tree.Expr:
    only = item(f"x = {text}")
    assert isinstance(only, tree.Assign)
    return only.value


def shape(expr: tree.Expr) -> str:
    """Brackets around every operation, so that a test can say how an expression was understood."""
    match expr:
        case tree.Binary(op=op, left=left, right=right):
            return f"({shape(left)} {op} {shape(right)})"
        case tree.Unary(op=op, operand=operand):
            return f"({op} {shape(operand)})"
        case tree.Choice(condition=condition, yes=yes, no=no):
            return f"(if {shape(condition)} then {shape(yes)} else {shape(no)})"
        case tree.Call(function=function, args=args, kwargs=kwargs):
            given = [*map(shape, args), *(f"{k.name.id}={shape(k.value)}" for k in kwargs)]
            return f"{shape(function)}({', '.join(given)})"
        case tree.Index(object=object_, args=args):
            return f"{shape(object_)}[{', '.join(map(shape, args))}]"
        case tree.Member(object=object_, name=name):
            return f"{shape(object_)}.{name.id}"
        case tree.Name(id=name_):
            return name_
        case tree.Number(text=text) | tree.Quantity(text=text):
            return text
    raise AssertionError(expr)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("-a * b", "((- a) * b)"),
        ("c // 2 / 3", "((c // 2) / 3)"),
        ("x |> conv(64) |> relu", "((x |> conv(64)) |> relu)"),
        ("x |> f * n", "(x |> (f * n))"),
        ("x |> (f |> g) * n", "(x |> ((f |> g) * n))"),
        ("not a == b and c", "((not (a == b)) and c)"),
        ("a or b and not c", "(a or (b and (not c)))"),
        ("n in 1 .. 2 * k", "(n in (1 .. (2 * k)))"),
        ("if a then b else if c then d else e", "(if a then b else (if c then d else e))"),
        ("if a == b then x + y else y", "(if (a == b) then (x + y) else y)"),
        ("b.wide[0 .. 4].channels", "b.wide[(0 .. 4)].channels"),
        ("f(a, k = 2)(b,)", "f(a, k=2)(b)"),
    ],
)
def test_operators_bind_as_written_in_the_grammar(text: str, understood: str) -> None:
    assert shape(value(text)) == understood


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("16", 16),
        ("6_553_600", 6553600),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("2E6", 2e6),
        ("0x24000000", 0x24000000),
        ("0xFF_FF", 0xFFFF),
    ],
)
def test_numbers(text: str, number: float) -> None:
    read_back = value(text)
    assert isinstance(read_back, tree.Number)
    assert (read_back.value, type(read_back.value), read_back.text) == (number, type(number), text)


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [("640 KiB", 640, "KiB"), ("640KiB", 640, "KiB"), ("3 bits", 3, "bits"), ("10 %", 10, "%"), ("10%", 10, "%"),
     ("1.5 points", 1.5, "points"),     ("2.1\tGB/s", 2.1, "GB/s"), ("1e-3 s", 1e-3, "s"),
     ("4 epochs", 4, "epochs"), ("1 epoch", 1, "epoch")],
)  # fmt: skip
def test_quantities(text: str, amount: float, unit: str) -> None:
    quantity = value(text)
    assert isinstance(quantity, tree.Quantity)
    assert (quantity.value, quantity.unit) == (amount, unit)


def test_a_unit_word_that_goes_on_as_a_key_is_none() -> None:
    assigned = read("a = 16 min = 60  b = 3 s.x = 1\nc = 3 steps == 2").items
    assert [type(part).__name__ for part in assigned] == ["Assign", "Assign", "Assign", "Assign", "Assign"]
    last = assigned[-1]
    assert isinstance(last, tree.Assign)
    assert shape(last.value) == "(3 steps == 2)"


def test_dims_strings_and_constants() -> None:
    dims = value("3x3x64")
    assert isinstance(dims, tree.Dims) and dims.values == (3, 3, 64)
    text = value(r'"a \"quote\", a \\, a\tTab, \u{1F600} and 日本"')
    assert isinstance(text, tree.String) and text.value == 'a "quote", a \\, a\tTab, \U0001f600 and 日本'
    constants = value("[true, false, none]")
    assert isinstance(constants, tree.List)
    assert [part.value for part in constants.items if isinstance(part, tree.Constant)] == [True, False, None]


def test_lists_tuples_maps_and_comprehensions() -> None:
    assert isinstance(value("[]"), tree.List)
    pair = value("((1, 2), (3, 4),)")
    assert isinstance(pair, tree.Tuple) and len(pair.items) == 2
    entries = value('{grid: 19, "a key": [1, 2],}')
    assert isinstance(entries, tree.Map) and [entry.key for entry in entries.entries] == ["grid", "a key"]
    loop = value("[f |> lite(n) for f, n in zip(a, b) if n > 0]")
    assert isinstance(loop, tree.Comprehension)
    assert [name.id for name in loop.names] == ["f", "n"] and loop.condition is not None


def test_items_of_every_kind() -> None:
    file = read(
        """
        use std.blocks as b
        use "mine.det"
        param classes: int = 20 where classes in 1 .. 246
        param act = silu
        model ssd(width = 1.0, n: int) on loc, conf extends a.detector { batch = 16 quantize weights = masks }
        block cbr(x, c) = x |> conv(c)
        default "odd name" {}
        limit majors <= 7 else "too many"
        k in [1x1, 3x3]  stride == 1
        require drop(map50) <= 10 % else "lost"
        for f, g in pairs { a.b = f }
        if x { y = 1 } else if z { y = 2 } else { y = 3 }
        """
    )
    kinds = [type(part).__name__ for part in file.items]
    assert kinds == [
        "Use",
        "Use",
        "Typed",
        "Named",
        "Block",
        "Block",
        "Block",
        "Bound",
        "Bound",
        "Bound",
        "Require",
        "For",
        "If",
    ]
    use, own, typed, _, model, inline, odd, limit, *_, loop, branch = file.items
    assert (
        isinstance(use, tree.Use)
        and [n.id for n in use.path] == ["std", "blocks"]
        and use.alias
        and use.alias.id == "b"
    )
    assert isinstance(own, tree.Use) and own.path == () and own.file and own.file.value == "mine.det"
    assert isinstance(typed, tree.Typed) and typed.where is not None and shape(typed.where) == "(classes in (1 .. 246))"
    assert isinstance(model, tree.Block) and model.params and [p.name.id for p in model.params] == ["width", "n"]
    assert [shape(part) for part in model.on] == ["loc", "conf"] and [n.id for n in model.extends] == ["a", "detector"]
    assert [type(part).__name__ for part in model.items] == ["Assign", "Named"]
    assert isinstance(inline, tree.Block) and inline.result is not None and inline.items == ()
    assert isinstance(odd, tree.Block) and isinstance(odd.label, tree.String) and odd.params is None
    assert isinstance(limit, tree.Bound) and limit.kind and limit.kind.id == "limit" and limit.message
    assert isinstance(loop, tree.For) and len(loop.names) == 2
    assert (
        isinstance(branch, tree.If)
        and isinstance(branch.otherwise[0], tree.If)
        and len(branch.otherwise[0].otherwise) == 1
    )


def test_items_need_no_separators() -> None:
    stage = item(
        "stage s { start = a.best  load = trunk  freeze = trunk for_epochs = 5 run = 135 epochs  prune channels = l2 }"
    )
    assert isinstance(stage, tree.Block)
    assert [type(part).__name__ for part in stage.items] == ["Assign"] * 5 + ["Named"]


def test_docs_and_attributes_find_their_items() -> None:
    file = read(
        '## about the file\n\n## first\n## second\n@source("book")\n@placeholder\na = 1\n'
        'b = 2  @source("page", n = 3)  ## behind\n## next\nblock c(x) { d = 1 ## inner\n}  @late\n'
    )
    a, b, c = file.items
    assert file.doc == "about the file"
    assert a.doc == "first\nsecond" and [attribute.name.id for attribute in a.attributes] == ["source", "placeholder"]
    assert b.doc == "behind" and len(b.attributes[0].args) == 1 and b.attributes[0].kwargs[0].name.id == "n"
    assert c.doc == "next" and c.attributes[0].name.id == "late"
    assert isinstance(c, tree.Block) and c.items[0].doc == "inner"


def test_the_files_doc_stands_before_a_blank_line_or_a_use() -> None:
    assert read("## whole\nuse std.data\nx = 1").doc == "whole"
    assert read("## whole\n\nx = 1").doc == "whole"
    assert read("## whole\n").doc == "whole"
    assert read("## only x\nx = 1").doc == ""


def test_a_doc_in_the_middle_of_an_item_is_a_comment() -> None:
    assert len(read("x = [1, ## one\n 2]\ny = f(a, ## b\n c)").items) == 2


def test_white_space_and_line_ends_do_not_matter() -> None:
    plain = read("model a {\n  x = 640 KiB\n  y = f(1,\n    2)\n}\n")
    for text in (
        "\ufeffmodel a {\n  x = 640 KiB\n  y = f(1,\n    2)\n}\n",
        "model a {\r\n  x = 640 KiB\r\n  y = f(1,\r\n    2)\r\n}\r\n",
        "model\ta\t{ x = 640\tKiB y = f ( 1 , 2 ) }",
    ):
        assert same(plain, read(text))


def test_spans_count_code_points_from_one() -> None:
    file = read("# ä comment\nlet grün_ = 1\n".replace("ü", "u") + 'x = "日本" + y\n')
    _, x = file.items
    assert isinstance(x, tree.Assign) and isinstance(x.value, tree.Binary)
    assert str(x.value.right.span) == "a.det:3:12" and x.value.right.span.end_column == 13
    assert (x.span.line, x.span.column, x.span.end_line, x.span.end_column) == (3, 1, 3, 13)


def test_empty_files() -> None:
    for text in ("", "\n\n", "# nothing\n", "\ufeff"):
        assert read(text).items == ()
