"""`detc weights`: the parts of a file, and one of them alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from detc.cli import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    tensors = {"trunk.conv1.weight": torch.randn(4, 3, 3, 3), "trunk.bn1.weight": torch.rand(4)}
    safetensors.torch.save_file({**tensors, "head.bias": torch.zeros(2)}, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_lists_tensors_by_part(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", str(file)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "head 2 8 B",
        "head.bias [2] 2 8 B float32",
        "trunk 112 448 B",
        "trunk.bn1.weight [4] 4 16 B float32",
        "trunk.conv1.weight [4, 3, 3, 3] 108 432 B float32",
        "all 114 456 B",
    ]


@pytest.mark.parametrize("name", ["trunk.safetensors", "trunk.pt"])
def test_writes_a_part_alone(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.parent / name
    assert main(["weights", str(file), "--part", "trunk", "-o", str(out)]) == 0
    read = torch.load(out, weights_only=True) if name.endswith(".pt") else safetensors.torch.load_file(out)
    whole = safetensors.torch.load_file(file)
    assert sorted(read) == ["trunk.bn1.weight", "trunk.conv1.weight"]
    assert all(torch.equal(value, whole[key]) for key, value in read.items())
    assert "2 tensors, 112 values (trunk)" in capsys.readouterr().out


def test_the_same_weights_give_the_same_bytes(file: Path) -> None:
    for name in ("a", "b"):
        (file.parent / name).mkdir()
        assert main(["weights", str(file), "--part", "trunk", "-o", str(file.parent / name / "t.safetensors")]) == 0
    assert (file.parent / "a/t.safetensors").read_bytes() == (file.parent / "b/t.safetensors").read_bytes()


def test_mistakes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, words in [
        (["--part", "trnk"], "did you mean `trunk`?"),
        (["-o", str(file.parent / "x.onnx")], "not written as `.onnx`"),
        (["-o", str(file)], "is there already"),
    ]:
        assert main(["weights", str(file), *argv]) == 1
        assert words in capsys.readouterr().err
    assert main(["weights", str(file.parent / "none.pt")]) == 1
