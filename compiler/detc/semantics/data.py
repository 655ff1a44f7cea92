"""`data NAME = data.voc(..)` and `data NAME { format = voc .. }`: read and resolved without touching the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Related, Rule, Span
from detc.semantics.program import Data, Setting
from detc.semantics.reading import Entries, Reader, did_you_mean, label_of
from detc.semantics.schema.data import FORMATS, SPLITS
from detc.semantics.schema.rules import DATA
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

UNKNOWN_FORMAT = Rule(
    "DAT110",
    "error",
    """no data format is called `{actual}`

    The format says how labels and pictures are stored. It is the word after `data.`, or the key `format` of a block.""",
    help="{remedy}",
)
NO_FORMAT = Rule(
    "DAT111",
    "error",
    """data `{name}` names no format

    A data block is a call of its format with its keys, such as `data.voc(root = path("data/mine"), classes = [..])`.""",
    help="write `data {name} = data.FORMAT(..)` with one of {allowed}",
)
CLASSES = Rule(
    "DAT112",
    "error",
    """data `{name}` needs its classes: a list, or a file that names them

    Pictures in VOC form carry class names without order; the order of the spec gives them their numbers.""",
    help='add `classes = ["first", "second"]` or `classes_file = "classes.txt"`',
)
BOTH_CLASSES = Rule(
    "DAT113",
    "error",
    """data `{name}` gives `classes` and `classes_file`

    The names come from one of them.""",
    help="drop one of the two",
)
DOUBLED_CLASS = Rule(
    "DAT114",
    "error",
    """class `{actual}` of data `{name}` is named twice

    A class has one number, so its name stands once.""",
    help="drop the second",
)
UNKNOWN_CLASSES = Rule(
    "DAT115",
    "error",
    """the classes of data `{name}` are not known before its files are read

    A check never reads data. Where the spec computes with the classes, it has to list them.""",
    help='list them: `classes = ["first", "second"]`',
)
LEAVES = Rule(
    "DAT116",
    "error",
    """`{key}` of data `{name}` leaves the data's root: `{actual}`

    Everything of a data set lies under its root, so that one `--set data.{name}.root=..` moves it.""",
    help="put it under the root, or move the root",
)

RULES = (UNKNOWN_FORMAT, NO_FORMAT, CLASSES, BOTH_CLASSES, DOUBLED_CLASS, UNKNOWN_CLASSES, LEAVES)


def declare(item: tree.Named | tree.Block, scope: Environment) -> Data | None:
    """The data set of a `data` item, noted in the program; None with findings reported."""
    context = scope.context
    at = Reader(scope, DATA, context.sources, context.findings, context.overrides)
    read = read_data(item, at)
    if read is None:
        return None
    data, settings = read
    if data.name not in context.program.data:
        context.program.data[data.name] = data
        context.program.settings[f"data.{data.name}"] = settings
    return data


def member(data: Data, name: str, span: Span) -> Any | Finding:
    """`bccd.classes` and the other members of a data block in expressions; a finding for what is not known without its files."""
    known: dict[str, Any] = {"name": data.name, "format": data.format}
    if data.options["classes"] is not None:
        known["classes"] = list(data.options["classes"])
    if name in known:
        return known[name]
    if name == "classes":
        return UNKNOWN_CLASSES(span, name=data.name)
    return DATA.unknown_key(span, what=f"data `{data.name}`", key=name, remedy=did_you_mean(name, tuple(known)))


def read_data(item: tree.Named | tree.Block, at: Reader) -> tuple[Data, tuple[Setting, ...]] | None:
    """The data set that `item` declares with its settings; None with findings reported where it cannot be one."""
    if isinstance(item, tree.Named):
        name = item.name.id
        called = _call(item.value, name, at)
    else:
        name = label_of(item)
        called = _block(item, name, at)
    if called is None:
        return None
    format, items = called
    at.what = f"data `{name}`"
    before = len(at.findings)
    entries = at.section(FORMATS[format], items, f"data.{name}", span=item.span)
    if len(at.findings) == before:
        _check_classes(name, format, entries, item.span, at)
    _check_paths(name, format, entries, item.span, at)
    if any(finding.level == "error" for finding in at.findings[before:]):
        return None
    return Data(name, format, resolved(format, entries), item.span), tuple(entries.values())


def resolved(format: str, entries: Entries) -> dict[str, Any]:
    """The options as the lock has them."""
    values = {name: setting.value for name, setting in entries.items()}
    options = {
        k: v for k, v in values.items() if k not in ("root", "classes", "classes_file", "annotations", "seed", *SPLITS)
    }

    def split(value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        if format == "voc":
            return {"split": value}
        if format == "coco":
            return {"images": value, "annotations": values["annotations"].replace("{split}", value)}
        if format == "synthetic":
            return {"images": value, "seed": values["seed"]}
        return {"folder": value}

    return {
        "root": values.get("root"),
        "classes": values.get("classes"),
        "classes_file": values.get("classes_file"),
        **{name: split(values[name]) for name in SPLITS},
        "options": options,
    }


def _call(expr: tree.Expr, name: str, at: Reader) -> tuple[str, list[tree.AnyItem]] | None:
    """The format that is called, and its arguments as if they were lines of a block."""
    function = expr.function if isinstance(expr, tree.Call) else expr
    word = function.name if isinstance(function, tree.Member) else function
    if not isinstance(word, tree.Name):
        at.report(NO_FORMAT(expr.span, name=name, allowed=", ".join(FORMATS)))
        return None
    if word.id not in FORMATS:
        at.report(
            UNKNOWN_FORMAT(
                word.span, actual=word.id, allowed=", ".join(FORMATS), remedy=did_you_mean(word.id, tuple(FORMATS))
            )
        )
        return None
    items: list[tree.AnyItem] = []
    if isinstance(expr, tree.Call):
        names = FORMATS[word.id].names
        for index, arg in enumerate(expr.args):
            key = tree.Name(arg.span, names[index] if index < len(names) else f"argument {index + 1}")
            items.append(tree.Assign(arg.span, "", (), (key,), arg))
        once = {kwarg.name.id: kwarg for kwarg in reversed(expr.kwargs)}  # the parser tells of doubled ones
        items.extend(tree.Assign(kwarg.span, "", (), (kwarg.name,), kwarg.value) for kwarg in list(once.values())[::-1])
    return word.id, items


def _block(block: tree.Block, name: str, at: Reader) -> tuple[str, list[tree.AnyItem]] | None:
    """The format of a block, and its other lines."""
    chosen = [item for item in block.items if isinstance(item, tree.Assign) and _is_format(item)]
    if not chosen:
        at.report(NO_FORMAT(block.kind.span, name=name, allowed=", ".join(FORMATS)))
        return None
    called = _call(chosen[0].value, name, at)
    return called and (called[0], called[1] + [item for item in block.items if item is not chosen[0]])


def _is_format(item: tree.Assign) -> bool:
    return len(item.path) == 1 and item.path[0].id == "format"


def _check_classes(name: str, format: str, entries: Entries, span: Span, at: Reader) -> None:
    classes, file = entries.get("classes"), entries.get("classes_file")
    if classes is None or (file is None and format != "synthetic"):
        return
    if format == "voc" and file is not None and classes.value is None and file.value is None:
        at.report(CLASSES(span, name=name))
    if file is not None and classes.value is not None and file.value is not None:
        related = (Related(classes.span, "the list"),) if classes.span else ()
        at.report(BOTH_CLASSES(file.span or span, name=name, related=related))
    seen: set[str] = set()
    for label in classes.value or ():
        if label in seen:
            at.report(DOUBLED_CLASS(classes.span or span, name=name, actual=label))
        seen.add(label)


def _check_paths(name: str, format: str, entries: Entries, span: Span, at: Reader) -> None:
    """Splits and label files stay under the root; where the root itself lies is the user's business."""
    keys = {"voc": SPLITS, "coco": (*SPLITS, "annotations"), "images": SPLITS}.get(format, ())
    for key in (*keys, "classes_file"):
        setting = entries.get(key)
        if setting and isinstance(setting.value, str):
            parts = setting.value.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                at.report(LEAVES(setting.span or span, key=key, name=name, actual=setting.value))
