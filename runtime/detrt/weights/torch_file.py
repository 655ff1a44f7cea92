"""State dicts as torch.save writes them; nothing in the file is run."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from detrt.errors import DetrtError
from detrt.weights.found import Found

UNPACKED = 2**34
PARTS = 200_000
INSIDE = ("ema", "state_dict", "model", "module")
"""Where a training's checkpoint keeps its weights, the averaged ones first."""
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_BROKEN = (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError,
           OverflowError, MemoryError, OSError, RecursionError, struct.error, NotImplementedError, ImportError)  # fmt: skip
"""What torch raises for files that are not as it wrote them."""


def read_torch(path: Path) -> Found:
    """The tensors of a state dict, plain or under one of INSIDE. Raises DetrtError."""
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(str(error), path) from None
    except _BROKEN as error:
        if "weights_only" in str(error):
            raise _refusal(str(error), path) from None
        raise DetrtError(f"the file is damaged or was not written by torch.save: {_first(str(error))}", path) from None
    tensors, place = _state_of(content)
    if not tensors:
        remedy = "save the weights: torch.save(model.state_dict(), 'weights.pt')"
        raise DetrtError(f"the file holds {type(content).__name__} without named tensors", path, remedy)
    return Found(str(path), tensors, ordered=True, about={"inside": place} if place else {})


def _check_archive(path: Path) -> None:
    """torch stores its archives uncompressed; a compressed one could unpack to any size."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise DetrtError(f"the file is damaged: {_first(str(error))}", path) from None
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise DetrtError("the file is a compressed archive, which torch.save does not write", path)
    if len(entries) > PARTS or sum(entry.file_size for entry in entries) > UNPACKED:
        raise DetrtError(f"the file unpacks to more than {UNPACKED // 2**30} GiB", path)


def _refusal(text: str, path: Path) -> DetrtError:
    """For what the restricted reader of torch does not take."""
    named = _GLOBAL.search(text)
    if named is None and "call reduce" not in text:
        return DetrtError(f"the file is damaged or was not written by torch.save: {_first(text)}", path)
    what = f" ({named[1]})" if named else ""
    return DetrtError(
        f"the file holds Python objects{what}, and reading them would run code",
        path,
        "where you trust it, save the weights alone: torch.save(model.state_dict(), 'weights.pt')",
    )


def _state_of(content: Any, depth: int = 0) -> tuple[dict[str, Tensor], str]:
    """The named tensors of what a file holds, and the keys under which they stood."""
    if not isinstance(content, Mapping) or depth > 3:
        return {}, ""
    own = {
        name: value.detach()
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor) and _plain(value)
    }
    if own:
        return own, ""
    for key in INSIDE:
        inner, place = _state_of(content.get(key), depth + 1)
        if inner:
            return inner, f"{key}.{place}" if place else key
    return {}, ""


def _plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"


def _first(text: str) -> str:
    return (text.strip().splitlines() or ["it ends too early"])[0][:160]
