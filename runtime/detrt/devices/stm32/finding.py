"""What the device would find: the outputs of an int8 stage, back in whole numbers, through the device's post-processing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor as Values
from torch import nn

from detrt.devices.stm32 import postprocess
from detrt.devices.stm32.arithmetic import Int8
from detrt.devices.stm32.program import Program, Tensor
from detrt.devices.stm32.running import in_memory
from detrt.devices.stm32.stages import Int8Net
from detrt.heads.detections import Detections


def decoder(model: nn.Module, lock: Mapping[str, Any]) -> Callable[[Any], list[Detections]]:
    """From the outputs of a prepared model in eval mode, a batch, to the detections of each picture, as the artifacts of its
    weights find them. Raises DetrtError for a head that has no whole-number form.
    """
    assert isinstance(model, Int8Net)
    plan, quants = model.int8.plan, model.int8.quants
    tensors = {name: Tensor(name, tensor.shape, quants[name]) for name, tensor in plan.tensors.items()}
    program = Program("", tensors, (), plan.input, plan.outputs, plan.aliases)
    decode = postprocess.decoder(program, lock["model"]["heads"][0])

    def found(outputs: Any) -> list[Detections]:
        whole = {
            name: _whole(values, tensors[name])
            for key, names in plan.outputs.items()
            for name, values in zip(names, _listed(outputs, key), strict=True)
        }
        pictures = len(next(iter(whole.values())))
        return [decode({name: values[picture] for name, values in whole.items()}) for picture in range(pictures)]

    return found


def _listed(outputs: Any, key: str) -> list[Values]:
    """The tensors of the output `key`, in its order; see `running.structured`."""
    given = outputs[key] if isinstance(outputs, Mapping) else outputs
    return [given] if isinstance(given, Values) else list(given)


def _whole(values: Values, tensor: Tensor) -> Int8:
    """int8 [n, *shape] from the real numbers that they stand for, (q - zero) * scale in float32: exact."""
    real = in_memory(values.detach()).double().cpu().numpy()
    return (np.rint(real / tensor.quant.scale) + tensor.quant.zero).astype(np.int8)
