"""Nets of the library with random weights, from the spec to int8 outputs: as ONNX, and decoded in numpy, in C and in floats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from stm32_gcc import Compiled  # noqa: E402
from stm32_heads import Case  # noqa: E402

from detc.cli import main  # noqa: E402
from detc.targets.stm32 import postprocess_buffers  # noqa: E402
from detrt.data.encode import Encoding  # noqa: E402
from detrt.devices.stm32.c.layers import network_of  # noqa: E402
from detrt.devices.stm32.floating import observe  # noqa: E402
from detrt.devices.stm32.onnx_export import INT8, write  # noqa: E402
from detrt.devices.stm32.plan import read_plan  # noqa: E402
from detrt.devices.stm32.postprocess import buffer_bytes, detect, form_of, outputs_of  # noqa: E402
from detrt.devices.stm32.program import Concat, Conv, Dense, Depthwise, Program  # noqa: E402
from detrt.devices.stm32.quantising import quantised  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402
from detrt.lock import read_lock  # noqa: E402
from detrt.onnx_model import open_onnx  # noqa: E402
from detrt.predictor import model_classes  # noqa: E402

SPECS = {
    "st_yolo_lc_v1": ["image=64", "classes=3", "width=0.5"],
    "ssdlite_mobilenetv2": ["classes=3", "width=0.25"],
    "yolox_nano": ["image=64", "classes=3"],
    "nanodet_plus_m": ["image=64", "classes=3"],
    "yolov1_tiny": ["image=64", "classes=3", "width=0.25"],
}


def built(name: str, folder: Path) -> dict[str, Any]:
    sets = [word for one in SPECS[name] for word in ("--set", one)]
    assert main(["build", name, "--target", "stm32h747i_disco", *sets, "-o", str(folder), "--quiet"]) == 0
    lock: dict[str, Any] = json.loads((folder / "spec.lock.json").read_text())
    return lock


def decided_by_numbers(program: Program, plan: dict[str, Any]) -> int:
    """Bytes that no plan can know: shifts of layers that enlarge their sums, tables that equal scales make needless."""
    quants = {name: tensor["quant"] for name, tensor in plan["tensors"].items()}
    total = 0
    for step in program.steps:
        if isinstance(step, Conv | Depthwise | Dense) and step.rescale.left.any():
            total += len(step.bias)
        elif isinstance(step, Concat):
            pairs = zip(step.inputs, step.tables, strict=True)
            total -= sum(256 for name, table in pairs if table is None and quants[name] != quants[step.output])
    return total


@pytest.mark.long
@pytest.mark.parametrize("name", SPECS)
def test_outputs_of_a_library_net(name: str, tmp_path: Path, needs_program: Callable[[str, str], None]) -> None:
    needs_program("gcc", "gcc")
    lock = built(name, tmp_path / "build")
    torch.manual_seed(0)
    model = model_classes(tmp_path / "build", read_lock(tmp_path / "build" / "spec.lock.json"))[lock["model"]["name"]]()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    given = lock["model"]["input"]
    channels, height, width = given["shape"]
    picture = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    plan = read_plan(lock)
    seen = observe(model, plan, Encoding.of(given).tensor(torch.from_numpy(picture[None])))
    ranges = {tensor: (float(values.min()), float(values.max())) for tensor, values in seen.items()}
    program = quantised(plan, model.state_dict(), ranges, given, name)
    write(program, lock, model.state_dict(), tmp_path)

    made = simulate(program, picture)
    theirs = open_onnx(tmp_path / INT8).values(picture)
    for output, tensors in made.items():
        for tensor, ours, value in zip(program.outputs[output], tensors, theirs[output], strict=True):
            quant = program.tensors[tensor].quant
            numbers = np.round(value.astype(np.float64) / quant.scale) + quant.zero
            flat = numbers.transpose(1, 2, 0) if ours.ndim == 3 else numbers
            assert np.abs(flat - ours).max() <= 2

    said = json.loads((tmp_path / "build" / "report.json").read_text())["metrics"]["weights_flash_own"]
    assert network_of(program, lock["plan"], lock).constant_bytes == said + decided_by_numbers(program, lock["plan"])

    head = lock["model"]["heads"][0]
    head["options"]["score"] = 0.0
    tensors = {n: t for output, given in made.items() for n, t in zip(program.outputs[output], given, strict=True)}
    form = form_of(program, head)
    found = detect(form, [tensors[n] for n in outputs_of(program, head)])
    (in_c,) = Compiled(Case(head, program, tensors), tmp_path).run([tensors])
    assert len(found.scores) > 0
    assert all(np.array_equal(getattr(found, key), getattr(in_c, key)) for key in ("boxes", "scores", "labels"))
    shapes = [[program.tensors[n].shape for n in program.outputs[output]] for output in head["on"]]
    assert postprocess_buffers.buffer_bytes(head["kind"], head["options"], shapes) == buffer_bytes(form)
