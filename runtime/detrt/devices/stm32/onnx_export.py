"""The detector as ONNX files: model_int8.onnx in the numbers of its program, model_fp32.onnx with the same steps in float32.

Both take one picture, float32 [1, channels, height, width], and give the tensors that the head reads, float32. Decoding is
outside. A byte b of channel c enters as (b + shift[c]) * gain[c]; these and everything else that a user of the file must know
stand in its metadata:

    detc, model, target   version of detc, names of the model and of the target
    spec_sha256           of the spec that it was built from
    numbers               "int8" or "float32"
    input                 JSON: shape, order, encoding and resize as in the lock; shift and gain
    outputs               JSON: of each output of the model its tensors, by their names in the file
    classes               JSON: the names of the classes
    head                  JSON: kind, on, options, as in the lock

The int8 file holds QuantizeLinear and DequantizeLinear around every operator, int8 weights with a scale a channel, and int32
biases. A runtime that computes between them in float32 rounds halves to even where the program rounds them up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detrt.devices.class_names import class_names
from detrt.devices.stm32.folding import layer_numbers
from detrt.devices.stm32.onnx_graph import OnnxGraph
from detrt.devices.stm32.onnx_numbers import Floats, Int8, Numbers
from detrt.devices.stm32.onnx_steps import Walk
from detrt.devices.stm32.plan import WEIGHTED, Plan, read_plan
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError
from detrt.files import write_bytes

State = Mapping[str, Any]
"""Tensors (torch or numpy) by the keys of the model's state_dict."""
INT8, FLOAT32 = "model_int8.onnx", "model_fp32.onnx"


def write(program: Program, lock: Mapping[str, Any], state: State, folder: Path) -> None:
    """Writes both files into `folder`, equal for equal arguments. `state` has the weights that `program` was made from.

    Raises DetrtError where onnx is not installed, or a file cannot be written.
    """
    write_bytes(folder / INT8, int8_bytes(program, lock))
    write_bytes(folder / FLOAT32, float_bytes(lock, state))


def int8_bytes(program: Program, lock: Mapping[str, Any], every: bool = False) -> bytes:
    """model_int8.onnx; with `every` all tensors are outputs, also those before tables, not only what the head reads."""
    plan = read_plan(lock)
    quant = program.tensors[program.input].quant
    channels = int(lock["model"]["input"]["shape"][0])
    entry = [-128.0 - quant.zero] * channels, [quant.scale] * channels
    return _bytes(plan, lock, Int8(program), "int8", entry, every)


def float_bytes(lock: Mapping[str, Any], state: State) -> bytes:
    """model_fp32.onnx, batch norms folded in. DetrtError where weights are missing."""
    import torch

    plan = read_plan(lock)
    tensors = {key: torch.as_tensor(value).detach().cpu() for key, value in state.items()}
    layers = {}
    for step in plan.steps:
        if step.kernel in WEIGHTED:
            try:
                weight, bias = layer_numbers(step, tensors)
            except ValueError as error:
                raise DetrtError(f"`{step.name}`: {error}", step.where) from error
            layers[step.output] = weight.numpy(), bias.numpy()
    return _bytes(plan, lock, Floats(layers), "float32", _affine(lock["model"]["input"]), False)


Entry = tuple[Sequence[float], Sequence[float]]
"""Shift and gain of each channel."""


def _affine(model_input: Mapping[str, Any]) -> Entry:
    """(x / scale + offset - mean) / std as (x + shift) * gain."""
    encoding = model_input["encoding"]
    channels = int(model_input["shape"][0])
    scale, offset = float(encoding.get("scale") or 1.0), float(encoding.get("offset") or 0.0)
    mean, std = encoding.get("mean") or [0.0] * channels, encoding.get("std") or [1.0] * channels
    return [(offset - m) * scale for m in mean], [1 / (scale * s) for s in std]


def _bytes(plan: Plan, lock: Mapping[str, Any], numbers: Numbers, kind: str, entry: Entry, every: bool) -> bytes:
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise DetrtError("writing ONNX needs the package onnx", remedy="pip install 'detc[export]'") from error
    graph = OnnxGraph()
    walk = Walk(plan, graph, numbers)
    graph.scope = plan.input
    start = graph.input(plan.input, walk.shape(plan.input))
    walk.run(numbers.entered(graph, start, plan.input))
    wanted = [tensor for tensors in plan.outputs.values() for tensor in tensors]
    outputs = {walk.value(tensor): walk.shape(tensor) for tensor in wanted}
    if every:
        outputs |= {step.before: walk.shape(step.output) for step in plan.steps if step.tabled}
        outputs |= {walk.value(step.output): walk.shape(step.output) for step in plan.steps}
    named = {name: [walk.value(tensor) for tensor in tensors] for name, tensors in plan.outputs.items()}
    return graph.bytes(str(lock["model"]["name"]), outputs, _metadata(lock, kind, named, entry))


def _metadata(lock: Mapping[str, Any], kind: str, outputs: Mapping[str, Sequence[str]], entry: Entry) -> dict[str, str]:
    model = lock["model"]
    head = (model.get("heads") or [{}])[0]
    shift, gain = entry
    told = {
        "input": {**model["input"], "shift": list(shift), "gain": list(gain)},
        "outputs": outputs,
        "classes": class_names(lock, head.get("options") or {}),
        "head": head,
    }
    return {
        "detc": str(lock.get("detc", "")),
        "model": str(model["name"]),
        "target": str((lock.get("target") or {}).get("name", "")),
        "spec_sha256": str((lock.get("spec") or {}).get("sha256", "")),
        "numbers": kind,
        **{key: json.dumps(value, sort_keys=True) for key, value in told.items()},
    }
