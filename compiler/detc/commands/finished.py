"""Which build a command means: a build folder, a spec that was built before, or something that lies in a build."""

from __future__ import annotations

from pathlib import Path

from detc.commands.building import default_folder

LOCK = "spec.lock.json"


def find_build(name: str, target: str | None) -> Path | str:
    """The folder with the lock; else a sentence that says where it was looked for."""
    path = Path(name)
    if (path / LOCK).is_file():
        return path
    stem = path.stem if path.suffix == ".det" else path.name
    tried = [default_folder(stem, target)]
    if target is None:
        tried += sorted(Path("build").glob(f"{stem}-*")) if stem.replace("_", "").replace("-", "").isalnum() else []
    built = [folder for folder in tried if (folder / LOCK).is_file()]
    if len(built) == 1:
        return built[0]
    if built:
        return f"`{name}` is built more than once: {', '.join(map(str, built))}; give the folder"
    return f"`{name}` is no build folder, and there is none at {tried[0]}"


def above(path: Path) -> Path | None:
    """The build folder that a checkpoint or an artifacts folder lies in, or that `path` is itself."""
    whole = path.resolve()
    return next((folder for folder in (whole, *whole.parents) if (folder / LOCK).is_file()), None)
