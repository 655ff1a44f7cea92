"""Nets of the library exported by torch, both ways, and imported again: the same multiplications, and the same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_onnx_networks import imported, onnx_outputs, outputs_of, rebuilt

from generated_nets import compiled, generated

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

SPECS = Path(__file__).parents[3] / "specs"


def exported(name: str, folder: Path, dynamo: bool, **sets: str) -> tuple[Any, Path]:
    """A library net with random statistics in its batch norms, and its ONNX file."""
    model = compiled(SPECS / f"{name}.det", **sets)
    torch.manual_seed(0)
    net = generated(model)()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = folder / f"{name}.onnx"
    x = torch.zeros(1, *model.graph.inputs[0].type.shape)
    more: dict[str, Any] = {"external_data": False} if dynamo else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (x,), str(path), dynamo=dynamo, **more)
    return model, path


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "dynamo", "sets", "head"),
    [
        ("st_yolo_lc_v1", False, {"image": "64"}, ""),
        ("yolox_nano", False, {"image": "64"}, "head yolox on box, obj, cls"),
        ("ssdlite_mobilenetv3small", False, {"width": "0.5"}, ""),
        ("st_yolo_lc_v1", True, {"image": "64"}, ""),
    ],
)
def test_a_library_net_there_and_back(name: str, dynamo: bool, sets: dict[str, str], head: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript" if dynamo else "onnx")
    model, path = exported(name, tmp_path, dynamo, **sets)
    found = imported(path)
    assert found.graph.macs() == model.graph.macs() and head in found.text
    x = np.random.default_rng(1).normal(0, 0.5, (1, *model.graph.inputs[0].type.shape)).astype(np.float32)
    ours, theirs = (np.sort(np.concatenate([part.reshape(-1) for part in given]))
                    for given in (outputs_of(rebuilt(found, tmp_path), x), onnx_outputs(path, x)))  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
