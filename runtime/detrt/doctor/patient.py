"""What the doctor needs to know of a stage: its data, its head, and how to make its network anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from detrt.data.encode import Encoding
from detrt.data.sample import DataSet
from detrt.lock import Optimizer


@dataclass(slots=True)
class Patient:
    """`dataset` is the checked training split; `make_model` gives a freshly initialised network, `values` the
    head's values from its outputs.

    `optimizer` and `batch` are those of the stage, `augment` its list, `head` its head with the stage's loss options.
    """

    name: str
    dataset: DataSet
    encoding: Encoding
    head: Any
    make_model: Callable[[], nn.Module]
    optimizer: Optimizer
    batch: int
    augment: Sequence[Mapping[str, Any]] = ()
    seed: int = 0
    workers: int = 2
    device: str = "cpu"
    values: Callable[[Any], Any] = field(default=lambda outputs: outputs)

    def loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The terms of the loss of one batch."""
        terms: dict[str, Tensor] = self.head.loss(self.values(model(inputs)), targets)
        return terms
