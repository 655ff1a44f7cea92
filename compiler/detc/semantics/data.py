"""`data NAME = data.voc(..)` and `data NAME { format = voc .. }`: read and resolved without touching the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Related, Rule, Span
from detc.semantics.data_options import paths, resolved
from detc.semantics.program import Data, Setting
from detc.semantics.reading import Entries, Reader, did_you_mean, label_of
from detc.semantics.schema.data import FORMATS, NUMBERED, SPLITS
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

    Label files of the VOC form carry names without order, those of YOLO and GNetDet numbers without names; the order of the
    spec brings the two together.""",
    help='add `classes = ["first", "second"]` or `{file} = "classes.txt"`',
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

BOTH_VAL = Rule(
    "DAT117",
    "error",
    """data `{name}` gives `val` and `validation_split`

    Validation pictures are a split of their own, or are held back from the training pictures.""",
    help="drop one of the two",
)

PART_OF_VIDEO = Rule(
    "DAT118",
    "error",
    """`{key}` of data `{name}` has {actual} pictures, which is no whole number of videos of {frames} frames

    Where shapes move, the pictures of the synthetic set are the frames of videos.""",
    help="write `{key} = {fix} images`",
)
SHORT_VIDEOS = Rule(
    "DAT119",
    "error",
    """the videos of data `{name}` have {frames} frames, fewer than the {steps} of a clip

    A clip is a run of consecutive frames of one video.""",
    help="write `frames = {steps}` or more, or `steps = {frames}`",
)

RULES = (
    UNKNOWN_FORMAT, NO_FORMAT, CLASSES, BOTH_CLASSES, DOUBLED_CLASS, UNKNOWN_CLASSES, LEAVES, BOTH_VAL, PART_OF_VIDEO,
    SHORT_VIDEOS,
)  # fmt: skip


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
        _check_validation(name, entries, item.span, at)
        _check_videos(name, entries, item.span, at)
    _check_paths(name, format, entries, item.span, at)
    if any(finding.level == "error" for finding in at.findings[before:]):
        return None
    values = {key: setting.value for key, setting in entries.items()}
    if values.get("classes_file") is not None and entries["classes"].origin == "default":
        values["classes"] = None  # the file replaces the format's own classes
    return Data(name, format, resolved(format, values), item.span), tuple(entries.values())


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
    names = entries.get("names")
    named = [s for s in (classes, file, names) if s is not None and s.value is not None]
    if (format == "voc" or format in NUMBERED) and not named:
        at.report(CLASSES(span, name=name, file="names" if format in NUMBERED else "classes_file"))
    if file is not None and file.value is not None and classes.value is not None and classes.origin != "default":
        related = (Related(classes.span, "the list"),) if classes.span else ()
        at.report(BOTH_CLASSES(file.span or span, name=name, related=related))
    seen: set[str] = set()
    for label in classes.value or ():
        if label in seen:
            at.report(DOUBLED_CLASS(classes.span or span, name=name, actual=label))
        seen.add(label)


def _check_validation(name: str, entries: Entries, span: Span, at: Reader) -> None:
    share, val = entries.get("validation_split"), entries["val"]
    if share is not None and share.value is not None and val.value is not None and val.origin != "default":
        related = (Related(share.span, "held back here"),) if share.span else ()
        at.report(BOTH_VAL(val.span or span, name=name, related=related))


def _check_videos(name: str, entries: Entries, span: Span, at: Reader) -> None:
    """Videos that are drawn have whole clips, and splits whole videos."""
    if "frames" not in entries:
        return
    steps, frames = entries["steps"].value, entries["frames"].value or entries["steps"].value
    if frames is None:
        return
    if steps is not None and frames < steps:
        at.report(SHORT_VIDEOS(entries["frames"].span or span, name=name, frames=f"{frames}", steps=f"{steps}"))
    for key in SPLITS:
        count = entries[key].value
        if count is not None and count % frames and entries[key].origin != "default":
            fix = f"{max(1, round(count / frames)) * frames}"
            at.report(
                PART_OF_VIDEO(
                    entries[key].span or span, key=key, name=name, actual=f"{count}", frames=f"{frames}", fix=fix
                )
            )


def _check_paths(name: str, format: str, entries: Entries, span: Span, at: Reader) -> None:
    """Splits and label files stay under the root; where the root itself lies is the user's business."""
    if format == "synthetic":
        return
    for key in (*SPLITS, "annotations", "images", "track", "names", "classes_file"):
        setting = entries.get(key)
        for path in paths(setting.value) if setting else ():
            parts = path.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                at.report(LEAVES(setting.span or span, key=key, name=name, actual=path))  # type: ignore[union-attr]
