"""Equal, number for number, to the vendor's quantiser, converter and software chip."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detrt.devices.gti5801.arithmetic import (
    fuse_batch_norm,
    quantize_input,
    quantize_layer,
    quantize_relu,
    raw_shift,
    round_half_away,
)
from detrt.devices.gti5801.chipdat import decode, encode
from detrt.devices.gti5801.files import json_text, model_json
from detrt.devices.gti5801.network import ChipNetwork, same_network
from detrt.devices.gti5801.outmodel import compose, split
from detrt.devices.gti5801.simulator import simulate
from detrt.devices.gti5801.vendor_json import dat_json, network_of, read_dat_json

Array = npt.NDArray[Any]
CASES = ["conv8", "conv8_pool", "conv3_mix", "conv1", "sub12", "out24", "fc77", "resnet_1", "pointwise"]


def as_numpy(x: Array) -> Any:
    return x


def as_torch(x: Array) -> Any:
    return pytest.importorskip("torch").from_numpy(x)


LIBRARIES = pytest.mark.parametrize("library", [as_numpy, as_torch], ids=["numpy", "torch"])


@pytest.fixture
def vectors(shared: Path) -> Path:
    return shared / "data" / "gti_vectors"


@LIBRARIES
def test_weights_and_biases(vectors: Path, library: Callable[[Array], Any]) -> None:
    arrays = np.load(vectors / "weight_quant.npz")
    for case in json.loads((vectors / "weight_quant.json").read_text()):
        weight, bias = (library(arrays[case["key"] + part]) for part in "wb")
        layer = quantize_layer(weight, bias, case["mask_bit"])
        assert layer.shift == case["shift"] and not layer.clipped
        assert quantize_layer(weight, None, case["mask_bit"]).shift == case["shift_no_bias"]
        assert np.array_equal(np.asarray(layer.weight), arrays[case["key"] + "qw"])
        assert np.array_equal(np.asarray(layer.bias), arrays[case["key"] + "qb"])


def test_shifts_and_rounding(vectors: Path) -> None:
    numbers = json.loads((vectors / "shift_round.json").read_text())
    for case in numbers["raw_shift"]:
        assert (raw_shift(case["max_abs"], 8), raw_shift(case["max_abs"], 20)) == (case["weight8"], case["bias20"])
    table = numbers["rounding"]
    assert round_half_away(np.array(table["x"], np.float32)).tolist() == table["y"]


@LIBRARIES
def test_relu(vectors: Path, library: Callable[[Array], Any]) -> None:
    arrays = np.load(vectors / "relu_cap.npz")
    for i in range(3):
        found = quantize_relu(library(arrays[f"c{i}_x"]), float(arrays[f"c{i}_cap"]))
        assert np.array_equal(np.asarray(found), arrays[f"c{i}_y"])


def test_relu_gradient(vectors: Path) -> None:
    torch = pytest.importorskip("torch")
    from detrt.devices.gti5801.fakequant import QuantReLU

    arrays = np.load(vectors / "relu_cap.npz")
    for i in range(3):
        x = torch.from_numpy(arrays[f"c{i}_x"]).requires_grad_()
        QuantReLU(float(arrays[f"c{i}_cap"]))(x).sum().backward()
        assert np.array_equal(x.grad.numpy(), arrays[f"c{i}_grad"])


def test_input_step(vectors: Path) -> None:
    table = json.loads((vectors / "input_quant.json").read_text())
    assert quantize_input(np.array(table["x"], np.uint8)).tolist() == table["y"]


@LIBRARIES
def test_batch_norm(vectors: Path, library: Callable[[Array], Any]) -> None:
    arrays = np.load(vectors / "bn_fuse.npz")
    parts = (library(arrays[name]) for name in ("w", "b", "mean", "var", "gamma", "beta"))
    weight, bias = fuse_batch_norm(*parts, float(arrays["eps"]))
    assert np.array_equal(np.asarray(weight), arrays["fw"])
    assert np.array_equal(np.asarray(bias), arrays["fb"])


def chip_case(vectors: Path, case: str) -> tuple[ChipNetwork, dict[str, Any], Any]:
    """(network, dat.json, arrays) of a network that the vendor's converter and software chip have seen."""
    document = json.loads((vectors / "chip" / f"{case}.dat.json").read_text())
    arrays = np.load(vectors / "chip" / f"{case}.npz")
    return network_of(*read_dat_json(document), {name: arrays[name] for name in arrays.files}), document, arrays


@pytest.mark.parametrize("case", CASES)
def test_chip_dat_bytes(vectors: Path, case: str) -> None:
    network, document, _ = chip_case(vectors, case)
    index = {entry["case"]: entry for entry in json.loads((vectors / "chip" / "index.json").read_text())}
    data = encode(network)
    head = gzip.decompress((vectors / "chip" / f"{case}.chipdat_head.gz").read_bytes())
    assert data[: len(head)] == head
    assert len(data) == index[case]["chip_dat_bytes"]
    assert hashlib.sha256(data).hexdigest() == index[case]["chip_dat_sha256"]
    assert same_network(decode(data), network)
    assert dat_json(network) == document


@pytest.mark.parametrize("case", CASES)
def test_simulated_output(vectors: Path, case: str) -> None:
    network, _, arrays = chip_case(vectors, case)
    for source in (network, decode(encode(network))):
        answer = simulate(source, arrays["input"])
        assert answer.dtype == arrays["output"].dtype
        assert np.array_equal(answer, arrays["output"])


@pytest.mark.parametrize("case", CASES)
def test_out_model_size(vectors: Path, case: str) -> None:
    """The vendor's model.json differs from ours only in the path of the data file: 33 characters of folders and the name."""
    network, _, _ = chip_case(vectors, case)
    index = {entry["case"]: entry for entry in json.loads((vectors / "chip" / "index.json").read_text())}
    text = json_text(model_json(network, "/" * 33 + case, "gti_5801_gnetdet")).encode()
    data = encode(network)
    composed = compose(text, data)
    assert len(composed) == index[case]["out_model_bytes"]
    header, inner = split(composed)
    assert inner == data
    assert header["layer"][1]["data offset"] == index[case]["out_model_data_offset"]


@pytest.mark.parametrize("case", ["conv8", "fc77"])
def test_command_line(vectors: Path, tmp_path: Path, case: str) -> None:
    pytest.importorskip("detc.targets.gti5801.__main__")
    files = [str(vectors / "chip" / f"{case}{ending}") for ending in (".dat.json", ".npz")]
    command = [sys.executable, "-m", "detc.targets.gti5801"]
    subprocess.run([*command, "pack", *files, "-o", str(tmp_path / "chip.dat")], check=True)
    subprocess.run([*command, "simulate", *files, "-o", str(tmp_path / "out.npy")], check=True)
    network, _, arrays = chip_case(vectors, case)
    assert (tmp_path / "chip.dat").read_bytes() == encode(network)
    assert np.array_equal(np.load(tmp_path / "out.npy"), arrays["output"])
