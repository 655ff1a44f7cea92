"""The 12-byte records of chip.dat: weights in bits 0..71, a bias field in bytes 9..11, little endian.

Four records, one for each engine, make a line. A dense record holds 1, 2 or 4 kernels of 3x3 (8, 3, 1 bits) or eight of 1x1;
engine e takes its inputs rotated by e. Writer and reader share the order (`_inputs_of`) and nothing else.
Layout: measured on the vendor's converter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.errors import ArtifactError
from detrt.devices.gti5801.legality import legal_steps
from detrt.devices.gti5801.network import Kind, ceil4

RECORD = 12
ENGINES = 4
BIAS_ZERO = 0x80000
"""Field of a real output whose bias is 0; a padded output has 0 there."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int16]


def kernels_per_record(kind: Kind, bits: int) -> int:
    if kind == "pointwise":
        return 8
    return {8: 1, 3: 2, 1: 4}[bits]


def record_count(kind: Kind, bits: int, inputs: int, outputs: int) -> int:
    """Records of one sublayer."""
    if kind == "depthwise":
        return ceil4(outputs)
    return ceil4(outputs) * (ceil4(inputs) // kernels_per_record(kind, bits))


def _inputs_of(inputs: int) -> npt.NDArray[np.int64]:
    """[engine, q] -> input channel: the order in which each engine reads its kernels."""
    q = np.arange(inputs)
    return q // 4 * 4 + (np.arange(ENGINES)[:, None] - q) % 4


def _bias_fields(bias: npt.NDArray[np.int32], padded: int) -> Bytes:
    """[padded, 3] bytes: 20-bit two's complement; real zeros as BIAS_ZERO, padding as 0."""
    fields = np.zeros(padded, np.uint32)
    fields[: len(bias)] = np.where(bias == 0, BIAS_ZERO, bias & 0xFFFFF)
    return fields.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]


def _bias_values(fields: Bytes) -> npt.NDArray[np.int32]:
    """The reverse for real outputs: [n, 3] bytes -> int32 [n]."""
    value = fields.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], np.int32)
    if (value >> 20).any() or (value == 0).any():
        raise ArtifactError("a bias field is not 20 bits of two's complement")
    return np.where(value == BIAS_ZERO, 0, (value ^ 0x80000) - 0x80000).astype(np.int32)


def _pack_codes(kernels: Ints, bits: int) -> Bytes:
    """[records, p, 9] 3- or 1-bit kernels -> [records, 9] bytes."""
    count, p = kernels.shape[:2]
    planes = np.zeros((count, 72), np.uint8)
    sign = (kernels < 0).reshape(count, -1)
    seven = np.arange(7, dtype=np.int16)
    if bits == 1:
        planes[:, : 9 * p] = sign
        magnitude = np.abs(kernels).max(axis=2)
        planes[:, 36:64] = (magnitude[..., None] >> seven & 1).reshape(count, -1)
    else:
        step = legal_steps(kernels.reshape(-1, 9))[0].reshape(count, p)
        ratio = np.abs(kernels) // step[..., None]
        code = np.where(ratio == 4, 3, ratio).reshape(count, -1)
        planes[:, :18] = code & 1
        planes[:, 18:36] = code >> 1
        planes[:, 36:54] = sign
        planes[:, 54:68] = (step[..., None] >> seven & 1).reshape(count, -1)
    return np.packbits(planes, axis=1, bitorder="little")


def _unpack_codes(data: Bytes, bits: int) -> Ints:
    """[records, 9] bytes -> [records, p, 9] kernels."""
    count, p = len(data), 4 if bits == 1 else 2
    planes = np.unpackbits(data, axis=1, bitorder="little").astype(np.int16)
    seven = (1 << np.arange(7)).astype(np.int16)
    if bits == 1:
        magnitude = planes[:, 36:64].reshape(count, p, 7) @ seven
        return np.asarray((1 - 2 * planes[:, :36].reshape(count, p, 9)) * magnitude[..., None], np.int16)
    code = planes[:, :18] + 2 * planes[:, 18:36]
    sign = 1 - 2 * planes[:, 36:54]
    step = planes[:, 54:68].reshape(count, p, 7) @ seven
    ratio = np.where(code == 3, 4, code) * sign
    return np.asarray(ratio.reshape(count, p, 9) * step[..., None], np.int16)


def pack(kind: Kind, bits: int, weight: Ints, bias: npt.NDArray[np.int32]) -> Bytes:
    """Records [n, 12] of one sublayer: `weight` OIHW integers (I = 1 for depthwise) and `bias` [O], both checked before."""
    outputs, inputs = weight.shape[:2]
    padded = ceil4(outputs)
    fields = _bias_fields(bias, padded)
    if kind == "depthwise":
        records = np.zeros((padded, RECORD), np.uint8)
        records[:outputs, :9] = weight.reshape(outputs, 9).astype(np.int8).view(np.uint8)
        records[:, 9:] = fields
        return records
    p, taps = kernels_per_record(kind, bits), weight.shape[2] * weight.shape[3]
    whole = np.zeros((padded, ceil4(inputs), taps), np.int16)
    whole[:outputs, :inputs] = weight.reshape(outputs, inputs, taps)
    steps = ceil4(inputs) // p
    ordered = whole.reshape(-1, ENGINES, ceil4(inputs), taps)[:, np.arange(ENGINES)[:, None], _inputs_of(ceil4(inputs))]
    kernels = ordered.reshape(-1, ENGINES, steps, p, taps).swapaxes(1, 2)  # output group, step, engine, kernel, tap
    records = np.zeros((*kernels.shape[:3], RECORD), np.uint8)
    if bits == 8:
        flat = kernels.reshape(*kernels.shape[:3], p * taps)
        records[..., : p * taps] = flat.astype(np.int8).view(np.uint8)
    else:
        records[..., :9] = _pack_codes(kernels.reshape(-1, p, taps), bits).reshape(*kernels.shape[:3], 9)
    records[:, -1, :, 9:] = fields.reshape(-1, ENGINES, 3)
    return records.reshape(-1, RECORD)


def unpack(kind: Kind, bits: int, records: Bytes, inputs: int, outputs: int) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Weights OIHW and bias of one sublayer from its [n, 12] records. ArtifactError for bytes that `pack` never writes."""
    if kind == "depthwise":
        weight = records[:outputs, :9].copy().view(np.int8).astype(np.int16)
        return weight.reshape(outputs, 1, 3, 3), _bias_values(records[:outputs, 9:])
    p, side = kernels_per_record(kind, bits), 1 if kind == "pointwise" else 3
    steps, taps = ceil4(inputs) // p, side * side
    grid = records.reshape(-1, steps, ENGINES, RECORD)
    if bits == 8:
        flat = grid[..., : p * taps].copy().view(np.int8).astype(np.int16)
    else:
        flat = _unpack_codes(np.ascontiguousarray(grid[..., :9]).reshape(-1, 9), bits)
    ordered = flat.reshape(-1, steps, ENGINES, p, taps).swapaxes(1, 2).reshape(-1, ENGINES, ceil4(inputs), taps)
    whole = np.empty_like(ordered)
    whole[:, np.arange(ENGINES)[:, None], _inputs_of(ceil4(inputs))] = ordered
    weight = whole.reshape(-1, ceil4(inputs), taps)[:outputs, :inputs]
    bias = _bias_values(grid[:, -1, :, 9:].reshape(-1, 3)[:outputs])
    return np.ascontiguousarray(weight).reshape(outputs, inputs, side, side), bias
