"""Files of weights: what is read from each kind, and files that are damaged, foreign or hostile."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from detrt.errors import DetrtError
from detrt.weights.matching import match
from detrt.weights.reading import read_file

onnx = pytest.importorskip("onnx")


class Net(nn.Module):
    """A convolution with its norm, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
        self.last = nn.Linear(4, 5)
        for name, value in self.named_buffers():
            if value.is_floating_point():
                value.copy_(torch.rand(4) + ("var" in name))


OWN = Net().state_dict()
COUNTED = [name for name in OWN if not name.endswith("tracked")]


def graph(path: Path, names: dict[str, str] | None = None, trans: bool = True, external: str | None = None) -> None:
    """An ONNX file of Net with other names, its initialisers in another order than the graph uses them."""
    called = {name: (names or {}).get(name, name) for name in COUNTED}
    values = {called[name]: OWN[name].numpy() for name in COUNTED}
    if not trans:
        values[called["last.weight"]] = np.ascontiguousarray(values[called["last.weight"]].T)
    tensors = [onnx.numpy_helper.from_array(values[name], name) for name in sorted(values, reverse=True)]
    norm = [called[f"stem.1.{word}"] for word in ("weight", "bias", "running_mean", "running_var")]
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", called["stem.0.weight"]], ["a"]),
        make("BatchNormalization", ["a", *norm], ["b"]),
        make("Gemm", ["b", called["last.weight"], called["last.bias"]], ["y"], **({"transB": 1} if trans else {})),
    ]
    made = onnx.helper.make_model(onnx.helper.make_graph(nodes, "net", [], [], tensors))
    if external is not None:
        for tensor in made.graph.initializer:
            data, tensor.raw_data = tensor.raw_data, b""
            tensor.data_location = onnx.TensorProto.EXTERNAL
            (path.parent / "data.bin").write_bytes(data)
            for key, value in (("location", external), ("offset", "0"), ("length", str(len(data)))):
                tensor.external_data.add(key=key, value=value)
            break
    path.write_bytes(made.SerializeToString())


def same(path: Path, rule: str, parts: list[str] | None = None) -> None:
    """The file's weights are Net's, matched by `rule`."""
    transfer = match(OWN, read_file(path), parts or [])
    assert {entry.rule for entry in transfer.taken.values()} == {rule}
    taken = {name: value for name, value in transfer.weights().items() if name in COUNTED}
    assert sorted(taken) == sorted(COUNTED)
    assert all(torch.equal(value, OWN[name]) for name, value in taken.items())


FOREIGN = {name: f"onnx::{number}" for number, name in enumerate(COUNTED)}


def test_an_onnx_file_by_name(tmp_path: Path) -> None:
    graph(tmp_path / "net.onnx")
    same(tmp_path / "net.onnx", "name")


@pytest.mark.parametrize("trans", [True, False])
def test_an_onnx_file_by_the_order_in_which_its_graph_uses_them(tmp_path: Path, trans: bool) -> None:
    graph(tmp_path / "net.onnx", FOREIGN, trans)
    same(tmp_path / "net.onnx", "order")


def test_external_data_beside_the_file(tmp_path: Path) -> None:
    graph(tmp_path / "net.onnx", external="data.bin")
    same(tmp_path / "net.onnx", "name")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "link.bin", "none.bin", ""])
def test_external_data_stay_in_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(4000))
    folder = tmp_path / "inner"
    folder.mkdir()
    os.symlink(tmp_path / "secret.bin", folder / "link.bin")
    graph(folder / "net.onnx", external=location)
    with pytest.raises(DetrtError, match=r"leaves the folder|is not there"):
        read_file(folder / "net.onnx")


def test_folded_norms_are_told(tmp_path: Path) -> None:
    tensor = onnx.numpy_helper.from_array(OWN["stem.0.weight"].numpy(), "onnx::Conv_1")
    made = onnx.helper.make_model(onnx.helper.make_graph([], "net", [], [], [tensor]))
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(DetrtError) as refusal:
        match(OWN, read_file(tmp_path / "net.onnx"), [])
    assert "export it without folding" in refusal.value.remedy


@pytest.mark.parametrize("key", ["ema", "state_dict", "model"])
def test_the_state_inside_of_a_checkpoint(tmp_path: Path, key: str) -> None:
    torch.save({"epoch": 3, key: dict(OWN), "optimizer": {"lr": 1.0}}, tmp_path / "a.pt")
    same(tmp_path / "a.pt", "name")


