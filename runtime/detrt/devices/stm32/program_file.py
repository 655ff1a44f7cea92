"""A program in two files: `program.json` (the steps) and `program.npz` (their arrays), read as if a stranger had sent them."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.errors import ArtifactError
from detrt.devices.npz import read_arrays
from detrt.devices.stm32.arithmetic import Quant, Rescale
from detrt.devices.stm32.checking import check_program
from detrt.devices.stm32.program import (
    Add,
    AveragePool,
    Channels,
    Concat,
    Conv,
    Dense,
    Depthwise,
    MaxPool,
    Mul,
    Pad,
    Program,
    Reorder,
    Resize,
    Shuffle,
    SpaceToDepth,
    Step,
    Table,
    Tensor,
)
from detrt.files import write_bytes, write_json

JSON, ARRAYS = "program.json", "program.npz"
SCHEMA = 1
LARGEST_JSON = 16 << 20
MOST_STEPS, MOST_BYTES = 20_000, 1 << 29
"""Far above any microcontroller's net, low enough for a host."""

KINDS: tuple[type[Step], ...] = (
    Conv, Depthwise, Dense, MaxPool, AveragePool, Add, Mul, Concat, Table, Resize, Channels, Shuffle, SpaceToDepth, Pad, Reorder,
)  # fmt: skip
Arrays = dict[str, npt.NDArray[Any]]


