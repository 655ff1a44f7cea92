"""The house's order: no module imports one that stands above it, detc and detrt are strangers, and light commands stay light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import detc
import detrt

ORDER = [
    {"diagnostics"},
    {"syntax"},
    {"ir"},
    {"semantics"},
    {"passes"},
    {"report", "codegen"},
    {"importers"},  # what they read becomes a spec by codegen.det
    {"targets"},
    {"smaller"},
    {"compilation", "library", "manual", "sweep"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "h5py", "lava", "cv2", "matplotlib", "detrt"}

COMPILER = Path(detc.__file__).parent
RUNTIME = Path(detrt.__file__).parent
MODULES = sorted(COMPILER.rglob("*.py"))


def imports(path: Path, everywhere: bool = False) -> Iterator[str]:
    """Modules that a file imports when it is loaded (type-checking blocks left out), or anywhere in it."""

    def walk(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in nodes:
            yield node
            if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from walk([*node.body, *node.orelse])
            if isinstance(node, ast.Try):
                yield from walk([*node.body, *node.orelse, *node.finalbody])

    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else walk(tree.body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(module: str) -> str | None:
    """The part of the house that `detc.ir.graph` belongs to; None for what is not in detc."""
    parts = module.split(".")
    return parts[1] if parts[0] == "detc" and len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(COMPILER)))
def test_no_module_imports_upwards(path: Path) -> None:
    relative = path.relative_to(COMPILER)
    own = relative.parts[0].removesuffix(".py")
    if own in ("__init__", "specs"):
        return
    for module in imports(path):
        part = part_of(module)
        if part is None or part not in RANK or part == own:
            continue
        assert RANK[part] < RANK[own], f"{relative} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(COMPILER)))
def test_no_module_of_the_compiler_loads_what_is_heavy(path: Path) -> None:
    loaded = {module.partition(".")[0] for module in imports(path)}
    assert not loaded & HEAVY


@pytest.mark.parametrize("path", sorted(RUNTIME.rglob("*.py")), ids=lambda p: str(p.relative_to(RUNTIME)))
def test_the_runtime_never_imports_the_compiler(path: Path) -> None:
    assert not [m for m in imports(path, everywhere=True) if m == "detc" or m.startswith("detc.")]


LIGHT = {
    "check": ["check", "gnetdet224", "--target", "gti5801"],
    "check json": ["check", "gnetdet224", "--target", "gti5801", "--format", "json"],
    "report": ["report", "gnetdet224", "--target", "gti5801"],
    "report html": ["report", "gnetdet224", "--format", "html", "-o", "page.html"],
    "show": ["show", "gnetdet224"],
    "plan": ["plan", "gnetdet224", "--target", "gti5801"],
    "fmt": ["fmt", "--check", "mine.det"],
    "explain": ["explain", "GTI101"],
    "targets": ["targets", "gti5801"],
    "new": ["new", "--like", "gnetdet224", "other.det"],
}


@pytest.mark.parametrize("name", LIGHT)
def test_light_commands_load_nothing_heavy(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.det").write_text("param a: int = 1\n")
    script = (
        "import sys\nfrom detc.cli import main\n"
        f"main({LIGHT[name]!r})\n"
        f"sys.stderr.write(' '.join(sorted({HEAVY!r} & set(m.partition('.')[0] for m in sys.modules))))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (COMPILER.parent, RUNTIME.parent)))}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_checking_loads_neither_rich_nor_jinja_nor_networkx(tmp_path: Path) -> None:
    """Each would cost a fifth of the time that a check may take."""
    script = (
        "import sys\nfrom detc.cli import main\n"
        f"main({LIGHT['check']!r})\n"
        "sys.stderr.write(' '.join(sorted({'rich', 'jinja2', 'networkx', 'pydantic'} & set(sys.modules))))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (COMPILER.parent, RUNTIME.parent)))}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