def test_the_old_format_of_torch(tmp_path: Path) -> None:
    torch.save(dict(OWN), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    same(tmp_path / "a.pth", "name")


def test_a_part_alone_is_put_below_the_part_that_is_asked_for(tmp_path: Path) -> None:
    inner = {name.removeprefix("stem."): value for name, value in OWN.items() if name.startswith("stem.")}
    safetensors.torch.save_file(inner, tmp_path / "a.safetensors")
    transfer = match(OWN, read_file(tmp_path / "a.safetensors"), ["stem"])
    assert {entry.rule for entry in transfer.taken.values()} == {"name below `stem`"} and not transfer.left


def test_an_order_that_fits_in_two_places_is_no_order(tmp_path: Path) -> None:
    twice = {f"{letter}.{number}.weight": OWN["last.weight"] for letter in "ab" for number in range(2)}
    torch.save(twice, tmp_path / "a.pt")
    with pytest.raises(DetrtError, match="no weights for what stands below last"):
        match(OWN, read_file(tmp_path / "a.pt"), ["last"])


def test_roles_decide_beside_shapes(tmp_path: Path) -> None:
    """Mean and variance in another order are not taken for each other."""
    names = ["0.weight", "1.weight", "1.bias", "1.running_var", "1.running_mean", "2.weight", "2.bias"]
    order = [0, 1, 2, 4, 3, 5, 6]
    torch.save({names[i]: OWN[COUNTED[k]] for i, k in enumerate(order)}, tmp_path / "a.pt")
    with pytest.raises(DetrtError, match="no weights"):
        match(OWN, read_file(tmp_path / "a.pt"), [])


# ---- hostile --------------------------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/detrt-was-here",)


def saved(content: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def compressed() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved(dict(OWN)))) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def onnx_bytes(change: Callable[[Any], None]) -> bytes:
    tensor = onnx.numpy_helper.from_array(OWN["last.weight"].numpy(), "w")
    change(tensor)
    return bytes(onnx.helper.make_model(onnx.helper.make_graph([], "n", [], [], [tensor])).SerializeToString())


def dims(*sides: int) -> Callable[[Any], None]:
    def change(tensor: Any) -> None:
        del tensor.dims[:]
        tensor.dims.extend(sides)

    return change


HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("a.pt", lambda: b"", "damaged|not written by torch"),
    ("a.pt", lambda: b"not weights at all", "damaged|not written by torch"),
    ("a.pt", lambda: saved(dict(OWN))[:700], "damaged|not written by torch"),
    ("a.pt", lambda: pickle.dumps(Evil()), "would run code|damaged|not written"),
    ("a.pt", lambda: saved({"model": Evil()}), r"holds Python objects \((posix|os|nt)\.system\)"),
    ("a.pt", lambda: saved(Net()), "holds Python objects"),
    ("a.pt", lambda: saved([1, 2]), "holds list without named tensors"),
    ("a.pt", lambda: saved({"model": {"a": 1}}), "holds dict without named tensors"),
    ("a.pt", lambda: saved(torch.zeros(3)), "holds Tensor without named tensors"),
    ("a.pt", lambda: saved({"a": torch.zeros(1).expand(2**40)}), "more than a net"),
    ("a.pt", compressed, "compressed archive"),
    ("a.safetensors", lambda: b"", "damaged"),
    ("a.safetensors", lambda: b"\xff" * 100, "damaged"),
    ("a.safetensors", lambda: safetensors.torch.save(dict(OWN))[:-3], "damaged"),
    ("a.safetensors", lambda: safetensors.torch.save({}), "holds no weights"),
    ("a.onnx", lambda: b"\xff\xfe not onnx", "no ONNX file"),
    ("a.onnx", lambda: b"", "holds no weights"),
    ("a.onnx", lambda: onnx_bytes(dims(4, 6)), "`w` is damaged"),
    ("a.onnx", lambda: onnx_bytes(dims(2**40)), "more values"),
    ("a.onnx", lambda: onnx_bytes(dims(-5, -4)), "more values"),
    ("a.onnx", lambda: onnx_bytes(lambda t: setattr(t, "data_type", 7)), "holds no weights"),
    ("a.onnx", lambda: onnx_bytes(lambda t: setattr(t, "data_type", 99)), "holds no weights"),
    ("a.h5", lambda: b"", "not read from `.h5`"),
]


@pytest.mark.parametrize(("name", "content", "problem"), HOSTILE)
def test_files_that_are_no_weights_are_refused(
    tmp_path: Path, name: str, content: Callable[[], bytes], problem: str
) -> None:
    (tmp_path / name).write_bytes(content())
    with pytest.raises(DetrtError, match=problem):
        read_file(tmp_path / name)
    assert not Path("/tmp/detrt-was-here").exists()


def test_a_file_may_not_be_there_or_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    for name in ("none.pt", "folder.pt"):
        with pytest.raises(DetrtError, match="weights"):
            read_file(tmp_path / name)


WHOLE = {"a.pt": saved(dict(OWN)), "a.pth": saved(dict(OWN), _use_new_zipfile_serialization=False)}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*WHOLE, "a.safetensors", "a.onnx"]), st.data())
def test_flipped_bytes_give_weights_or_a_clear_error(tmp_path_factory: Any, name: str, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(WHOLE.get(name) or _other(name, folder))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"flipped-{name}"
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        found = read_file(path)
    except DetrtError:
        return
    assert found.tensors


def _other(name: str, folder: Path) -> bytes:
    if name == "a.onnx":
        graph(folder / "whole.onnx")
        return (folder / "whole.onnx").read_bytes()
    return safetensors.torch.save(dict(OWN))