def word(kind: type[Step]) -> str:
    """The name of a kernel in plans and files: `max_pool` for MaxPool."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


WORDS = {word(kind): kind for kind in KINDS}


def save_program(program: Program, folder: Path) -> None:
    """Writes both files into `folder`, each whole or not at all. DetrtError if they cannot be written."""
    arrays: Arrays = {}
    steps = [_written(number, step, arrays) for number, step in enumerate(program.steps)]
    tensors = {name: {"shape": list(t.shape), **_quant(t.quant)} for name, t in program.tensors.items()}
    buffer = io.BytesIO()
    # Whole numbers alone, so nothing is pickled; older numpy would take `allow_pickle` for an array of that name.
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(folder / ARRAYS, buffer.getvalue())
    outputs = {name: list(given) for name, given in program.outputs.items()}
    content = {"schema": SCHEMA, "name": program.name, "input": program.input, "outputs": outputs}
    write_json(folder / JSON, {**content, "aliases": dict(program.aliases), "tensors": tensors, "steps": steps})


def load_program(folder: Path) -> Program:
    """The program in `folder`. ArtifactError if a file is missing, damaged, or holds a program that is not fit to run."""
    place = folder / JSON
    content = _read_json(place)
    try:
        program = _Reader(content, folder / ARRAYS).program()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"is no program of schema {SCHEMA}: {error}", place, "export again") from error
    if problems := check_program(program):
        raise ArtifactError("; ".join(problems[:5]), place, "export again")
    return program


def same_program(one: Program, other: Program) -> bool:
    """True if both have the same steps, numbers and names."""
    if (one.name, one.input, one.tensors, dict(one.aliases)) != (
        other.name, other.input, other.tensors, dict(other.aliases)
    ) or dict(one.outputs) != dict(other.outputs) or len(one.steps) != len(other.steps):  # fmt: skip
        return False
    for a, b in zip(one.steps, other.steps, strict=True):
        arrays: tuple[Arrays, Arrays] = ({}, {})
        if _written(0, a, arrays[0]) != _written(0, b, arrays[1]) or arrays[0].keys() != arrays[1].keys():
            return False
        if any(
            x.dtype != y.dtype or not np.array_equal(x, y) for x, y in zip(*(v.values() for v in arrays), strict=True)
        ):
            return False
    return True


def _quant(quant: Quant) -> dict[str, Any]:
    return {"scale": quant.scale, "zero": quant.zero}


def _written(number: int, step: Step, arrays: Arrays) -> dict[str, Any]:
    """A step in plain values; its arrays go into `arrays`, where it names them with their shapes."""

    def plain(key: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays[f"{number}.{key}"] = value
            return {"array": f"{number}.{key}", "shape": list(value.shape)}
        if isinstance(value, Rescale):
            return {part: plain(f"{key}.{part}", getattr(value, part)) for part in ("multiplier", "left", "right")}
        if isinstance(value, Quant):
            return _quant(value)
        if isinstance(value, tuple):
            return [plain(f"{key}.{place}", item) for place, item in enumerate(value)]
        return value

    fields = {f.name: plain(f.name, getattr(step, f.name)) for f in dataclasses.fields(step)}
    return {"kernel": word(type(step)), **fields}


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ArtifactError(f"{path.stat().st_size:,} bytes are no description of a network", path)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"cannot be read: {error.strerror or error}", path) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"not JSON: {error}", path) from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
        raise ValueError(f"{str(value)[:40]!r} is no name")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) >= 2**31:
        raise ValueError(f"{str(value)[:40]} is no whole number of 32 bits")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{str(value)[:40]} is neither true nor false")
    return value


def _listed(value: Any, item: Callable[[Any], Any], length: int | None = None) -> tuple[Any, ...]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise ValueError(f"{str(value)[:40]} is no list" + (f" of {length}" if length is not None else ""))
    return tuple(item(v) for v in value)


def _read_quant(value: Any) -> Quant:
    scale = value["scale"]
    if not isinstance(scale, int | float):
        raise ValueError(f"{str(scale)[:40]} is no scale")
    return Quant(float(scale), _whole(value["zero"]))


def _pair(value: Any) -> Any:
    return _listed(value, _whole, 2)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("name", "output", "where"), _text),
    **dict.fromkeys(("groups", "low", "high", "shift", "first", "count", "every", "block"), _whole),
    **dict.fromkeys(("k", "stride", "dilation", "multipliers", "factor"), _pair),
    "pad": lambda value: _listed(value, _whole, 4),
    "inputs": lambda value: _listed(value, _text),
    "bilinear": _flag,
    "order": lambda value: _listed(value, _pair),
    "axes": lambda value: _listed(value, _whole),
    "before": lambda value: None if value is None else _read_quant(value),
}
_TYPES = {"weight": np.int8, "bias": np.int32, "table": np.int8, "tables": np.int8, "rescale": np.int32}


class _Reader:
    """Reads the arrays that the steps name, no other and no larger ones, then the steps."""

    def __init__(self, content: Any, path: Path) -> None:
        if not isinstance(content, dict) or content["schema"] != SCHEMA:
            raise ValueError("another schema, or none")
        if not isinstance(content["steps"], list) or len(content["steps"]) > MOST_STEPS:
            raise ValueError("no list of steps")
        self.content = content
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._find(content["steps"])
        total = sum(8 + 4 * int(np.prod([max(1, n) for n in shape], dtype=object)) for shape in self.shapes.values())
        if total > MOST_BYTES:
            raise ValueError(f"{total:,} bytes of arrays")
        self.arrays = read_arrays(path, {key: (shape,) for key, shape in self.shapes.items()})

    def _find(self, steps: list[Any]) -> None:
        for step in steps:
            waiting = [value for key, value in step.items() if key in _TYPES]
            while waiting:
                value = waiting.pop()
                if isinstance(value, list):
                    waiting += value
                elif isinstance(value, dict) and "array" not in value:
                    waiting += value.values()
                elif value is not None:
                    self.shapes[_text(value["array"])] = _listed(value["shape"], _whole)

    def _array(self, value: Any, kind: type[Any]) -> Any:
        found = self.arrays[value["array"]]
        if found.dtype != kind:
            raise ValueError(f"`{value['array']}` holds {found.dtype}, not {np.dtype(kind)}")
        return found

    def _value(self, key: str, value: Any) -> Any:
        if key not in _TYPES:
            return _PLAIN[key](value)
        if value is None and key == "table":
            return None
        if key == "tables":
            return _listed(value, lambda table: None if table is None else self._array(table, np.int8))
        if key == "rescale":
            return Rescale(*(self._array(value[part], np.int32) for part in ("multiplier", "left", "right")))
        return self._array(value, _TYPES[key])

    def _step(self, entry: Mapping[str, Any]) -> Step:
        kind = WORDS[_text(entry["kernel"])]
        return kind(**{f.name: self._value(f.name, entry[f.name]) for f in dataclasses.fields(kind)})

    def program(self) -> Program:
        content = self.content
        tensors = {
            _text(name): Tensor(name, _listed(t["shape"], _whole), _read_quant(t))
            for name, t in content["tensors"].items()
        }
        outputs = {_text(name): _listed(given, _text) for name, given in content["outputs"].items()}
        aliases = {_text(name): _text(other) for name, other in content["aliases"].items()}
        steps = tuple(self._step(entry) for entry in content["steps"])
        return Program(_text(content["name"]), tensors, steps, _text(content["input"]), outputs, aliases)
