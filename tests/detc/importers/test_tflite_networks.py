"""TFLite networks as specs: they compute what LiteRT computed, as real numbers and as whole ones."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_onnx_networks import outputs_of, rebuilt

from detc.compilation import Compilation, compile_network
from detc.importers.network.importing import Imported, import_network
from detc.semantics.lock import lock_of
from foreign_nets import lite_net

torch = pytest.importorskip("torch")

PICTURES = np.random.default_rng(9).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
LITERT_INT8 = [[38, -11, 2, 4, 14], [44, -16, 2, 5, 17], [39, -15, 2, 4, 17], [38, -11, -5, 2, 17]]
LITERT_FAST = [[37, -12, 1, 4, 16], [43, -15, 2, 4, 17], [39, -15, 2, 4, 17], [38, -11, -5, 2, 17]]
LITERT_FLOAT = [
    [1.7787020, -0.6805677, -0.0284328, 0.0916505, 0.6538227], [2.0759201, -0.8503696, 0.0294861, 0.1344696, 0.7353561],
    [1.8784604, -0.8380643, -0.0426983, 0.1096501, 0.7800492], [1.7943445, -0.6057864, -0.3423254, 0.0253195, 0.7384228],
]  # fmt: skip
"""What ai-edge-litert 2.3.0 gave for `lite_net` on PICTURES with its reference kernels (BUILTIN_REF), and with its fast ones."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.tflite"


def imported(path: Path, content: bytes) -> Imported:
    path.write_bytes(content)
    found = import_network(path, (), "net")
    assert not isinstance(found, list), found
    return found


def as_input(picture: Any) -> Any:
    return (picture[None] / 255).astype(np.float32).transpose(0, 3, 1, 2).copy()


def test_a_float_network_computes_what_litert_computes(path: Path, tmp_path: Path) -> None:
    found = imported(path, lite_net(quantised=False))
    assert [node.op.name for node in found.graph] == [
        "input",
        "conv",
        "relu",
        "conv",
        "add",
        "avgpool",
        "flatten",
        "linear",
    ]
    assert [node.name for node in found.graph][1:] == [
        "stem.conv1",
        "stem.relu6_1",
        "filter",
        "both",
        "mean",
        "flatten1",
        "logits_out",
    ]
    assert found.ranges == {} and found.graph["stem.conv1"].op.sides == (0, 0, 1, 1)  # type: ignore[attr-defined]
    module = rebuilt(found, tmp_path)
    for picture, truth in zip(PICTURES, LITERT_FLOAT, strict=True):
        np.testing.assert_allclose(outputs_of(module, as_input(picture))[0][0], truth, rtol=1e-4, atol=1e-5)


def test_an_int8_network_gives_weights_ranges_and_nearly_its_numbers(path: Path, tmp_path: Path) -> None:
    found = imported(path, lite_net())
    weight = found.weights["stem.conv1.weight"]()
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    assert weight.shape == (4, 3, 3, 3) and np.abs(weight / largest * 127)[0].max() == pytest.approx(127)
    assert found.ranges["stem.conv1"] == pytest.approx((0, 6)) and found.ranges["filter"] == pytest.approx(
        (-13.1, 12.4)
    )
    assert "mean" not in found.text.split("camera")[1].split("\n")[0]  # x / 255, as pictures come by themselves
    module = rebuilt(found, tmp_path)
    for picture, truth in zip(PICTURES, LITERT_INT8, strict=True):
        assert np.abs(outputs_of(module, as_input(picture))[0][0] - (np.array(truth) - 2) * 0.05).max() < 0.15


def program(found: Imported, done: Compilation) -> Any:
    """The integer program of an imported int8 file, without any training."""
    from detrt.devices.stm32.quantising import quantised

    assert done.model and done.graph and done.plan and done.program.target, done.findings
    lock = json.loads(json.dumps(lock_of(done.program, done.model, done.graph, done.program.target, done.plan)))
    state = {name: torch.from_numpy(np.array(read())) for name, read in found.weights.items()}
    return quantised(done.plan, state, found.ranges, lock["model"]["input"])


def test_an_int8_network_runs_as_our_integer_program(path: Path) -> None:
    """Its own whole numbers and scales, our arithmetic: what LiteRT gives, whose two sets of kernels round differently."""
    from detrt.devices.stm32.simulator import simulate

    found = imported(path, lite_net())
    run = program(found, compile_network(path, "stm32h747i_disco"))
    for picture, *truths in zip(PICTURES, LITERT_INT8, LITERT_FAST, strict=True):
        (given,) = next(iter(simulate(run, picture).values()))
        assert given.tolist() in truths


# ---- ST's own files -------------------------------------------------------------------------------------------------

FIGURES = {
    "mobilenet_v2_0.35_128_fft_int8": (225.17, 406.86, 395_493, 18_947_072),
    "st_ssd_mobilenet_v1_025_224_int8": (366.15, 595.66, 567_188, 59_115_840),
    "st_yolo_lc_v1_192_int8": (158.73, 276.72, 277_566, 61_526_016),
    "st_yolo_lc_v1_256_int8": (272.06, 276.72, 277_566, 109_379_584),
}
"""Activations and weights in KiB that ST's model zoo prints for tool 8.1 (README of object_detection and image_classification);
parameters and multiplications, counted by hand from the layers."""


@pytest.mark.parametrize("name", FIGURES)
def test_the_memory_of_files_of_the_model_zoo(name: str, shared: Path) -> None:
    done = compile_network(shared / f"data/models/{name}.tflite", "stm32h747i_disco")
    ram, flash, params, macs = FIGURES[name]
    assert done.model is not None and done.model.foreign is not None and done.model.foreign.format == "tflite"
    assert [f for f in done.findings if f.level == "error"] == []
    assert (done.metrics["params"], done.metrics["macs"]) == (params, macs)
    assert done.metrics["weights_flash"] / 1024 == pytest.approx(flash, rel=1e-3)
    assert done.metrics["ram_st"] / 1024 == pytest.approx(ram, rel=0.05)


@pytest.mark.long
def test_a_file_of_the_model_zoo_gives_litert_its_numbers(shared: Path) -> None:
    """All 4,320 numbers of st_yolo_lc_v1 at 192 pixels are those that ai-edge-litert 2.3.0 gave for the same picture."""
    from detrt.devices.stm32.simulator import simulate

    path = shared / "data/models/st_yolo_lc_v1_192_int8.tflite"
    found = import_network(path)
    assert not isinstance(found, list)
    blocks = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    picture = np.kron(blocks, np.ones((24, 24, 1), np.uint8))
    (given,) = next(iter(simulate(program(found, compile_network(path, "stm32h747i_disco")), picture).values()))
    assert given.shape == (12, 12, 30) and zlib.crc32(given.tobytes()) == 1_106_125_149
