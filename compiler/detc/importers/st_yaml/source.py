"""A user_config.yaml as settings with their lines: every leaf by its dotted path, with plain values only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detc.diagnostics import Finding, Rule, Source, Span

UNREADABLE = Rule(
    "IMP101",
    "error",
    """`{path}` is no YAML file that can be read: {reason}

    A configuration holds plain keys and values. Anchors, tags and documents after the first are not taken, for they can make
    a small file very large, or run code in other readers.""",
    help="give the user_config.yaml that the training service was started with",
)

MOST_BYTES = 1 << 20
MOST_SETTINGS = 5000
MOST_TOKENS = 20 * MOST_SETTINGS
DEEPEST = 20

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_FRACTION = re.compile(rf"\s*({_NUMBER.pattern})\s*/\s*({_NUMBER.pattern})\s*")
_PAIR = re.compile(r"\s*[(\[](.*)[)\]]\s*")


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf. `path` is dotted, `training.optimizer.SGD.momentum`; `value` None, bool, int, float, str or a list of those."""

    path: str
    value: Any
    span: Span


def read_settings(path: Path) -> tuple[list[Setting], dict[str, Source]] | Finding:
    """All leaves in the order of the file, an empty mapping as a leaf of value None; and the text, for findings."""
    import yaml

    try:
        data = path.read_bytes()
        if len(data) > MOST_BYTES:
            return UNREADABLE(None, path=path, reason=f"it has {len(data):,} bytes, at most {MOST_BYTES:,} are read")
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return UNREADABLE(None, path=path, reason=getattr(error, "strerror", None) or str(error))
    source = Source(str(path), text)
    try:
        if refused := _refused(text):
            return UNREADABLE(None, path=path, reason=refused)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        return UNREADABLE(None, path=path, reason=" ".join(str(error).split())[:200])
    if not isinstance(root, yaml.MappingNode):
        return UNREADABLE(None, path=path, reason="it does not begin with `key: value` lines")
    settings = []
    try:
        for number, setting in enumerate(_leaves(root, "", source)):
            if number >= MOST_SETTINGS:
                return UNREADABLE(None, path=path, reason=f"it has more than {MOST_SETTINGS:,} settings")
            settings.append(setting)
    except ValueError as error:
        return UNREADABLE(None, path=path, reason=str(error))
    return settings, {source.path: source}


def _refused(text: str) -> str:
    """What keeps the text from being read, told by its tokens alone: the time of the scanner grows with the square of the
    open brackets.
    """
    import yaml

    depth = 0
    for number, token in enumerate(yaml.scan(text)):
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken, yaml.TagToken)):
            return "it uses anchors or tags"
        depth += isinstance(token, (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken))
        depth -= isinstance(token, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken))
        if depth > DEEPEST:
            return f"its brackets nest deeper than {DEEPEST}"
        if number > MOST_TOKENS:
            return f"it has more than {MOST_SETTINGS:,} settings"
    return ""


def _leaves(node: Any, path: str, source: Source) -> Iterator[Setting]:
    import yaml

    if path.count(".") > DEEPEST:
        raise ValueError(f"`{path[:60]}` lies deeper than {DEEPEST} keys")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {key.start_mark.line + 1} has a key that is no word")
        name = f"{path}.{key.value}" if path else key.value
        span = _span(key, source)
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _leaves(value, name, source)
        else:
            yield Setting(name, _plain(value), span)


def _span(node: Any, source: Source) -> Span:
    begin, end = node.start_mark, node.end_mark
    return Span(source.path, begin.line + 1, begin.column + 1, end.line + 1, end.column + 1)


def _plain(node: Any, depth: int = 0) -> Any:
    import yaml

    if depth > 4:
        raise ValueError(f"line {node.start_mark.line + 1} nests its lists too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth + 1) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return None
    quoted = node.style in ("'", '"')
    return node.value.strip() if quoted and not _PAIR.fullmatch(node.value) else _scalar(node.value)


def _scalar(text: str) -> Any:
    """What the text means to the zoo's own readers: also 5e-4 (a string in YAML 1.1), 1/127.5 and (0.5, 1.5)."""
    word = text.strip()
    if word.lower() in ("", "null", "none", "~"):
        return None
    if word.lower() in ("true", "false", "yes", "no", "on", "off"):
        return word.lower() in ("true", "yes", "on")
    if _NUMBER.fullmatch(word):
        return int(word) if word.lstrip("+-").isdigit() else float(word)
    if (parts := _FRACTION.fullmatch(word)) and float(parts[4]):
        return float(parts[1]) / float(parts[4])
    if inside := _PAIR.fullmatch(word):
        return [_scalar(part) for part in inside[1].split(",") if part.strip()][:100]
    return word
