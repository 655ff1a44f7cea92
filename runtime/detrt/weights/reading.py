"""Weights from files of any origin: our checkpoints, safetensors, torch's .pt, the initialisers of ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from detrt.errors import DetrtError
from detrt.train.checkpoint import read_weights
from detrt.weights.found import Found
from detrt.weights.lava_dl import as_layers, is_lava_dl
from detrt.weights.onnx_file import read_onnx
from detrt.weights.torch_file import read_torch

LARGEST = 2**34
"""Bytes of a file that is read: 4 G values of float32."""
TENSORS = 100_000

READERS: dict[str, Callable[[Path], Found]] = {
    ".safetensors": lambda path: Found.sorted(str(path), read_weights(path)),
    ".pt": read_torch,
    ".pth": read_torch,
    ".onnx": read_onnx,
}


def read_file(path: Path) -> Found:
    """The tensors of a file, by its suffix. Raises DetrtError for what is missing, too large, damaged, of another kind,
    without tensors, or would have to run code to be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DetrtError(f"weights are not read from `{path.suffix}` files", path, f"known: {', '.join(READERS)}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DetrtError(f"the weights cannot be read: {error.strerror}", path) from None
    if not path.is_file() or size > LARGEST:
        problem = "no file" if not path.is_file() else f"larger than {LARGEST // 2**30} GiB"
        raise DetrtError(f"the weights are {problem}", path)
    found = reader(path)
    _check(found.tensors.values(), path)
    return as_layers(found) if is_lava_dl(found) else found


def _check(tensors: object, path: Path) -> None:
    """Raises DetrtError for no tensors, too many, or more values than a file of this size may stand for."""
    listed = [tensor for tensor in tensors if isinstance(tensor, Tensor)]  # type: ignore[attr-defined]
    if not listed:
        raise DetrtError("the file holds no weights", path)
    # Counted by shape: a view may be larger than all that is stored.
    if len(listed) > TENSORS or sum(tensor.numel() for tensor in listed) > LARGEST // 4:
        raise DetrtError(f"the file holds {len(listed)} tensors, more than a net of this world", path)
