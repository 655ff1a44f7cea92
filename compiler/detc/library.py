"""The spec library: specs that ship with detc, found by name."""

from __future__ import annotations

from pathlib import Path

from detc.diagnostics import Finding, Rule
from detc.diagnostics.did_you_mean import closest

NO_SPEC = Rule(
    "CMD101",
    "error",
    """there is no spec `{name}`

    A spec is a path to a `.det` file or the name of a library spec.""",
    help="{remedy}",
)

SUFFIX = ".det"


def library_folder() -> Path:
    """`detc/specs` in an installed package, `specs` beside `compiler` in a checkout."""
    package = Path(__file__).parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent.parent / "specs"


def library_names() -> list[str]:
    return sorted(path.stem for path in library_folder().glob(f"*{SUFFIX}"))


def library_text(name: str) -> str:
    """The text of a library spec. Raises OSError where there is none of that name."""
    return (library_folder() / f"{name}{SUFFIX}").read_text(encoding="utf-8")


def _near(path: Path) -> Path:
    """The path as seen from the working folder where it lies below it, so that findings read `specs/gnetdet224.det:20`."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def find_spec(name: str) -> Path | Finding:
    """The file that `name` means: a path that is there, else a library spec; a finding with the nearest name otherwise."""
    try:
        path = Path(name)
        if path.is_file():
            return path
        known = library_names()
        if name.removesuffix(SUFFIX) in known:
            return _near(library_folder() / f"{name.removesuffix(SUFFIX)}{SUFFIX}")
        if path.exists():
            reason = "is a folder: name the spec in it" if path.is_dir() else "is no plain file"
            return NO_SPEC(None, name=name, remedy=f"`{name}` {reason}", actual=name)
    except (OSError, ValueError):
        known = library_names()
    near = closest(Path(name.replace("\0", "")).stem, known)
    remedy = f"did you mean `{near}`?" if near else "give a path, or one of: " + ", ".join(known)
    return NO_SPEC(None, name=name, remedy=remedy, actual=name)
