"""What the training engine asks of the data, the head, the evaluation and the device package.

Only `train/task.py` binds these names to detrt.data, detrt.heads, detrt.evaluate and detrt.devices; the rest of the engine sees
nothing else of them, so a test can train on a made-up task in a few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

Outputs = Tensor | Mapping[str, Any]
"""What a generated model returns: one tensor, or a dict of tensors and lists of tensors."""

Reduce = Callable[[Tensor], Tensor]
"""Sums a small tensor over all processes of the run (the identity in a run of one)."""


@dataclass(slots=True)
class Batch:
    """One process's share of a global batch.

    `inputs` float32 [n, channels, height, width], already encoded; `targets` what the head's `encode` made of each picture, stacked;
    `boxes` and `labels` a picture ([k, 4] x1 y1 x2 y2 normalised to the picture; [k] class numbers from 0); `ids` of the pictures.
    """

    inputs: Tensor
    targets: Tensor
    boxes: Sequence[Tensor]
    labels: Sequence[Tensor]
    ids: Sequence[str]


class Loader(Protocol):
    """Batches of one split. Order and augmentation depend on (seed, epoch, picture) alone, never on processes or workers."""

    def set_epoch(self, epoch: int) -> None: ...

    def __iter__(self) -> Iterator[Batch]: ...

    def __len__(self) -> int:
        """Batches an epoch; the same in every process."""


class Head(Protocol):
    """A head of the lock. `state_dict` and `load_state_dict` hold the loss's moving normaliser."""

    def loss(self, outputs: Outputs, batch: Batch, reduce: Reduce) -> dict[str, Tensor]:
        """Weighted, normalised terms of this process's pictures; their sum over terms and processes is the loss of the global batch."""

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Any: ...


class Task(Protocol):
    """All the engine needs to know about what is being learned."""

    head: Head
    classes: Sequence[str]

    def train_loader(self, *, stage: Any, seed: int, rank: int, world: int, workers: int) -> Loader:
        """Augmented batches of the training split."""

    def plain_loader(self, split: str, *, batch: int, rank: int, world: int, workers: int) -> Loader:
        """Batches of a split in its own order, without augmentation; the shares of all processes make the split once."""

    def has_split(self, split: str) -> bool: ...

    def data_hash(self) -> str:
        """sha256 over names, sizes and labels of all splits."""

    def decode(self, outputs: Outputs, batch: Batch) -> list[Any]:
        """Detections of each picture, picklable, to be gathered over processes and given to `score`."""

    def score(self, split: str, detections: Sequence[Any], *, rule: str) -> dict[str, float]:
        """`map50`, `map`, and `map50/CLASS` for each class. `rule` is coco or voc."""

    def check_labels(self, print_line: Callable[[str], None]) -> None:
        """Prints the table of what was found and done; raises DetrtError if no box is usable."""


class Backend(Protocol):
    """The quantised stages of a device package (detrt.devices.NAME.stages)."""

    def prepare(
        self, model: nn.Module, lock: dict[str, Any], stage: dict[str, Any], caps: dict[str, float] | None
    ) -> nn.Module: ...

    def calibrate(
        self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor], options: dict[str, Any]
    ) -> dict[str, float]: ...

    def fold(self, model: nn.Module, lock: dict[str, Any], caps: dict[str, float]) -> None: ...

    def rescale(self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor]) -> None: ...

    def output_scale(self, lock: dict[str, Any], caps: dict[str, float]) -> float: ...
