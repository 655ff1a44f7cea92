"""From a draft and a library spec to the text of a spec of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detc.diagnostics import Source, Span
from detc.importers.st_yaml.datasets import data_block
from detc.importers.st_yaml.draft import Draft
from detc.syntax import tree
from detc.syntax.format import format_file
from detc.syntax.parser import parse

DATA = "pictures"
"""Name of the data block of an imported spec."""
OF_A_STAGE = ("epochs", "start_epoch", "pretrained_dataset", "pretrained_input_shape")
"""Keys that a train block does not share out."""
SCALING = {"scale", "offset", "mean", "std"}
"""Options of an input that say one thing together."""


def write_spec(draft: Draft, library: str, about: Sequence[str]) -> str:
    """The library spec `library` with the draft's params, input and head options, its own data and training in place of
    those of the library; `about` are comment lines for the top. Formatted; params that the library spec lacks are left out.
    """
    file, _ = parse(Source("library", library))
    edits: list[tuple[Span, str]] = []
    model = ""
    for item in file.items:
        if isinstance(item, tree.Typed) and item.kind.id == "param" and item.value is not None:
            if item.name.id in draft.params:
                edits.append((item.value.span, draft.params[item.name.id]))
        elif isinstance(item, tree.Block) and item.kind.id in ("train", "deploy"):
            edits.append((item.span, ""))
        elif isinstance(item, tree.Block) and item.kind.id == "model" and isinstance(item.label, tree.Name):
            model = item.label.id
            edits += _model_edits(item, draft, library)
        elif isinstance(item, tree.Node) and _is_data(item):
            edits.append((item.span, ""))
    text = _edited(library, edits).rstrip()
    head = "".join(f"# {line}".rstrip() + "\n" for line in about)
    blocks = [data_block(draft, DATA), _train_block(draft, model)]
    formatted, _ = format_file("\n\n".join([f"{head}\n{text}", *blocks]) + "\n")
    return formatted


def _is_data(item: tree.Node) -> bool:
    kind = getattr(item, "kind", None)
    return isinstance(kind, tree.Name) and kind.id == "data"


def _model_edits(block: tree.Block, draft: Draft, library: str) -> Iterator[tuple[Span, str]]:
    for item in block.items:
        if isinstance(item, tree.Typed) and item.kind.id == "input" and draft.camera and item.value is not None:
            options = _camera(item.value, library)
            if SCALING & draft.camera.keys():
                options = {key: value for key, value in options.items() if key not in SCALING}
            options |= draft.camera
            yield item.value.span, f"camera({', '.join(f'{key} = {value}' for key, value in options.items())})"
        elif isinstance(item, tree.Block) and item.kind.id == "head" and draft.head:
            present = {entry.path[0].id: entry for entry in item.items if isinstance(entry, tree.Assign)}
            new = {key: value for key, value in draft.head.items() if key not in present}
            for key, value in draft.head.items():
                if key in present:
                    yield present[key].value.span, value
            if new and item.items:
                last = item.items[-1].span
                added = "  ".join(f"{key} = {value}" for key, value in new.items())
                yield Span(last.file, last.end_line, last.end_column, last.end_line, last.end_column), f"  {added}"


def _camera(value: tree.Expr, library: str) -> dict[str, str]:
    """The options that the library spec has, as written there."""
    if not isinstance(value, tree.Call):
        return {}
    lines = library.split("\n")
    return {
        entry.name.id: lines[entry.value.span.line - 1][entry.value.span.column - 1 : entry.value.span.end_column - 1]
        for entry in value.kwargs
        if entry.value.span.line == entry.value.span.end_line
    }


def _edited(text: str, edits: Sequence[tuple[Span, str]]) -> str:
    """The text with each span replaced."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for span, new in sorted(edits, key=lambda edit: (edit[0].line, edit[0].column), reverse=True):
        begin = starts[span.line - 1] + span.column - 1
        end = starts[span.end_line - 1] + span.end_column - 1
        text = text[:begin] + new + text[end:]
    return text


def _train_block(draft: Draft, model: str) -> str:
    lines = [f"data = {DATA}"]
    if draft.optimizer:
        lines.append(f"optimizer = {_call(draft.optimizer, draft.optimizer_args)}")
    augment = {name: args for name, args in draft.augment.items() if not name.startswith("no ")}
    if "no mixup" in draft.augment:
        augment.pop("mixup", None)
    if augment:
        steps = ",\n    ".join(_call(name, args) for name, args in augment.items())
        lines.append(f"augment = [\n    {steps}\n  ]")
    lines += [f"{key} = {value}" for key, value in draft.stage.items() if key not in OF_A_STAGE]
    own = {"epochs": "100"} | {key: value for key, value in draft.stage.items() if key in OF_A_STAGE}
    body = [f"{key} = {value}" for key, value in own.items()]
    if draft.schedule or draft.schedule_args:
        body.append(f"schedule = {_call(draft.schedule or 'cosine', draft.schedule_args)}")
    inner = "\n  ".join(lines)
    return f"train zoo on {model} {{\n  {inner}\n  stage float {{ {'  '.join(body)} }}\n}}"


def _call(name: str, args: Mapping[str, str]) -> str:
    return f"{name}({', '.join(f'{key} = {value}' for key, value in args.items())})"
