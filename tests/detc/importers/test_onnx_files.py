"""ONNX files that are damaged, absurd or hostile are findings; data beside a file come from its own folder alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detc.diagnostics import Finding
from detc.importers.network.importing import import_network
from detc.importers.reading import read_network
from foreign_nets import onnx_file

onnx = pytest.importorskip("onnx")
BODY = "a = Conv <pads=[1, 1, 1, 1]> (x, w, b)\ny = Relu(a)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return onnx_file(tmp_path / "net.onnx", BODY, w=(4, 3, 3, 3), b=(4,))


def refusal(path: Path, change: Callable[[Any], None]) -> str:
    model = onnx.load(str(path), load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    found = read_network(path)
    assert isinstance(found, Finding) and found.code == "IMP201" and found.help
    return found.message


def test_every_cut_of_a_file_is_a_finding_or_a_smaller_graph(path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content), 17):
        path.write_bytes(content[:length])
        found = import_network(path)
        assert isinstance(found, list) or found.text


def test_flipped_bytes_end_in_a_model_or_a_finding(path: Path) -> None:
    content = path.read_bytes()
    rng = random.Random(2)
    for _ in range(80):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        found = import_network(path)
        assert isinstance(found, list) or found.text


def dims(*sides: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(sides)

    return change


def test_absurd_constants_are_refused(path: Path) -> None:
    assert "side of" in refusal(path, dims(2**40, 3, 3, 3))
    assert "elements" in refusal(path, dims(2**20, 2**20))
    assert "its shape asks for" in refusal(path, dims(4, 3, 3, 4))
    assert "open side" in refusal(path, dims(-1, 3, 3, 3))


def test_circles_gaps_and_doubles_are_refused(path: Path) -> None:
    def circle(model: Any) -> None:
        model.graph.node[0].input[0] = "y"

    def gap(model: Any) -> None:
        model.graph.node[1].input[0] = "nowhere"

    def double(model: Any) -> None:
        model.graph.initializer.append(model.graph.initializer[0])

    content = path.read_bytes()
    for change, said in ((circle, "circle"), (gap, "before it is made"), (double, "made twice")):
        path.write_bytes(content)
        assert said in refusal(path, change)


def test_too_many_operators_are_refused(path: Path) -> None:
    def grow(model: Any) -> None:
        for number in range(10_001):
            model.graph.node.append(onnx.helper.make_node("Relu", ["a"], [f"r{number}"]))

    assert "10,0" in refusal(path, grow)


def external(location: str, **entries: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)

    return change


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../secret.bin", "sub/../../secret.bin", "", "none.bin", "link.bin"]
)
def test_data_outside_of_the_folder_are_refused(path: Path, location: str) -> None:
    inner = path.parent / "inner"
    inner.mkdir()
    moved = path.rename(inner / path.name)
    (path.parent / "secret.bin").write_bytes(b"\0" * 432)
    (inner / "link.bin").symlink_to(path.parent / "secret.bin")
    assert "no file in the folder" in refusal(moved, external(location))


def test_data_in_the_folder_are_read(path: Path) -> None:
    weights = np.arange(108, dtype=np.float32)
    (path.parent / "data.bin").write_bytes(b"\0" * 16 + weights.tobytes())
    model = onnx.load(str(path))
    external("data.bin", offset="16", length="432")(model)
    path.write_bytes(model.SerializeToString())
    found = import_network(path)
    assert not isinstance(found, list)
    (read,) = [lazy for name, lazy in found.weights.items() if name.endswith(".weight")]
    assert (read().reshape(-1) == weights).all()
    assert "do not stand" in refusal(path, external("data.bin", offset="400", length="432"))


def test_without_the_package_the_remedy_names_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    found = read_network(path)
    assert isinstance(found, Finding) and "detc[export]" in found.help


def test_operators_without_a_counterpart_are_told_at_once(tmp_path: Path) -> None:
    """All of them, once each with their number; what follows from them is not blamed; and where to cut is said."""
    body = """a = Conv(x, w)
        b = Erf(a)
        c = Erf(a)
        d = Add(b, c)
        e = Einsum <equation="bchw->bhwc"> (d)
        f = ConvTranspose(a, v)
        y = Concat <axis=1> (e, f)"""
    found = import_network(onnx_file(tmp_path / "odd.onnx", body, w=(4, 3, 3, 3), v=(4, 4, 2, 2)))
    assert isinstance(found, list) and [f.code for f in found] == ["IMP202"]
    assert found[0].actual == "Erf (2 times) at `b`; Einsum at `e`; ConvTranspose at `f`"
    assert found[0].help == "cut the net before them: `--outputs a`"
    cut = import_network(tmp_path / "odd.onnx", ["a"])
    assert not isinstance(cut, list) and [node.op.name for node in cut.graph] == ["input", "conv"]
    wrong = import_network(tmp_path / "odd.onnx", ["aa", "zzz"])
    assert isinstance(wrong, list) and [f.code for f in wrong] == ["IMP203"] * 2 and "`a`" in wrong[0].help


def test_inputs_that_are_no_picture_are_told(tmp_path: Path) -> None:
    for shape in ((1, 10), (2, 3, 8, 8), (1, 7, 8, 8), (1, 3, None, None)):
        found = import_network(onnx_file(tmp_path / "net.onnx", "y = Relu(x)", shape))  # type: ignore[arg-type]
        assert isinstance(found, list) and [f.code for f in found] == ["IMP204"], shape


def test_operators_that_break_their_own_rules_are_findings(tmp_path: Path) -> None:
    """Inputs taken away, mixed up or constant, attributes of other numbers and lengths: a finding or a net, never a traceback."""
    body = """a = Conv <pads=[1, 1, 1, 1], strides=[1, 1], group=1> (x, w, b)
        n = BatchNormalization <epsilon=0.001> (a, b, b, b, g)
        p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (n)
        u = Resize <mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"> (p, , f)
        c, d = Split <axis=1> (u, s)
        e = Concat <axis=1> (d, c, n)
        h = Slice(e, i, j, k)
        r = Reshape(h, q)
        t = Transpose <perm=[0, 1, 2]> (r)
        m = Pad(e, v)
        z = ReduceMean <axes=[2, 3], keepdims=0> (m)
        l = DequantizeLinear <axis=0> (o, g, zp)
        y = Gemm <transB=1> (z, l, b)"""
    path = onnx_file(
        tmp_path / "net.onnx", body, w=(4, 3, 3, 3), b=(4,), g=np.full(4, 0.5, np.float32), f=np.array([1, 1, 2, 2], np.float32),
        s=np.array([1, 3]), i=np.array([0]), j=np.array([8]), k=np.array([1]), q=np.array([1, 8, -1]),
        v=np.array([0, 0, 1, 1, 0, 0, 1, 1]), o=np.ones((4, 8), np.int8), zp=np.zeros(4, np.int8),
    )  # fmt: skip
    assert not isinstance(import_network(path), list)
    whole = onnx.load(str(path))
    rng = random.Random(4)
    names = [tensor.name for tensor in whole.graph.initializer] + ["x", "", "a", "e", "y"]
    for _ in range(120):
        model = onnx.ModelProto.FromString(whole.SerializeToString())
        for _ in range(rng.randint(1, 3)):
            node = rng.choice(model.graph.node)
            act = rng.randrange(5)
            if act == 0 and node.input:
                del node.input[rng.randrange(len(node.input)) :]
            elif act == 1 and node.input:
                node.input[rng.randrange(len(node.input))] = rng.choice(names)
            elif act == 2 and node.attribute:
                ints = rng.choice(node.attribute).ints
                ints.append(rng.choice((0, -1, 7, 2**40))) if rng.random() < 0.5 or not ints else ints.pop()
            elif act == 3 and node.attribute:
                rng.choice(node.attribute).i = rng.choice((0, -3, 9, 2**60))
            else:
                tensor = rng.choice(model.graph.initializer)
                array = onnx.numpy_helper.to_array(tensor).reshape(-1)
                changed = (
                    array[: rng.randint(0, len(array))] if rng.random() < 0.5 else array * rng.choice((0, -1, 100))
                )
                tensor.CopyFrom(onnx.numpy_helper.from_array(changed.astype(array.dtype), tensor.name))
        path.write_bytes(model.SerializeToString())
        found = import_network(path)
        if not isinstance(found, list):
            assert all(read().dtype == np.float32 for read in found.weights.values())
