"""Where the curves of a run go. The CSV is always written; the others are loaded when they are asked for."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from detrt.data.sample import Image

TRACKERS: dict[str, str] = {
    "csv": "detrt.train.trackers.csv_file",
    "tensorboard": "detrt.train.trackers.tensorboard",
    "mlflow": "detrt.train.trackers.mlflow_store",
    "wandb": "detrt.train.trackers.wandb_offline",
}
"""Static table of the trackers; each module offers `open_tracker(scene) -> Tracker`."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is being tracked: one stage of one run. `epoch` is the first one to come, more than 0 after a resume."""

    run: str
    stage: str
    folder: Path
    epoch: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


class Tracker(Protocol):
    """Takes the numbers of one stage, in order of epochs."""

    wants_histograms: bool

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None: ...

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None: ...

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        """BGR pictures by name."""

    def close(self) -> None: ...


class Trackers:
    """All trackers of one stage. One that cannot be loaded, or that fails to write, is dropped with one line;
    training goes on.
    """

    def __init__(self, names: Sequence[str], scene: Scene, say: Callable[[str], None]) -> None:
        self._say = say
        self._open: list[tuple[str, Tracker]] = []
        for name in names:
            try:
                self._open.append((name, importlib.import_module(TRACKERS[name]).open_tracker(scene)))
            except ImportError as error:
                say(f"not tracking with {name}: {error}")
            except OSError as error:
                say(f"not tracking with {name}: {error.strerror or error}")

    @property
    def wants_histograms(self) -> bool:
        return any(tracker.wants_histograms for _, tracker in self._open)

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        self._each(lambda tracker: tracker.scalars(epoch, values))

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None:
        self._each(lambda tracker: tracker.histograms(epoch, values) if tracker.wants_histograms else None)

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        self._each(lambda tracker: tracker.pictures(epoch, values))

    def close(self) -> None:
        self._each(lambda tracker: tracker.close())

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for entry in list(self._open):
            name, tracker = entry
            try:
                call(tracker)
            except OSError as error:
                self._say(f"{name} cannot write ({error.strerror or error}); going on without it")
                self._open.remove(entry)


def how_to_look(names: Sequence[str], run: Path) -> list[str]:
    """The commands that show what the trackers of a run have written."""
    lines = []
    if "tensorboard" in names:
        lines.append(f"curves: tensorboard --logdir {shlex.quote(str(run))}")
    if "mlflow" in names:
        store = (run.parent / "mlruns").resolve().as_uri()
        lines.append(f"curves: mlflow ui --backend-store-uri {shlex.quote(store)}")
    if "wandb" in names:
        lines.append(f"to the server: wandb sync {shlex.quote(str(run))}/*/wandb/offline-*")
    return lines
