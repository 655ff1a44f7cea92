"""How a stage steps: its optimiser and its learning rates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from detrt.lock.part import Part


class Optimizer(Part):
    name: Literal["sgd", "adamw", "adam"] = "sgd"
    lr: float = Field(default=1e-3, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    l2: Literal["loss", "optimizer"] = "optimizer"


class Schedule(Part):
    """Epochs all; `floor` is a fraction of the learning rate, `warmup_from` a learning rate."""

    name: Literal["constant", "step", "multistep", "cosine"] = "constant"
    every: PositiveInt | None = None
    milestones: list[int] = []
    gamma: float = 0.1
    floor: float = Field(default=0.0, ge=0, le=1)
    warmup: int = Field(default=0, ge=0)
    warmup_from: float = 1e-10
