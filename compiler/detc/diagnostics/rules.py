"""All rules of some modules by their code: what `detc explain` and the manual read."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType

from detc.diagnostics.rule import Rule


def collect(modules: Iterable[ModuleType]) -> dict[str, Rule]:
    """Every Rule that is a top-level name of a module or in a tuple of one, sorted by code. Raises ValueError if
    two rules share a code.
    """
    found: dict[str, tuple[Rule, str]] = {}
    for module in modules:
        values = [v for value in vars(module).values() for v in (value if isinstance(value, tuple) else (value,))]
        for rule in values:
            if not isinstance(rule, Rule):
                continue
            known, where = found.setdefault(rule.code, (rule, module.__name__))
            if known is not rule:
                raise ValueError(f"{rule.code} is the code of two rules, in {where} and in {module.__name__}")
    return {code: found[code][0] for code in sorted(found)}


def modules_of(package: ModuleType) -> Iterator[ModuleType]:
    """The package and everything below it, imported; scripts (`__main__`) are left out."""
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if info.name.rpartition(".")[2] != "__main__":
            yield importlib.import_module(info.name)
