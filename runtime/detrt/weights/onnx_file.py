"""The initialisers of an ONNX file, in the order in which the graph uses them and as torch's layers have them."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from detrt.data.root import beneath
from detrt.errors import DetrtError
from detrt.weights.found import Found

LARGEST = 2**31
"""Bytes; protobuf reads no more."""
VALUES = 2**32
_ROLES = {
    "Conv": ("", "weight", "bias"),
    "ConvTranspose": ("", "weight", "bias"),
    "Gemm": ("", "weight", "bias"),
    "MatMul": ("", "weight"),
    "BatchNormalization": ("", "weight", "bias", "running_mean", "running_var"),
}
"""What the inputs of an operator are in torch's words."""


def read_onnx(path: Path) -> Found:
    """The floating initialisers, float32, by name. Matrices that the graph multiplies from the right are turned, as a
    linear layer has them.

    Raises DetrtError without the package onnx, for damaged files, and for external data outside of the file's folder.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise DetrtError("ONNX files are read with the package `onnx`", path, "pip install 'detc[export]'") from None
    if path.stat().st_size > LARGEST:
        raise DetrtError("the file is larger than 2 GiB, which no ONNX file can be", path)
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, RuntimeError, ValueError) as error:
        raise DetrtError(f"the file is no ONNX file, or it is damaged: {str(error)[:120]}", path) from None
    stored = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name}
    uses = _uses(model.graph)
    order = sorted(stored, key=lambda name: uses[name][0] if name in uses else len(uses))
    if sum(_values(stored[name]) for name in order) > VALUES:
        raise DetrtError("the file holds more values than a net of this world", path)
    tensors: dict[str, Tensor] = {}
    roles: dict[str, str] = {}
    for name in order:
        array = _array(stored[name], path)
        if array is None:
            continue
        _, role, turned = uses.get(name, (0, "", False))
        tensors[name] = torch.from_numpy(np.ascontiguousarray(array.T if turned and array.ndim == 2 else array))
        if role:
            roles[name] = role
    return Found(str(path), tensors, True, roles)


def _uses(graph: Any) -> dict[str, tuple[int, str, bool]]:
    """Of each initialiser: when it is used first, as what, and whether it is the transpose of torch's matrix."""
    found: dict[str, tuple[int, str, bool]] = {}
    for node in graph.node:
        roles = _ROLES.get(node.op_type, ())
        for place, name in enumerate(node.input):
            role = roles[place] if place < len(roles) else ""
            kept = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            turned = role == "weight" and (node.op_type == "MatMul" or (node.op_type == "Gemm" and not kept))
            found.setdefault(name, (len(found), role, turned))
    return found


def _values(tensor: Any) -> int:
    return prod(tensor.dims) if all(side >= 0 for side in tensor.dims) else VALUES + 1


def _array(tensor: Any, path: Path) -> Any:
    """float32; None for whole numbers and the like. Raises DetrtError."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE):
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        _take_in(tensor, path)
    try:
        return np.array(numpy_helper.to_array(tensor), np.float32)
    except (ValueError, TypeError, OverflowError, MemoryError, KeyError) as error:
        raise DetrtError(f"the initialiser `{tensor.name[:80]}` is damaged: {str(error)[:120]}", path) from None


def _take_in(tensor: Any, path: Path) -> None:
    """Reads external data into the tensor. Raises DetrtError where they are not in the file's folder."""
    from onnx import TensorProto

    about = {entry.key: entry.value for entry in tensor.external_data}
    name = about.get("location", "")
    file = beneath(path.parent, name)
    if file is None or not file.is_file():
        problem = "leaves the folder of the ONNX file" if file is None else "is not there"
        raise DetrtError(f"the data of `{tensor.name[:80]}` in `{name[:120]}` {problem}", path)
    size = 8 if tensor.data_type == TensorProto.DOUBLE else 4 if tensor.data_type == TensorProto.FLOAT else 2
    wanted = size * _values(tensor)
    try:
        offset, length = int(about.get("offset") or 0), int(about.get("length") or wanted)
    except ValueError:
        offset, length = -1, -1
    if offset < 0 or length != wanted or offset + length > file.stat().st_size:
        raise DetrtError(f"the data of `{tensor.name[:80]}` do not stand in `{name[:120]}` as the file says", path)
    with file.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    tensor.data_location = TensorProto.DEFAULT
