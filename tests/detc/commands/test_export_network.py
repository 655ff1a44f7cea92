"""`detc export net.tflite --target BOARD`: another tool's int8 network becomes artifacts without any training."""

from __future__ import annotations

import json
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")

from detc.cli import main  # noqa: E402
from foreign_nets import Lite, lite_net, onnx_file  # noqa: E402

BOARD = ("--target", "stm32h747i_disco")

QDQ = """xq = QuantizeLinear(x, xs, xz)
    xd = DequantizeLinear(xq, xs, xz)
    wd = DequantizeLinear <axis=0> (w, ws, wz)
    a = Conv <pads=[1, 1, 1, 1], strides=[2, 2]> (xd, wd)
    aq = QuantizeLinear(a, as, az)
    y = DequantizeLinear(aq, as, az)"""
NUMBERS = {
    "xs": np.float32(1 / 255), "xz": np.uint8(0), "as": np.float32(0.02), "az": np.uint8(128),
    "ws": np.full(4, 0.01, np.float32), "wz": np.zeros(4, np.int8),
}  # fmt: skip


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(height: int, width: int) -> np.ndarray:
    """u8 [height, width, 3] of blocks, RGB, and the file p.png that holds it."""
    blocks = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    made = np.kron(blocks, np.ones((height // 8, width // 8, 1), np.uint8))
    cv2.imwrite("p.png", made[:, :, ::-1])
    return made


def layers(artifacts: str) -> list[Any]:
    from detrt.devices.stm32.artifacts import load_artifacts

    return [step for step in load_artifacts(artifacts).program.steps if hasattr(step, "weight")]


def raw_outputs(artifacts: str, *more: str) -> dict[str, np.ndarray]:
    assert main(["run", artifacts, "p.png", "-o", "out", "-q", *more]) == 0
    with np.load("out/p.png.npz") as found:
        return dict(found)


def test_a_tflite_file_gives_its_raw_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    from detrt.devices.stm32.artifacts import load_artifacts

    Path("net.tflite").write_bytes(lite_net())
    assert main(["export", "net.tflite", *BOARD, "-o", "mine"]) == 0
    assert "no head is known" in capsys.readouterr().out
    about = json.loads(Path("mine/MANIFEST.json").read_text())
    assert about["target"] == "stm32h747i_disco" and {"program.npz", "c/network.c", "model_int8.onnx"} <= set(
        about["files"]
    )
    model = load_artifacts("mine")
    seen = picture(*model.program.tensors[model.program.input].shape[:2])
    expected = model.run(seen)
    found = raw_outputs("mine")
    assert found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in found)
    assert main(["eval", "mine"]) == 1
    assert "has no head" in capsys.readouterr().err
    with Path("mine/c/network.c").open("a") as stream:
        stream.write("/* changed */\n")
    assert main(["benchmark", "mine"]) == 1
    assert "network.c" in capsys.readouterr().err


def test_an_onnx_file_with_quantisers_is_multiplied_as_it_says() -> None:
    pytest.importorskip("onnx")
    weights = np.random.default_rng(1).integers(-99, 100, (4, 3, 3, 3)).astype(np.int8)
    weights[1, 0, 0, 0], weights[2, 0, 0, 0] = 127, -128  # else no channel reaches the end of its numbers
    numbers = {name: np.asarray(value) for name, value in NUMBERS.items()}
    onnx_file(Path("net.onnx"), QDQ, shape=(1, 3, 16, 16), w=weights, **numbers)
    assert main(["export", "net.onnx", *BOARD]) == 0
    seen = np.pad(picture(16, 16).astype(np.int64), ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(0, 1))[::2, ::2]
    sums = np.einsum("yxcij,ocij->yxo", windows, weights.astype(np.int64))
    exact = np.clip(sums * (0.01 / 255 / 0.02), -128, 127)
    assert np.array_equal(layers("artifacts")[0].weight, weights.transpose(0, 2, 3, 1))
    (found,) = raw_outputs("artifacts").values()
    assert np.abs(found - exact).max() <= 0.5 + 1e-6, "rounded once, to the nearest"


@pytest.mark.parametrize("places", [(0,), (0, 1, 2, 3, 4)])
def test_weights_keep_the_numbers_of_the_file(places: tuple[int, ...]) -> None:
    """A scale a tensor or a channel; no weight reaches 127, and one channel has none but zeros."""
    weights = np.random.default_rng(2).integers(-60, 61, (5, 3, 3, 3)).astype(np.int8)
    weights[3] = 0
    scales = np.array([0.01, 0.003, 0.02, 0.5, 0.0007], np.float32)[list(places)]
    bias = np.arange(-200, 300, 100, dtype=np.int32)
    net = Lite()
    picture = net.tensor("picture", (1, 8, 8, 3), "u8", None, ((1 / 255,), (0,), 0))
    w = net.constant("w", weights.transpose(0, 2, 3, 1), (scales, np.zeros(len(places)), 0))
    b = net.constant("b", bias, (scales * np.float32(1 / 255), np.zeros(len(places)), 0))
    out = net.tensor("net/out", (1, 4, 4, 5), "i8", None, ((0.05,), (3,), 0))
    net.op("CONV_2D", [picture, w, b], out, stride_w=2, stride_h=2, padding="SAME")
    Path("net.tflite").write_bytes(net.bytes([picture], [out]))
    assert main(["export", "net.tflite", *BOARD]) == 0
    (step,) = layers("artifacts")
    assert np.array_equal(step.weight, weights.transpose(0, 2, 3, 1))
    # The program's bytes begin at -128, those of the file's picture at 0.
    assert np.array_equal(step.bias, bias)


def test_what_cannot_be_exported_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("net.tflite").write_bytes(lite_net())
    assert main(["export", "net.tflite"]) == 1
    assert "--target NAME" in capsys.readouterr().err
    assert main(["export", "net.tflite", "--target", "gti5801"]) == 1
    pytest.importorskip("onnx")
    onnx_file(Path("real.onnx"), "y = Conv (x, w)", w=(4, 3, 3, 3))
    capsys.readouterr()
    assert main(["export", "real.onnx", *BOARD]) == 1
    said = capsys.readouterr().err
    assert "real numbers only" in said and "detc import real.onnx" in said and "detc train" in said
    assert main(["export", "none.onnx", *BOARD]) == 1
    assert not Path("artifacts").exists()


@pytest.mark.long
def test_its_c_code_is_tried_beside_the_artifacts(
    capsys: pytest.CaptureFixture[str], needs_program: Callable[[str, str], None]
) -> None:
    """What main.c prints of the picture inside is what the simulator gives for it; the artifacts stay as they were."""
    needs_program("gcc", "gcc")
    Path("net.tflite").write_bytes(lite_net())
    assert main(["export", "net.tflite", *BOARD, "-o", "mine"]) == 0
    before = sorted(Path("mine").rglob("*"))
    printed = subprocess.run(
        ["make", "-s", "-C", "mine/c", "run-host"], check=True, capture_output=True, text=True
    ).stdout.splitlines()[-1]
    assert sorted(Path("mine").rglob("*")) == before and Path("mine-build/host/main").is_file()
    assert "It is a network alone" in Path("mine/c/README.md").read_text()

    from detrt.devices.stm32.artifacts import load_artifacts
    from detrt.devices.stm32.c.detector import test_card

    model = load_artifacts("mine")
    shape = model.program.tensors[model.program.input].shape
    card = test_card(shape)
    rows, columns = (np.arange(shape[axis]) * card.shape[axis] // shape[axis] for axis in (0, 1))
    ((name, values),) = model.run(card[rows][:, columns]).items()
    assert printed == f"{name} {values.min()} {values.max()}"


@pytest.mark.long
def test_files_of_the_model_zoo(shared: Path, needs_program: Callable[[str, str], None]) -> None:
    """What ai-edge-litert 2.3.0 gave for the picture (all 4,320 numbers of st_yolo_lc_v1), in the simulator and in C."""
    needs_program("gcc", "gcc")
    for name in ("st_yolo_lc_v1_192_int8", "st_ssd_mobilenet_v1_025_224_int8", "mobilenet_v2_0.35_128_fft_int8"):
        assert main(["export", str(shared / f"data/models/{name}.tflite"), *BOARD, "-o", name]) == 0

    from detrt.devices.stm32.artifacts import load_artifacts

    model = load_artifacts("st_yolo_lc_v1_192_int8")
    seen = picture(192, 192)
    (given,) = model.run(seen).values()
    assert given.shape == (12, 12, 30) and zlib.crc32(given.tobytes()) == 1_106_125_149
    with model.on("host") as runner:
        assert np.array_equal(runner.outputs(seen)[next(iter(model.run(seen)))], given)
    assert main(["run", "st_yolo_lc_v1_192_int8", "p.png", "-o", "found", "-q"]) == 0
    picture(224, 224)
    simulated, in_c = (raw_outputs("st_ssd_mobilenet_v1_025_224_int8", *on) for on in ((), ("--on", "host")))
    assert len(simulated) == 12 and all(np.array_equal(simulated[name], in_c[name]) for name in simulated)
