"""TFLite files: what the reader finds in one, and that no damage to it is more than a finding."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from detc.diagnostics import Finding
from detc.importers.foreign import ForeignModel
from detc.importers.network.importing import import_network
from detc.importers.reading import read_network
from detc.importers.tflite.flatbuffer import Buffer
from detc.importers.unreadable import Unreadable
from foreign_nets import Lite, lite_net


def read(path: Path, content: bytes) -> ForeignModel | Finding:
    path.write_bytes(content)
    return read_network(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.tflite"


def test_a_file_is_read_as_it_is(path: Path) -> None:
    model = read(path, lite_net())
    assert isinstance(model, ForeignModel) and model.format == "tflite"
    assert [op.kind for op in model.ops] == [
        "QUANTIZE",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "ADD",
        "MEAN",
        "FULLY_CONNECTED",
    ]
    conv = model.ops[1]
    options = {"padding": "SAME", "stride_w": 2, "stride_h": 2, "fused_activation_function": "RELU6"}
    assert conv.attributes == options | {"dilation_w_factor": 1, "dilation_h_factor": 1}
    source, weight, bias = (model.tensors[name] for name in conv.inputs)
    assert (source.shape, source.dtype, source.scales, source.zeros, source.bytes) == (
        (1, 8, 8, 3), "i8", (pytest.approx(1 / 255),), (-128,), 192,
    )  # fmt: skip
    assert (weight.shape, weight.dtype, len(weight.scales), weight.axis) == ((4, 3, 3, 3), "i8", 4, 0)
    assert weight.data is not None and np.frombuffer(weight.data, np.int8)[0] == 127
    assert (bias.dtype, bias.bytes) == ("i32", 16)
    assert (model.inputs, model.outputs) == (("picture",), ("net/logits/MatMul",))


def test_names_that_occur_twice_become_two(path: Path) -> None:
    net = Lite()
    x, y = net.tensor("same", (1, 4, 4, 3)), net.tensor("same", (1, 4, 4, 3))
    net.op("RELU", [x], y)
    model = read(path, net.bytes([x], [y]))
    assert isinstance(model, ForeignModel) and len(set(model.tensors)) == 2


def refusal(path: Path, content: bytes) -> str:
    found = read(path, content)
    assert isinstance(found, Finding) and found.code == "IMP201" and found.help
    return found.message


def test_every_cut_of_a_file_is_a_finding(path: Path) -> None:
    content = lite_net()
    for length in range(0, len(content) - 8, 41):
        assert "TFLite" in refusal(path, content[:length])


def test_flipped_bytes_end_in_a_model_or_a_finding(path: Path) -> None:
    """Whatever comes of a flipped byte, nothing is raised and no memory is taken that the file does not account for."""
    content = lite_net()
    rng = random.Random(1)
    for number in range(90):
        if number == 70:
            tracemalloc.start()
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        path.write_bytes(damaged)
        found = import_network(path)
        assert isinstance(found, list) or found.text
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def tensor_net(**fields: object) -> bytes:
    """A net of a ReLU whose constant beside it has these fields."""
    net = Lite()
    x, y = net.tensor("x", (1, 4, 4, 3)), net.tensor("y", (1, 4, 4, 3))
    net.tensor("odd", **{"shape": (4,), "dtype": "f32", "data": np.zeros(4, np.float32)} | fields)  # type: ignore[arg-type]
    net.op("RELU", [x], y)
    return net.bytes([x], [y])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"shape": (2**30, 2**30)}, "side of"),
        ({"shape": (1 << 20, 1 << 20)}, "elements"),
        ({"shape": (1,) * 9}, "9 axes"),
        ({"shape": (5,)}, "its shape asks for 20"),
        ({"shape": (-7,)}, "side of -7"),
        ({"quant": ((0.1, 0.2), (0, 0), 0)}, "2 scales"),
        ({"quant": ((0.1,), (0, 0), 0)}, "zero points"),
        ({"quant": ((0.1,) * 4, (0,) * 4, 9)}, "no axis"),
    ],
)
def test_absurd_tensors_are_refused(path: Path, fields: dict[str, object], said: str) -> None:
    assert said in refusal(path, tensor_net(**fields))


def test_a_graph_that_runs_in_a_circle_is_refused(path: Path) -> None:
    net = Lite()
    x, a, b = (net.tensor(name, (1, 4, 4, 3)) for name in "xab")
    net.op("ADD", [x, b], a)
    net.op("RELU", [a], b)
    assert "circle" in refusal(path, net.bytes([x], [b]))
    again = Lite()
    x, y = again.tensor("x", (1, 4, 4, 3)), again.tensor("y", (1, 4, 4, 3))
    again.op("RELU", [x], y)
    again.op("TANH", [x], y)
    assert "made twice" in refusal(path, again.bytes([x], [y]))


def test_a_file_cannot_be_read_many_times_over() -> None:
    """Ten thousand tensors may share one long name in a small file; what is taken of it is counted."""
    buffer = Buffer(bytes(5000))
    with pytest.raises(Unreadable, match="unfold"):
        for _ in range(10_000):
            buffer.take(0, 5000)
    with pytest.raises(Unreadable, match="outside"):
        Buffer(b"12345678").numbers(0, "d")


def test_a_file_of_another_kind_is_refused(path: Path, tmp_path: Path) -> None:
    assert "does not begin" in refusal(path, b"\x08\0\0\0TFLX" + b"\0" * 64)
    missing = read_network(tmp_path / "none.tflite")
    assert isinstance(missing, Finding) and "No such file" in missing.message
