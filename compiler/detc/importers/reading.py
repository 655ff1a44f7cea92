"""Files of other tools' networks, by their suffix."""

from __future__ import annotations

from pathlib import Path

from detc.diagnostics import Finding
from detc.importers.foreign import ForeignModel
from detc.importers.unreadable import MOST_BYTES, MOST_OPS, UNREADABLE, Unreadable, short

FORMATS = {".tflite": "TFLite", ".onnx": "ONNX"}


def read_network(path: Path) -> ForeignModel | Finding:
    """The network of a `.tflite` or `.onnx` file; a finding where it is damaged, hostile, too large or not there."""
    suffix = path.suffix.lower()
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Unreadable(
                f"it has {size:,} bytes, at most {MOST_BYTES:,} are read", "no small chip holds such a net"
            )
        if suffix == ".tflite":
            from detc.importers.tflite.reader import read_tflite

            model = read_tflite(path.read_bytes())
        else:
            from detc.importers.onnx.reader import read_onnx

            model = read_onnx(path)
        check_order(model)
    except (Unreadable, OSError) as error:
        reason = str(error) if isinstance(error, Unreadable) else error.strerror or str(error)
        remedy = error.remedy if isinstance(error, Unreadable) else "give the path of a file that can be read"
        return UNREADABLE(None, path=short(str(path)), format=FORMATS[suffix], reason=reason, remedy=remedy)
    return model


def check_order(model: ForeignModel) -> None:
    """Raises Unreadable where an operator reads what is not made before it, or a tensor is made twice."""
    if not model.inputs or not model.outputs:
        raise Unreadable("its graph has no inputs or no outputs")
    if len(model.ops) > MOST_OPS:
        raise Unreadable(f"it has {len(model.ops):,} operators, at most {MOST_OPS:,} are read")
    made = {name for name, tensor in model.tensors.items() if tensor.data is not None} | set(model.inputs) | {""}
    for op in model.ops:
        for name in op.inputs:
            if name not in made:
                raise Unreadable(
                    f"operator {op.kind} reads `{short(name)}` before it is made: the graph has a circle or a gap"
                )
        for name in op.outputs:
            if name and name in made:
                raise Unreadable(f"`{short(name)}` is made twice")
            made.add(name)
    for name in model.outputs:
        if name not in made:
            raise Unreadable(f"output `{short(name)}` is made by nothing")
