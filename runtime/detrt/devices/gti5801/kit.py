"""For users of the vendor's kit: dat.json and raw tensors in, chip.dat or the chip's answer out."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detrt.devices.artifacts_folder import read_json
from detrt.devices.gti5801.chipdat import encode
from detrt.devices.gti5801.errors import ArtifactError
from detrt.devices.gti5801.files import write_bytes
from detrt.devices.gti5801.network import ChipNetwork
from detrt.devices.gti5801.simulator import simulate
from detrt.devices.gti5801.vendor_json import network_of, read_dat_json, tensor_shapes
from detrt.devices.npz import Shape, read_arrays


def _spellings(name: str, shape: Shape) -> tuple[Shape, ...]:
    """Shapes of one tensor that mean the same in C order: flat, depthwise also [1, C, 3, 3] and [C, 3, 3], 1x1 also [O, I]."""
    if not name.startswith("w"):
        return (shape,)
    outputs, inputs, side, _ = shape
    flat = (math.prod(shape),)
    if side == 1:
        return (shape, flat, (outputs, inputs))
    return (shape, flat, (1, outputs, 3, 3), (outputs, 3, 3)) if inputs == 1 else (shape, flat)


def load(description: Path, tensors: Path, with_input: bool) -> tuple[ChipNetwork, npt.NDArray[np.uint8] | None]:
    """The network of NET.dat.json and NET.npz, and its `input` if asked for; refused unless the chip runs it as written."""
    shapes, shifts, sampling = read_dat_json(read_json(description))
    wanted = {name: _spellings(name, shape) for name, shape in tensor_shapes(shapes).items()}
    if not with_input:
        del wanted["input"]
    arrays = read_arrays(tensors, wanted)
    pixels = arrays.pop("input", None)
    if pixels is not None and pixels.dtype != np.uint8:
        raise ArtifactError(f"`input` holds {pixels.dtype}, expected uint8", tensors)
    return network_of(shapes, shifts, sampling, arrays), pixels


def pack_files(description: Path, tensors: Path, out: Path) -> int:
    """Writes chip.dat to `out`, whole or not at all; gives its size in bytes."""
    network, _ = load(description, tensors, with_input=False)
    data = encode(network)
    write_bytes(out, data)
    return len(data)


def simulate_files(description: Path, tensors: Path, out: Path) -> tuple[int, ...]:
    """Runs the integer model on `input` and writes the answer (float32 [C, S, S]) as .npy; gives its shape."""
    network, pixels = load(description, tensors, with_input=True)
    assert pixels is not None
    answer = simulate(network, pixels)
    buffer = io.BytesIO()
    np.save(buffer, answer, allow_pickle=False)
    write_bytes(out, buffer.getvalue())
    return answer.shape
