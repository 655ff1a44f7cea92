"""The quantised stages of training on a model's modules: what the training engine calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from detrt.devices.stm32.fakequant import Settings, run_int8
from detrt.devices.stm32.plan import read_plan
from detrt.devices.stm32.quants import REMEDY, ranges_of
from detrt.devices.stm32.running import See, structured
from detrt.errors import DetrtError

Lock = Mapping[str, Any]


class Int8Net(nn.Module):
    """A generated model whose forward runs the plan's steps in int8 over its own modules.

    Modules, parameters and their names are those of the model. The outputs are the real numbers that the device's int8 outputs
    stand for, in the generated model's form: in eval mode equal to the simulator's, bit for bit.
    """

    int8: Settings

    def forward(self, frame: Tensor) -> Any:
        return self.run(frame)

    def run(self, frame: Tensor, see: See | None = None) -> Any:
        """`forward`; shows `see` every tensor of the plan by name as q - zero."""
        with torch.autocast(frame.device.type, enabled=False):
            return structured(self.int8.plan, run_int8(self.int8, self, frame.float(), not self.training, see))


@cache
def _int8_class(kind: Any) -> type[Int8Net]:
    """The class of a model of class `kind` in int8: one for each, so that copies are of the same class."""
    return type(f"Int8{kind.__name__}", (Int8Net, kind), {"__doc__": Int8Net.__doc__})


def exports(stage: Mapping[str, Any]) -> bool:
    """True if the stage leaves a net that computes in int8."""
    return bool((stage.get("quantize") or {}).get("int8"))


def prepare(
    model: nn.Module, lock: Lock, stage: Mapping[str, Any], caps: Mapping[str, float] | None = None
) -> nn.Module:
    """Makes `model` compute the lock's plan in int8, in place, if `stage["quantize"]` asks for anything; gives `model` back.

    `caps` are the ends of the ranges that a calibration measured. The very same module has another class from then on; it can be
    copied, wrapped and saved as before. DetrtError without a plan or usable ranges.
    """
    if not any((stage.get("quantize") or {}).values()):
        return model
    if caps is None:
        raise DetrtError("the stage runs in int8, but no stage measured the ranges of its activations", remedy=REMEDY)
    settings = Settings(read_plan(lock), ranges_of(caps), lock["model"]["input"])
    if not isinstance(model, Int8Net):
        kind: Any = type(model)
        model.__class__ = _int8_class(kind)
    assert isinstance(model, Int8Net)
    model.int8 = settings
    return model
