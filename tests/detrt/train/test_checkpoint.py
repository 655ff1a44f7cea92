"""Checkpoint files: whole or not at all, and no damaged one is ever used."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from detrt.train import checkpoint
from detrt.train.checkpoint import (
    CheckpointError,
    decode,
    encode,
    read_checkpoint,
    read_newest,
    read_weights,
    write_checkpoint,
)

TENSORS = {
    "model/conv.weight": torch.arange(54, dtype=torch.float32)
    .reshape(2, 3, 3, 3)
    .to(memory_format=torch.channels_last),
    "model/count": torch.tensor(7),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "none": torch.zeros(0, 4),
}
STATE = {"epoch": 3, "metrics": {"map50": 0.5}, "name": 'quotes " and "sha256":"00" inside'}


def test_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, TENSORS, STATE)
    found = read_checkpoint(path)
    assert found.state == STATE
    assert set(found.tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
    assert set(found.group("model")) == {"conv.weight", "count"}


def test_the_same_content_gives_the_same_bytes() -> None:
    assert encode(TENSORS, STATE) == encode(dict(reversed(TENSORS.items())), dict(reversed(STATE.items())))


def test_tensors_that_share_memory_are_written_twice() -> None:
    shared = torch.ones(2)
    found = decode(encode({"a": shared, "b": shared}, {}), Path("x"))
    assert torch.equal(found.tensors["a"], found.tensors["b"])


CONTENT = encode(TENSORS, STATE)


@given(st.integers(0, len(CONTENT) * 8 - 1))
def test_every_flipped_bit_is_seen(bit: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CheckpointError):
        decode(bytes(damaged), Path("x"))


@given(st.integers(0, len(CONTENT) - 1))
def test_every_cut_is_seen(length: int) -> None:
    with pytest.raises(CheckpointError):
        decode(CONTENT[:length], Path("x"))


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        decode(content, Path("x"))


def test_a_damaged_file_gives_way_to_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, TENSORS, {"epoch": 1})
    write_checkpoint(path, TENSORS, {"epoch": 2})
    path.write_bytes(path.read_bytes()[:-3])
    said: list[str] = []
    found = read_newest(path, said.append)
    assert found is not None
    assert found.state == {"epoch": 1}
    assert "damaged" in said[0]
    assert "last.previous.safetensors" in said[0]


def test_two_damaged_files_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, TENSORS, STATE)
    write_checkpoint(path, TENSORS, STATE)
    for file in (path, checkpoint.previous(path)):
        file.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cut short"):
        read_newest(path, lambda line: None)


def test_nothing_written_is_nothing_found(tmp_path: Path) -> None:
    assert read_newest(tmp_path / "last.safetensors", print) is None


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, TENSORS, {"epoch": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"the disk is full.*is intact"):
        write_checkpoint(path, TENSORS, {"epoch": 2})
    assert read_checkpoint(path).state == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_weights_come_from_any_safetensors_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"conv.weight": torch.ones(2)}, tmp_path / "plain.safetensors")
    assert set(read_weights(tmp_path / "plain.safetensors")) == {"conv.weight"}
    write_checkpoint(
        tmp_path / "last.safetensors", {"model/conv.weight": torch.ones(2), "ema/conv.weight": torch.zeros(2)}, {}
    )
    assert read_weights(tmp_path / "last.safetensors")["conv.weight"].sum() == 0
    (tmp_path / "bad.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0hello")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        read_weights(tmp_path / "bad.safetensors")
