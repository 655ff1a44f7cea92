"""A tree back to text: for importers that write specs, for messages that quote an expression, and for tests.

The text is correct and plain; `format.format_file` lays it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detc.syntax import tree
from detc.syntax.words import RESERVED

_PRECEDENCE = {"|>": 1, "or": 2, "and": 3, "in": 5, "..": 6, "+": 7, "-": 7, "*": 8, "/": 8, "//": 8}
_COMPARISON, _CHOICE, _NOT, _SIGN, _POST, _ATOM = 5, 0, 4, 9, 10, 11
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def file_text(file: tree.File) -> str:
    """The whole file, one item a line and its bodies indented."""
    lines = [*_doc(file.doc), ""] if file.doc else []
    return "\n".join([*lines, *_items(file.items), ""])


def item_text(item: tree.AnyItem) -> str:
    """One item with its docs and attributes before it."""
    return "\n".join(_item(item))


def string_text(value: str) -> str:
    """`value` as a string literal; characters that do not show are written by their number."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):X}}}") for c in value) + '"'


def expr_text(expr: tree.Expr, least: int = 0) -> str:
    """The expression, in parentheses if it binds less than `least`."""
    text, binds = _expr(expr)
    return f"({text})" if binds < least else text


def _expr(expr: tree.Expr) -> tuple[str, int]:
    """The text of an expression and how tightly it binds."""
    match expr:
        case tree.Name(id=name):
            return name, _ATOM
        case tree.Number(text=text) | tree.Quantity(text=text):
            return text, _ATOM
        case tree.Dims(values=values):
            return "x".join(map(str, values)), _ATOM
        case tree.String(value=value):
            return string_text(value), _ATOM
        case tree.Constant(value=constant):
            return {True: "true", False: "false", None: "none"}[constant], _ATOM
        case tree.List(items=items):
            return f"[{_listed(items)}]", _ATOM
        case tree.Tuple(items=items):
            return f"({_listed(items)})", _ATOM
        case tree.Map(entries=entries):
            return "{" + ", ".join(f"{_key(e.key)}: {expr_text(e.value)}" for e in entries) + "}", _ATOM
        case tree.Comprehension(element=element, names=names, source=source, condition=condition):
            test = f" if {expr_text(condition, 1)}" if condition else ""
            return f"[{expr_text(element)} for {_names(names)} in {expr_text(source)}{test}]", _ATOM
        case tree.Member(object=object_, name=name_):
            return f"{_operand(object_)}.{name_.id}", _POST
        case tree.Call(function=function, args=args, kwargs=kwargs):
            return f"{_operand(function)}({_arguments(args, kwargs)})", _POST
        case tree.Index(object=object_, args=args):
            return f"{_operand(object_)}[{_listed(args)}]", _POST
        case tree.Unary(op="not", operand=operand):
            return f"not {expr_text(operand, _NOT)}", _NOT
        case tree.Unary(operand=operand):
            return f"-{expr_text(operand, _SIGN)}", _SIGN
        case tree.Binary(op=op, left=left, right=right):
            binds = _PRECEDENCE.get(op, _COMPARISON)
            chains = binds not in (_COMPARISON, _PRECEDENCE[".."])
            return f"{expr_text(left, binds if chains else binds + 1)} {op} {expr_text(right, binds + 1)}", binds
        case tree.Choice(condition=condition, yes=yes, no=no):
            return f"if {expr_text(condition, 1)} then {expr_text(yes)} else {expr_text(no)}", _CHOICE
    raise TypeError(f"no expression: {type(expr).__name__}")


def _operand(expr: tree.Expr) -> str:
    """What stands before `.`, `(` or `[`; a number there would read its unit or point differently."""
    number = isinstance(expr, tree.Number | tree.Quantity | tree.Dims)
    return f"({expr_text(expr)})" if number else expr_text(expr, _POST)


def _listed(items: Iterable[tree.Expr]) -> str:
    return ", ".join(expr_text(item) for item in items)


def _arguments(args: Iterable[tree.Expr], kwargs: Iterable[tree.Kwarg]) -> str:
    return ", ".join([*map(expr_text, args), *(f"{kwarg.name.id} = {expr_text(kwarg.value)}" for kwarg in kwargs)])


