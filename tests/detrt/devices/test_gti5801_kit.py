"""`pack` and `simulate` for users of the vendor's kit: whatever is wrong with the input is said in a sentence."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detrt.devices.gti5801.chipdat import decode
from detrt.devices.gti5801.errors import DeviceError
from detrt.devices.gti5801.kit import pack_files, simulate_files
from detrt.devices.gti5801.simulator import simulate

DOCUMENT: dict[str, Any] = {
    "layer": [
        {
            "coef_bits": 8,
            "depth_enable": True,
            "image_size": 28,
            "input_channels": 8,
            "major_layer": 1,
            "one_coef": [0, 1],
            "output_channels": 16,
            "pooling": True,
            "scaling": [7, 6],
            "sublayer_number": 2,
            "a key of ours": "is ignored",
        }
    ],
    "model": [{"ChipType": 5801, "MajorLayerNumber": 1, "SamplingMethod": 1}],
}


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "w0": rng.integers(-128, 128, (8, 1, 3, 3)).astype(np.float32) / 2**7,
        "b0": rng.integers(-999, 999, 8) / 2**7,
        "w1": rng.integers(-128, 128, (16, 8, 1, 1)).astype(np.float32) / 2**6,
        "b1": rng.integers(-999, 999, 16) / 2**6,
        "input": rng.integers(0, 256, (8, 28, 28), dtype=np.uint8),
    }


def written(folder: Path, document: Any = DOCUMENT, tensors: Any = None) -> tuple[Path, Path]:
    (folder / "net.dat.json").write_text(document if isinstance(document, str) else json.dumps(document))
    if isinstance(tensors, bytes):
        (folder / "net.npz").write_bytes(tensors)
    else:
        np.savez_compressed(folder / "net.npz", **(tensors or arrays()))
    return folder / "net.dat.json", folder / "net.npz"


def test_packed_and_simulated(tmp_path: Path) -> None:
    files = written(tmp_path)
    size = pack_files(*files, tmp_path / "chip.dat")
    data = (tmp_path / "chip.dat").read_bytes()
    network = decode(data)
    assert len(data) == size and network.sampling
    assert network.majors[0].shape.kinds == ("depthwise", "pointwise")
    assert simulate_files(*files, tmp_path / "out.npy") == (16, 14, 14)
    answer = np.load(tmp_path / "out.npy")
    assert answer.dtype == np.float32 and answer.min() >= 0 and answer.max() <= 31


@pytest.mark.parametrize(("one_coef", "outputs"), [([0, 1], 15), ([0, 1], 30), ([1, 0], 15)])
def test_outputs_are_filled_up_to_fours(tmp_path: Path, one_coef: list[int], outputs: int) -> None:
    """The vendor's software chip gives 15 and 30 outputs back as 16 and 32 planes."""
    document = copy.deepcopy(DOCUMENT)
    document["layer"][0] |= {"output_channels": outputs, "one_coef": one_coef}
    rng, tensors, inputs = np.random.default_rng(1), arrays(), 8
    for k, one in enumerate(one_coef):
        shape = (outputs, inputs, 1, 1) if one else (inputs, 1, 3, 3)
        tensors |= {f"w{k}": rng.integers(-9, 20, shape) / 2**6, f"b{k}": np.zeros(shape[0])}
        inputs = shape[0]
    paths = written(tmp_path, document, tensors)
    pack_files(*paths, tmp_path / "chip.dat")
    network = decode((tmp_path / "chip.dat").read_bytes())
    assert network.shapes[-1].output_channels == outputs
    assert simulate_files(*paths, tmp_path / "out.npy") == (-(-outputs // 4) * 4, 14, 14)
    answer = np.load(tmp_path / "out.npy")
    assert answer[:outputs].any() and not answer[outputs:].any()
    assert np.array_equal(simulate(network, tensors["input"]), answer)


def test_depthwise_weights_may_be_written_in_four_shapes(tmp_path: Path) -> None:
    files = []
    for n, shape in enumerate([(8, 1, 3, 3), (1, 8, 3, 3), (8, 3, 3), (72,)]):
        (tmp_path / str(n)).mkdir()
        tensors = arrays()
        tensors["w0"] = tensors["w0"].reshape(shape)
        pack_files(*written(tmp_path / str(n), DOCUMENT, tensors), tmp_path / str(n) / "chip.dat")
        files.append((tmp_path / str(n) / "chip.dat").read_bytes())
    assert len(set(files)) == 1


def changed(change: Callable[[dict[str, Any]], Any]) -> Any:
    document = copy.deepcopy(DOCUMENT)
    replaced = change(document)
    return document if replaced is None else replaced


BAD_DOCUMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "not JSON": lambda d: "{",
    "no list `layer`": lambda d: "[]",
    "JSON": lambda d: "[" * 100_000,
    "not a JSON object": lambda d: d["layer"].__setitem__(0, 3),
    "`coef_bits` is missing": lambda d: d["layer"][0].pop("coef_bits") and None,
    "`image_size` must be a whole number": lambda d: d["layer"][0].update(image_size=28.0),
    "`input_channels` must be": lambda d: d["layer"][0].update(input_channels=10**12),
    "`pooling` must be true or false": lambda d: d["layer"][0].update(pooling=1),
    "`ChipType` is 2803": lambda d: d["model"][0].update(ChipType=2803),
    "`MajorLayerNumber` is 2": lambda d: d["model"][0].update(MajorLayerNumber=2),
    "`major_layer` is 2": lambda d: d["layer"][0].update(major_layer=2),
    "1 shifts in `scaling` for 2": lambda d: d["layer"][0].update(scaling=[7]),
    "`one_coef` must hold": lambda d: d["layer"][0].update(one_coef=[1]),
    "`one_coef` needs": lambda d: d["layer"][0].update(depth_enable=False),
    "does not upsample": lambda d: d["layer"][0].update(upsample_enable=True),
    "image size 300": lambda d: d["layer"][0].update(image_size=300),
    "ten_bits_enable": lambda d: d["model"][0].update(ActivationBitMode=1),
    "`model` must be": lambda d: d.pop("model") and None,
    "shift 15": lambda d: d["layer"][0].update(scaling=[15, 6]),
    "are no description": lambda d: " " * (2 << 20),
}


@pytest.mark.parametrize("words", BAD_DOCUMENTS)
def test_a_bad_description_is_refused(tmp_path: Path, words: str) -> None:
    files = written(tmp_path, changed(BAD_DOCUMENTS[words]))
    with pytest.raises(DeviceError, match=words):
        pack_files(*files, tmp_path / "chip.dat")
    assert not (tmp_path / "chip.dat").exists()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def bomb() -> bytes:
    """A header that asks for a terabyte."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (1 << 37,)})
    return zipped("w0.npy", stream.getvalue())


BAD_TENSORS: dict[str, Callable[[], Any]] = {
    "not an .npz": lambda: b"not a zip",
    "`w0` is missing": lambda: {"b0": np.zeros(8)},
    r"`w0` has the shape \(8, 8, 3, 3\)": lambda: {**arrays(), "w0": np.zeros((8, 8, 3, 3))},
    "`b1` holds object": lambda: {**arrays(), "b1": np.array([None] * 16, dtype=object)},
    "`w0` has the shape": bomb,
    "at `w0`": lambda: zipped("w0.npy", b"\x93NUMPY"),
    "outside -128 to 127": lambda: {**arrays(), "w0": arrays()["w0"] * 2},
    "more than 20 bits": lambda: {**arrays(), "b1": arrays()["b1"] + 2**19},
    "not finite": lambda: {**arrays(), "w1": arrays()["w1"] * np.inf},
    "`input` holds float64": lambda: {**arrays(), "input": arrays()["input"].astype(float)},
}


@pytest.mark.parametrize("words", BAD_TENSORS)
def test_bad_tensors_are_refused(tmp_path: Path, words: str) -> None:
    files = written(tmp_path, DOCUMENT, BAD_TENSORS[words]())
    with pytest.raises(DeviceError, match=words):
        simulate_files(*files, tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    description, tensors = written(tmp_path)
    for files, out in (
        ((tmp_path / "none.json", tensors), tmp_path / "x"),
        ((description, tmp_path / "none.npz"), tmp_path / "x"),
        ((description, tensors), tmp_path / "none" / "x"),
    ):
        with pytest.raises(DeviceError, match="none"):
            pack_files(*files, out)


def test_the_program_exits_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = pytest.importorskip("detc.targets.gti5801.__main__").main
    description, tensors = written(tmp_path, changed(lambda d: d["layer"][0].update(image_size=300)))
    assert main(["pack", str(description), str(tensors), "-o", str(tmp_path / "x")]) == 1
    assert "image size 300" in capsys.readouterr().err
