"""How a stage steps: its optimiser and its learning rates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from detrt.lock.part import Part


class Optimizer(Part):
    """`decay`: weight decay shrinks all parameters, or weights only, without biases and batch norms."""

    name: Literal["sgd", "adamw", "adam"] = "sgd"
    lr: float = Field(default=1e-3, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    l2: Literal["loss", "optimizer"] = "optimizer"
    decay: Literal["all", "weights"] = "all"


class Schedule(Part):
    """Epochs all; `floor` is a fraction of the learning rate, `warmup_from` a learning rate.

    `by` says whether the rate moves between epochs or between steps. `no_aug` of yoloxwarmcos is None where it is as
    many epochs as the stage trains without augmentation.
    """

    name: Literal["constant", "step", "multistep", "cosine", "yoloxwarmcos", "lava"] = "constant"
    by: Literal["epoch", "step"] = "epoch"
    every: PositiveInt | None = None
    milestones: list[int] = []
    gamma: float = 0.1
    floor: float = Field(default=0.0, ge=0, le=1)
    t_max: PositiveInt | None = None
    no_aug: int | None = Field(default=None, ge=0)
    warmup: int = Field(default=0, ge=0)
    warmup_from: float = 1e-10