def _key(key: str) -> str:
    return key if _NAME.fullmatch(key) and key not in RESERVED else string_text(key)


def _names(names: Iterable[tree.Name]) -> str:
    return ", ".join(name.id for name in names)


def _path(path: Iterable[tree.Name]) -> str:
    return ".".join(name.id for name in path)


def _doc(doc: str) -> list[str]:
    return [f"## {line}".rstrip() for line in doc.split("\n")] if doc else []


def _items(items: Iterable[tree.AnyItem], indent: str = "") -> list[str]:
    return [indent + line for item in items for line in _item(item)]


def _item(item: tree.AnyItem) -> list[str]:
    lines = _doc(item.doc)
    for attribute in item.attributes:
        arguments = _arguments(attribute.args, attribute.kwargs)
        lines.append(f"@{attribute.name.id}({arguments})" if arguments else f"@{attribute.name.id}")
    match item:
        case tree.Block():
            return lines + _block(item)
        case tree.For(names=names, source=source, items=items):
            return lines + _body(f"for {_names(names)} in {expr_text(source)}", items)
        case tree.If():
            return lines + _if(item)
    return [*lines, _line(item)]


def _line(item: tree.AnyItem) -> str:
    match item:
        case tree.Use(path=path, file=file, alias=alias):
            what = string_text(file.value) if file else _path(path)
            return f"use {what}" + (f" as {alias.id}" if alias else "")
        case tree.Assign(path=path, value=value):
            return f"{_path(path)} = {expr_text(value)}"
        case tree.Named(kind=kind, name=name, value=value):
            return f"{kind.id} {name.id} = {expr_text(value)}"
        case tree.Typed(kind=kind, name=name, type=type_, value=default, where=where):
            text = f"{kind.id} {name.id}: {_type(type_)}" + (f" = {expr_text(default)}" if default else "")
            return text + (f" where {expr_text(where)}" if where else "")
        case tree.Bound(kind=kind_, path=path, op=op, value=value, message=message):
            head = f"{kind_.id} {_path(path)}" if kind_ else _path(path)
            return f"{head} {op} {expr_text(value)}{_else(message)}"
        case tree.Require(condition=condition, message=message):
            return f"require {expr_text(condition)}{_else(message)}"
    raise TypeError(f"no item: {type(item).__name__}")


def _else(message: tree.String | None) -> str:
    return f" else {string_text(message.value)}" if message else ""


def _type(type_: tree.Type) -> str:
    return type_.name.id + (f"[{_listed(type_.args)}]" if type_.args else "")


def _param(param: tree.Param) -> str:
    text = param.name.id + (f": {_type(param.type)}" if param.type else "")
    return text + (f" = {expr_text(param.default)}" if param.default else "")


def _block(block: tree.Block) -> list[str]:
    head = block.kind.id
    if block.label is not None:
        head += f" {block.label.id if isinstance(block.label, tree.Name) else string_text(block.label.value)}"
    if block.params is not None:
        gap = "" if block.label else " "
        head += f"{gap}({', '.join(map(_param, block.params))})"
    if block.result is not None:
        return [f"{head} = {expr_text(block.result)}"]
    if block.on:
        head += f" on {', '.join(expr_text(part, _POST) for part in block.on)}"
    if block.extends:
        head += f" extends {_path(block.extends)}"
    return _body(head, block.items)


def _body(head: str, items: tuple[tree.AnyItem, ...]) -> list[str]:
    return [f"{head} {{", *_items(items, "  "), "}"] if items else [f"{head} {{}}"]


def _if(item: tree.If) -> list[str]:
    lines = _body(f"if {expr_text(item.condition, 1)}", item.items)
    if not item.otherwise:
        return lines
    first = item.otherwise[0]
    chained = isinstance(first, tree.If) and len(item.otherwise) == 1 and not first.doc and not first.attributes
    rest = _if(first) if chained and isinstance(first, tree.If) else _body("", item.otherwise)
    return [*lines[:-1], f"{lines[-1]} else {rest[0].lstrip()}", *rest[1:]]
