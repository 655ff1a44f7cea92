"""A stage of training or of calibration, with everything that it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from detrt.lock.gate import Gate
from detrt.lock.optimizing import Optimizer, Schedule
from detrt.lock.part import Part


class Start(Part):
    stage: str
    which: Literal["best", "last"] = "best"


class Pretrained(Part):
    """A file of weights; the set and the size (channels, height, width) that they were trained on are for the record."""

    path: str
    dataset: str | None = None
    input_shape: list[int] | None = None


class Freeze(Part):
    prefixes: list[str] = []
    epochs: int | None = None


class Init(Part):
    convs: Literal["kaiming", "data"] = "kaiming"
    head_bias: float | None = None


class Rescale(Part):
    images: PositiveInt = 64


class Multiscale(Part):
    """Longer side of the input in pixels; each batch has one of low, low + step, .. high."""

    range: tuple[PositiveInt, PositiveInt]
    step: PositiveInt = 32


class EarlyStop(Part):
    patience: PositiveInt


class ActivationSource(Part):
    stage: str


class Quantize(Part):
    weights: str | None = None
    activations: ActivationSource | None = None
    folded: str | None = None

    def any(self) -> bool:
        return bool(self.weights or self.activations or self.folded)


class Caps(Part):
    """`q` is the percentile of the conv outputs; with `choose`, the one of the list that validates best is taken."""

    name: str = "percentile"
    q: float = Field(default=99.0, gt=0, le=100)
    choose: list[float] | None = None


class Calibrate(Part):
    caps: Caps = Caps()


class Prune(Part):
    channels: Literal["l1", "l2", "random"] = "l2"


class Stage(Part):
    """One entry of the lock's `stages`, with every key that `ir/lock.md` lists."""

    name: str
    train: str = ""
    id: str
    model: str
    data: str
    kind: Literal["train", "calibrate", "prune"] = "train"
    start: Start | None = None
    pretrained: Pretrained | None = None
    load: list[str] = []
    freeze: Freeze = Freeze()
    epochs: int = Field(default=1, ge=0)
    start_epoch: int = Field(default=0, ge=0)
    batch: PositiveInt = 16
    accumulate: PositiveInt = 1
    images: PositiveInt | None = None
    optimizer: Optimizer = Optimizer()
    rates: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    schedule: Schedule = Schedule()
    augment: list[dict[str, Any]] = []
    no_aug_epochs: int = Field(default=0, ge=0)
    multiscale: Multiscale | None = None
    loss: dict[str, Any] = {}
    init: Init = Init()
    rescale: Rescale | None = None
    ema: float | None = Field(default=None, gt=0, lt=1)
    ema_warmup: PositiveInt | None = None
    sync_bn: bool = True
    deterministic: bool = True
    amp: Literal["bf16", "fp16"] | None = None
    clip: float | None = Field(default=None, gt=0)
    channels_last: bool = True
    validate_every: PositiveInt = 1
    save_every: PositiveInt | None = None
    choose: Literal["map50", "map", "top1", "top5", "loss"] = "map50"
    early_stop: EarlyStop | None = None
    score: Literal["coco", "pycocotools", "voc", "voc2007"] = "coco"
    seed: int | None = 123
    quantize: Quantize = Quantize()
    calibrate: Calibrate | None = None
    prune: Prune | None = None
    gates: list[Gate] = []

    @model_validator(mode="after")
    def _steps_are_whole(self) -> Stage:
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} cannot be done in {self.accumulate} equal parts")
        return self

    @property
    def part(self) -> int:
        """Pictures, over all processes, that go through the net at once."""
        return self.batch // self.accumulate


def earlier_stages(stage: Stage) -> Iterator[str]:
    """Ids of the stages whose results `stage` reads."""
    if stage.start is not None:
        yield stage.start.stage
    if stage.quantize.activations is not None:
        yield stage.quantize.activations.stage
