"""A configuration of the ST model zoo as the text of a spec, and what became of every setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detc.diagnostics import Finding, Rule, Source
from detc.diagnostics.did_you_mean import closest
from detc.importers.st_yaml.draft import Draft, NotTaken
from detc.importers.st_yaml.keys import KEYS, SECTIONS
from detc.importers.st_yaml.models import MODELS, find
from detc.importers.st_yaml.source import Setting, read_settings
from detc.importers.st_yaml.writing import write_spec

NO_MODEL = Rule(
    "IMP102",
    "error",
    """the library has no model `{actual}`

    A configuration names a model of the zoo; the spec is made from the library spec of the same net.""",
    help="{remedy}",
)

FIRST = ("model.model_name", "model.num_classes", "model.input_shape", "dataset.format", "dataset.class_names")
"""Settings that others lean on."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a setting: `taken` with the words of the spec, or not, with the reason."""

    setting: Setting
    taken: bool
    words: str


@dataclass(frozen=True, slots=True)
class Imported:
    """`text` of the spec; `fates` in the order of the file; `command` are options that stand on the command line instead."""

    text: str
    fates: tuple[Fate, ...]
    command: tuple[str, ...]


def import_configuration(
    path: Path, library: Callable[[str], str]
) -> tuple[Imported | None, list[Finding], dict[str, Source]]:
    """Reads `path`; findings where it cannot be read or names a net that the library lacks. `library` gives the text of a
    library spec by its name.
    """
    read = read_settings(path)
    if isinstance(read, Finding):
        return None, [read], {}
    settings, sources = read
    chosen = {s.path: s for s in settings if s.path in ("model.model_name", "model.model_type", "general.model_type")}
    name, kind = chosen.get("model.model_name"), chosen.get("model.model_type") or chosen.get("general.model_type")
    known = find(_word(name), _word(kind))
    if known is None:
        word = _word(name) or _word(kind) or ""
        near = closest(word, list(MODELS))
        remedy = f"did you mean `{near}`?" if near else f"the library has {', '.join(sorted(MODELS))}"
        place = next((s.span for s in (name, kind) if s is not None), None)
        return None, [NO_MODEL(place, actual=word or "(none named)", remedy=remedy)], sources
    draft = Draft(known)
    fates = {
        id(s): _fate(draft, s) for s in sorted(settings, key=lambda s: FIRST.index(s.path) if s.path in FIRST else 99)
    }
    ordered = tuple(fates[id(setting)] for setting in settings)
    text = write_spec(draft, library(known.spec), _about(path, ordered))
    return Imported(text, ordered, tuple(draft.command)), [], sources


def _fate(draft: Draft, setting: Setting) -> Fate:
    handler = KEYS.get(setting.path)
    if handler is None:
        section = next((s for s in _above(setting.path) if s in SECTIONS), None)
        if section is not None:
            return Fate(setting, False, SECTIONS[section])
        near = closest(setting.path, list(KEYS))
        return Fate(setting, False, f"an unknown key{f'; did you mean `{near}`?' if near else ''}")
    try:
        return Fate(setting, True, handler(draft, setting.value))
    except NotTaken as reason:
        return Fate(setting, False, str(reason))


def _above(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _word(setting: Setting | None) -> str | None:
    return str(setting.value) if setting is not None and setting.value is not None else None


def _about(path: Path, fates: tuple[Fate, ...]) -> list[str]:
    left = [fate for fate in fates if not fate.taken]
    name = "".join(c for c in path.name if c.isprintable())[:80]
    lines = [f"Made from {name}, a configuration of the ST model zoo."]
    if left:
        lines.append("Not taken:")
        lines += [f"  {fate.setting.path}: {fate.words}" for fate in left]
    return lines
