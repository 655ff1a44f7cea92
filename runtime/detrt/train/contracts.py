"""What the training engine asks of the data, the head, the evaluation and the device package.

Only `train/task.py` binds these names to detrt.data, detrt.heads, detrt.evaluate and detrt.devices; the rest of the
engine sees nothing else of them, so a test can train on a made-up task in a few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from detrt.data.loader import Batch
from detrt.heads.detections import Detections
from detrt.lock import Stage

Reduce = Callable[[Tensor], Tensor]
"""Sums a small tensor over all processes of the run (the identity in a run of one)."""


class Loader(Protocol):
    """Batches of one split. Order and augmentation depend on (seed, epoch, picture) alone, never on processes or
    workers.
    """

    def set_epoch(self, epoch: int, first_batch: int = 0) -> None:
        """The next iteration gives epoch `epoch` (from 0) without its first batches."""

    def __iter__(self) -> Iterator[Batch]: ...

    def __len__(self) -> int:
        """Batches an epoch; the same in every process."""


class Head(Protocol):
    """A head of the lock with the loss options of a stage. Its state is the moving normaliser of the loss."""

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """Weighted, normalised terms of this process's pictures; their sum over terms and processes is the loss of
        the global batch.

        `update` moves the normaliser first; validation leaves it alone, so that looking does not change the training.
        """

    def decode(self, outputs: Any) -> list[Detections]:
        """What is found in each picture of a batch."""

    def attach(self, model: nn.Module) -> Any:
        """Hooks what the loss options ask for into the model that is trained; copies of it stay without."""

    def begin_epoch(self, epoch: int, epochs: int, no_aug: bool) -> None:
        """Told before each epoch, from 0; `no_aug`: one of the last, without mosaic, mixup, affine and other sizes."""

    def track(self, step: int) -> dict[str, float] | None:
        """Figures of this process to be written down after `step` steps of the stage; they add up over processes."""

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None: ...


class Counts(Protocol):
    """What forward passes did, such as events sent."""

    def figures(self, reduce: Reduce) -> dict[str, float]:
        """By name, with `/LAYER` for those of a layer; over all processes, whose sums `reduce` adds up."""


class Task(Protocol):
    """All that a stage needs to know of what is being learned: one model's head on one data set."""

    classes: Sequence[str]

    def head(self, stage: Stage) -> Head:
        """A new head with the loss options of `stage`."""

    def train_loader(self, stage: Stage, *, seed: int, rank: int, world: int, workers: int) -> Loader:
        """Batches of the training split as `stage` augments them."""

    def plain_loader(
        self, split: str, *, batch: int, rank: int, world: int, workers: int, steps: int | None = None
    ) -> Loader:
        """Batches of a split in its own order, without augmentation; the shares of all processes make the split
        once. With `steps` in time.
        """

    def pictures(self, images: int | None, *, batch: int, workers: int, calibrating: bool = False) -> Iterable[Tensor]:
        """Encoded batches of the first `images` training pictures (all), without augmentation; the same in every process.

        When calibrating, of the share that the data sets aside for it, if it names one.
        """

    def has_split(self, split: str) -> bool: ...

    def data_hash(self) -> str:
        """sha256 over names, sizes and labels of all splits."""

    def decode(self, outputs: Any, batch: Batch, decode: Callable[[Any], list[Detections]] | None = None) -> list[Any]:
        """Detections of each picture, or frame that counts, with its id, to be gathered over processes and given to
        `score`; by `decode` where a device has post-processing of its own, else by the head."""

    def score(self, split: str, detections: Sequence[Any], rule: str) -> dict[str, float]:
        """`map50`, `map`, and `map50/CLASS` for each class; of a classifier `top1` and `top5`. `rule` as in
        detrt.evaluate.score. A task may also have `sheet(split, detections)`, a picture that is kept beside the best
        weights."""

    def check_labels(self, say: Callable[[str], None]) -> None:
        """Tells what is wrong with the labels and what was done about it. Raises DetrtError if no box is usable."""


class Backend(Protocol):
    """The quantised stages of a device package (detrt.devices.NAME): `prepare` and `exports`, and what the stages that its target
    knows ask for: caps that are folded (`measure`, `fold`, `rescale`, `output_scale`), or ranges (`measure_ranges`, `equalize`,
    `correct_bias`). One may also have `decoder(model, lock)`: from outputs to what the device's own post-processing finds in
    them; `clipped(model)`: what left the device's integer range in the last forward pass, by layer; `counting(model)`: a context
    that counts what forward passes inside it do; and `penalties(model, stage)`: None, or a function that gives the terms that the
    stage adds to the loss of the forward pass just done, by name, as means over this process's pictures.
    `choose_engine(model, wanted, module)`: whose code trains a prepared model, and a sentence on it; and `translate(tensors,
    lock, own)`: weights of the device's own tools under the model's names.
    """

    def exports(self, stage: dict[str, Any]) -> bool:
        """True if what a stage leaves computes as the device does, so that it can be written for it."""

    def measure_ranges(
        self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor], trials: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, float]]:
        """The ends of the range of every tensor, "TENSOR.low" and "TENSOR.high", for each of `trials`; see `detrt.quant`."""

    def equalize(self, model: nn.Module, lock: dict[str, Any]) -> int:
        """Evens out neighbouring layers in place; how many pairs."""

    def correct_bias(self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor]) -> int:
        """Corrects biases in place for rounded weights; of how many layers."""

    def prepare(
        self, model: nn.Module, lock: dict[str, Any], stage: dict[str, Any], caps: dict[str, float] | None
    ) -> nn.Module: ...

    def measure(
        self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor], ranks: Sequence[float]
    ) -> list[dict[str, float]]:
        """The caps, by name of the relu node, at each percentile of `ranks`."""

    def fold(self, model: nn.Module, lock: dict[str, Any], caps: dict[str, float]) -> None: ...

    def rescale(self, model: nn.Module, lock: dict[str, Any], batches: Iterable[Tensor]) -> None: ...

    def output_scale(self, lock: dict[str, Any], caps: dict[str, float]) -> float: ...
