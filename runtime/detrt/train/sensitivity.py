"""Which layer costs the score: an int8 checkpoint's steps quantised one at a time, the others float."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from detrt.devices import backend as device_package
from detrt.errors import DetrtError
from detrt.lock import Lock
from detrt.train.finding import Trained, load_trained
from detrt.train.network import ModelClasses
from detrt.train.precision import exact_float32
from detrt.train.roots import data_bases
from detrt.train.task import DataTask
from detrt.train.tasks import is_classifier, task_of

IMAGES = 100
"""Pictures that each layer is scored on, at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """One layer: its name, kernel and place in the spec, the score with it alone in int8, and what that is less than in float."""

    name: str
    kernel: str
    where: str
    score: float
    cost: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """`figure` (map50 or top1) on `images` pictures of `split`: in float, all in int8, and by layer, the dearest first."""

    stage: str
    figure: str
    split: str
    images: int
    exact: float
    int8: float
    layers: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the score in float is called `float`."""
        found = asdict(self)
        return {"schema": 1, "float": found.pop("exact"), **found}

    def lines(self) -> list[str]:
        """For the terminal."""
        rows: list[tuple[str, str, float, float | None]] = [
            ("float", "", self.exact, None),
            ("all in int8", "", self.int8, self.exact - self.int8),
            *((row.name, row.where, row.score, row.cost) for row in self.layers),
        ]
        names, places = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
        title = f"{self.figure} with one layer at a time in int8, on {self.images} pictures of {self.split}:"
        return [
            title,
            *(
                f"  {name:<{names}}  {place:<{places}}  {score:7.4f}" + ("" if cost is None else f"  {-cost:+.4f}")
                for name, place, score, cost in rows
            ),
        ]


def sensitivity(
    classes: ModelClasses,
    lock: Lock,
    lock_path: Path,
    checkpoint: Path,
    split: str | None = None,
    images: int | None = None,
    data_root: Path | None = None,
    device: str = "cpu",
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> Sensitivity:
    """Scores the checkpoint of a stage that leaves an int8 net, layer by layer, on the first pictures of `split` (val if there
    is one, else train). Raises DetrtError for other checkpoints and other targets.
    """
    trained = load_trained(classes, lock, checkpoint)
    package = device_package(lock.target.name, lock.target.lineage) if lock.target is not None else None
    one_by_one = getattr(package, "one_by_one", None)
    if one_by_one is None or trained.stage.left().quantize.int8 is None:
        problem = f"the checkpoint of stage `{trained.stage.id}` is no int8 net, so no layer of it rounds"
        raise DetrtError(problem, checkpoint, "name that of a stage with `calibrate ranges` or `quantize int8`")
    exact_float32(True)
    place = torch.device(device)
    trained.network.model.to(place)
    task = task_of(lock, trained.stage.model, trained.stage.data, data_bases(data_root, lock_path), place)
    chosen = split or ("val" if task.has_split("val") else "train")
    if not task.has_split(chosen):
        raise DetrtError(f"the data set `{trained.stage.data}` has no split `{chosen}`", lock_path)
    task.check_labels(lambda line: None)
    task.shorten(chosen, images or IMAGES)
    figure = "top1" if is_classifier(lock, trained.stage.model) else "map50"
    nets = list(one_by_one(trained.network.model, lock.raw_of(trained.stage.model), trained.network.caps or {}))
    with torch.no_grad():
        whole = _score(task, trained, trained.network.model, chosen, figure)
        scores = []
        for number, (_, net) in enumerate(nets):
            tick(number, len(nets))
            scores.append(_score(task, trained, net, chosen, figure))
        tick(len(nets), len(nets))
    exact, *each = scores
    rows = [Row(**about, score=s, cost=exact - s) for (about, _), s in zip(nets[1:], each, strict=True)]
    ordered = tuple(sorted(rows, key=lambda row: -row.cost))
    return Sensitivity(trained.stage.id, figure, chosen, len(task.dataset(chosen)), exact, whole, ordered)


def _score(task: DataTask, trained: Trained, net: Callable[[torch.Tensor], Any], split: str, figure: str) -> float:
    found = list(_detections(task, trained, net, split))
    return task.score(split, found, trained.stage.score)[figure]


def _detections(task: DataTask, trained: Trained, net: Callable[[torch.Tensor], Any], split: str) -> Iterator[Any]:
    decode = trained.network.decode if net is trained.network.model else None
    for batch in task.plain_loader(split, batch=trained.stage.part, rank=0, world=1, workers=1):
        outputs = trained.network.head_values(net(batch.inputs.to(task.device)))
        yield from task.decode(outputs, batch, decode)
