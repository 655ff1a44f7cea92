"""`.net` files read in a process of their own: over damaged files the HDF5 library can run in circles, or stop the process.

Parent and child speak in one line of JSON, then the numbers of all arrays, 16 bit little endian, in its order.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.errors import ArtifactError, DeviceError
from detrt.devices.loihi2.hdf5 import MOST_BYTES, Problem
from detrt.devices.loihi2.netlayers import NetLayer, Neuron, look_at
from detrt.devices.loihi2.network import Ints

SECONDS = 20
"""Of computing, for one file: a hundred times what the largest one takes."""
PATIENCE = 6
"""How many times as long the clock may run on a busy machine."""
MEMORY = 16 * MOST_BYTES
ARRAYS = ("weight", "bias")
PAIRS = ("shape", "stride", "pad", "dilation")


def look_at_apart(path: Path, seconds: int = SECONDS) -> tuple[list[NetLayer], list[Problem]]:
    """`netlayers.look_at` in another process: a file that makes it stop or run on is an ArtifactError."""
    command = [sys.executable, "-P", "-m", __name__, str(path), str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE * seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ArtifactError("is damaged: reading it comes to no end", path) from error
    if done.returncode:
        raise ArtifactError("is damaged: the HDF5 library does not survive reading it", path)
    head, _, numbers = done.stdout.partition(b"\n")
    said = json.loads(head)
    if "error" in said:
        raise ArtifactError(said["error"], path, said["remedy"])
    stream = BytesIO(numbers)
    layers = [_layer(entry, stream) for entry in said["layers"]]
    return layers, [Problem(**problem) for problem in said["problems"]]


def _layer(entry: dict[str, Any], numbers: BytesIO) -> NetLayer:
    given = dict(entry)
    for key in ARRAYS:
        given[key] = _array(given[key], numbers)
    for key in PAIRS:
        given[key] = tuple(given[key])
    given["neuron"] = given["neuron"] and Neuron(**given["neuron"])
    return NetLayer(**given)


def _array(shape: list[int] | None, numbers: BytesIO) -> Ints | None:
    if shape is None:
        return None
    return np.frombuffer(numbers.read(2 * math.prod(shape)), "<i2").astype(np.int64).reshape(shape)


def _send(layers: list[NetLayer], problems: list[Problem]) -> None:
    arrays = [(layer.weight, layer.bias) for layer in layers]
    plain = [asdict(replace(layer, weight=None, bias=None)) for layer in layers]
    for entry, (weight, bias) in zip(plain, arrays, strict=True):
        entry["weight"], entry["bias"] = (None if x is None else list(x.shape) for x in (weight, bias))
    said = {"layers": plain, "problems": [asdict(problem) for problem in problems]}
    out = sys.stdout.buffer
    out.write(json.dumps(said).encode() + b"\n")
    for array in (array for pair in arrays for array in pair if array is not None):
        out.write(array.astype("<i2").tobytes())
    out.flush()


def _limit(seconds: int) -> None:
    """Holds this process to time and memory, where the system can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(path: str, seconds: str) -> None:
    _limit(int(seconds))
    try:
        _send(*look_at(Path(path)))
    except DeviceError as error:
        print(json.dumps({"error": error.message, "remedy": error.remedy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
