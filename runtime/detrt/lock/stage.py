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
    """The calibration that measured the caps or the ranges."""

    stage: str


class Quantize(Part):
    weights: str | None = None
    activations: ActivationSource | None = None
    folded: str | None = None
    int8: ActivationSource | None = None
    events: Literal["sigma_delta", "chip"] | None = None

    def any(self) -> bool:
        return bool(self.weights or self.activations or self.folded or self.int8 or self.events)


class Sparsity(Part):
    """`weight` times the square of what a layer's mean |message| has over `rate`, summed over layers, joins the loss."""

    weight: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    rate: float = Field(default=0.01, ge=0, allow_inf_nan=False)


class Heads(Part):
    """The maps of the head that train and score, and the layers that serve none of them: they stay as they are."""

    maps: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    idle: list[str] = []


class Regularize(Part):
    events: Sparsity


class Caps(Part):
    """`q` is the percentile of the conv outputs; with `choose`, the one of the list that validates best is taken."""

    name: str = "percentile"
    q: float = Field(default=99.0, gt=0, le=100)
    choose: list[float] | None = None


class Ranges(Part):
    """How the range of every tensor is read off what it holds. `q` and `choose` are percentiles; `equalize` and `correct_bias`
    change the weights first.
    """

    name: Literal["minmax", "percentile", "entropy", "mse"] = "minmax"
    q: float | None = Field(default=None, gt=50, le=100)
    choose: list[Annotated[float, Field(gt=50, le=100)]] | None = None
    equalize: bool = False
    correct_bias: bool = False

    def trials(self, several: bool) -> list[dict[str, Any]]:
        """The ways to read ranges, as `detrt.quant` takes them: one, or with `several` all that are to be tried."""
        percentiles = self.choose if self.choose and several else [self.q]
        return [{"name": self.name, "q": q} for q in percentiles]


class Calibrate(Part):
    """What is measured: caps unless it is ranges."""

    caps: Caps | None = None
    ranges: Ranges | None = None


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
    steps: PositiveInt | None = None
    loss: dict[str, Any] = {}
    heads: Heads | None = None
    regularize: Regularize | None = None
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
    def ranges(self) -> Ranges | None:
        """How this stage measures the ranges of int8; None if it does not."""
        return self.calibrate.ranges if self.kind == "calibrate" and self.calibrate else None

    def left(self) -> Stage:
        """The stage as its result computes: a calibration of ranges leaves an int8 net on its own ranges."""
        if self.ranges is None:
            return self
        int8 = ActivationSource(stage=self.id)
        return self.model_copy(update={"quantize": self.quantize.model_copy(update={"int8": int8})})

    def plain(self) -> dict[str, Any]:
        """As it stands in the lock, with every default filled in."""
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return plain

    @property
    def time_steps(self) -> int | None:
        """Steps of a clip where the stage runs in time; else it sees single pictures."""
        return self.steps if self.quantize.events else None

    @property
    def part(self) -> int:
        """Pictures, over all processes, that go through the net at once."""
        return self.batch // self.accumulate


def earlier_stages(stage: Stage) -> Iterator[str]:
    """Ids of the stages whose results `stage` reads."""
    if stage.start is not None:
        yield stage.start.stage
    for source in (stage.quantize.activations, stage.quantize.int8):
        if source is not None:
            yield source.stage
