"""chip.dat: a header of 37 words, the filter records, zeros to a size that follows from the line count. Little endian.

The layout was measured on the vendor's converter; `encode` writes the same bytes as it does, `decode` reads the network back.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.arithmetic import MAX_SHIFT
from detrt.devices.gti5801.errors import ArtifactError, NetworkError
from detrt.devices.gti5801.legality import MAX_MAJORS, check_network, check_shapes
from detrt.devices.gti5801.network import TILE, ChipNetwork, Kind, Major, MajorShape, Sublayer, ceil4
from detrt.devices.gti5801.records import ENGINES, RECORD, pack, record_count, unpack

HEADER_WORDS = 37
HEADER_BYTES = 4 * HEADER_WORDS
SMALLEST = 5_257_984
TAIL = 1_024_000
BLOCK_UNITS = 256
"""A block of the activation ring is 256 units of 2 KiB."""

INPUT_CODES = {1: 1, 2: 2, 4: 4, 8: 5, 12: 6, 16: 7, 24: 8, 32: 9, 64: 10, 128: 11, 256: 12, 512: 13, 1024: 14}
OUTPUT_CODES = {2: 7, 4: 7, 8: 6, 16: 5, 32: 4, 64: 3, 128: 2}
BITS_FLAGS = {8: 0, 3: 1, 1: 3}


def _fields(*pairs: tuple[int, int]) -> int:
    """(value, lowest bit) pairs as one word."""
    word = 0
    for value, bit in pairs:
        word |= int(value) << bit
    return word


def _bits(word: int, high: int, low: int) -> int:
    return word >> low & ((1 << (high - low + 1)) - 1)


def lines(shapes: tuple[MajorShape, ...]) -> int:
    """48-byte lines of all filter records."""
    return sum(
        record_count(kind, shape.bits, inputs, outputs) // 4
        for shape in shapes
        for kind, (inputs, outputs) in zip(shape.kinds, shape.widths, strict=True)
    )


def file_size(shapes: tuple[MajorShape, ...]) -> int:
    """Bytes of chip.dat. It does not depend on the picture's size."""
    return max(SMALLEST, HEADER_BYTES + 4 * RECORD * lines(shapes) + TAIL)


def block_addresses(shapes: tuple[MajorShape, ...]) -> list[tuple[int, int]]:
    """(input block, output block of the first sublayer) of each major layer, as the vendor places them."""
    block, pairs = 0, []
    for shape in shapes:
        for index, (inputs, _) in enumerate(shape.widths):
            units = ceil4(inputs) * (shape.image_size // TILE) ** 2 / 16
            need = math.ceil(units / BLOCK_UNITS)
            if index == 0:
                out = 0 if need <= block or (block, need) == (1, 4) else block + need
                pairs.append((block, out))
            else:
                out = 0 if block else max(3, need)
            block = out
    return pairs


def _output_code(last: MajorShape) -> int:
    amount = ceil4(last.output_channels) * (last.image_size // TILE) ** 2
    return OUTPUT_CODES.get(amount // 2 if last.pooling else amount, 1)


def _register(network: ChipNetwork) -> int:
    shapes = network.shapes
    fc77 = shapes[-1].pooling and shapes[-1].image_size == TILE
    return _fields(
        (_output_code(shapes[-1]), 0),
        (len(shapes), 5),
        (3, 10),
        (any(s.last_layer_out for s in shapes), 12),
        (fc77, 13),
        (INPUT_CODES.get(shapes[0].input_channels, 0), 16),
        (network.sampling, 31),
    )


def _major_words(major: Major, first: bool, blocks: tuple[int, int]) -> list[int]:
    """word0 .. word4 of one major layer."""
    shape = major.shape
    shifts = [layer.shift for layer in major.sublayers]
    wide = [max(4, shape.input_channels), ceil4(shape.output_channels) * (2 if shape.ten_bits else 1)]
    inputs = wide[0] if first else shape.input_channels
    size = 0xF0 if shape.image_size == 448 else shape.image_size
    return [
        _fields(
            (size, 0), (inputs, 8), (wide[1], 19), (shape.pooling, 30), (shape.learning or shape.last_layer_out, 31)
        ),
        _fields((shifts[0], 0), (len(shifts), 4), (blocks[0], 16), (blocks[1], 27), (BITS_FLAGS[shape.bits], 30)),
        _fields(*((shift, 4 * n) for n, shift in enumerate(shifts[1:9]))),
        _fields(
            *((shift, 4 * n) for n, shift in enumerate(shifts[9:12])),
            *((1, 12 + (start - 1) // 2) for start in shape.shortcuts),
            *((kind == "pointwise", 18 + n) for n, kind in enumerate(shape.kinds)),
            (shape.depth_enable, 30),
        ),
        _fields((shape.ten_bits, 0), (bool(shape.shortcuts) and shape.shortcuts[0] % 2 == 0, 31)),
    ]


def _word_places(major: int) -> list[int]:
    """Indices of word0 .. word4 of major layer 0..6 in the header."""
    if major == MAX_MAJORS - 1:
        return list(range(32, HEADER_WORDS))
    return [2 + 3 * major, 3 + 3 * major, 4 + 3 * major, 20 + major, 26 + major]


def encode(network: ChipNetwork) -> bytes:
    """The bytes of chip.dat. NetworkError if the chip could not run the network as written."""
    check_network(network)
    return _bytes(network)


def _bytes(network: ChipNetwork) -> bytes:
    """`encode` of a network that is known to be legal."""
    shapes = network.shapes
    header = np.zeros(HEADER_WORDS, "<u4")
    header[0], header[1] = 1, _register(network)
    for number, (major, blocks) in enumerate(zip(network.majors, block_addresses(shapes), strict=True)):
        if max(blocks) > 7:
            raise NetworkError([f"major layer {number + 1}: no place in the activation ring for its maps"])
        header[_word_places(number)] = _major_words(major, number == 0, blocks)
    data = np.zeros(file_size(shapes), np.uint8)
    data[:HEADER_BYTES] = header.view(np.uint8)
    at = HEADER_BYTES
    for major, index, layer in network.sublayers():
        records = pack(major.shape.kinds[index], major.shape.bits, layer.weight, layer.bias)
        data[at : at + records.size] = records.reshape(-1)
        at += records.size
    return data.tobytes()


def _read_shape(words: list[int], first_code: int | None, last_layer_out: bool) -> tuple[MajorShape, list[int]]:
    """Shape and shifts of one major layer from its words. `first_code`: the register's input code for the first one."""
    word0, word1, word2, word3, word4 = words
    count = _bits(word1, 7, 4)
    nibbles = [_bits(word1, 3, 0)]
    nibbles += [_bits(word2, 4 * n + 3, 4 * n) for n in range(8)] + [_bits(word3, 4 * n + 3, 4 * n) for n in range(3)]
    size, inputs, outputs = _bits(word0, 7, 0), _bits(word0, 18, 8), _bits(word0, 29, 19)
    if first_code is not None and inputs == 4:
        inputs = {1: 1, 2: 2, 0: 3}.get(first_code, 4)
    bits = {flag: bits for bits, flag in BITS_FLAGS.items()}.get(_bits(word1, 31, 30), 0)
    kinds: list[Kind] = ["conv3x3"] * count
    if _bits(word3, 30, 30):
        kinds = ["pointwise" if _bits(word3, 18 + n, 18 + n) else "depthwise" for n in range(count)]
    even = _bits(word4, 31, 31)
    ten_bits = bool(word4 & 1)
    dumped = bool(_bits(word0, 31, 31))
    shape = MajorShape(
        image_size=448 if size == 0xF0 else size,
        input_channels=inputs,
        output_channels=outputs // 2 if ten_bits else outputs,
        bits=bits,
        kinds=tuple(kinds),
        pooling=bool(_bits(word0, 30, 30)),
        shortcuts=tuple(2 * n + 1 + even for n in range(6) if _bits(word3, 12 + n, 12 + n)),
        ten_bits=ten_bits,
        learning=dumped and not last_layer_out,
        last_layer_out=dumped and last_layer_out,
    )
    return shape, nibbles[:count]


def _read_header(data: bytes, name: str) -> tuple[list[MajorShape], list[list[int]], bool]:
    if len(data) < HEADER_BYTES:
        raise ArtifactError(f"{len(data)} bytes, the header alone has {HEADER_BYTES}", name)
    header = [int(w) for w in np.frombuffer(data, "<u4", HEADER_WORDS)]
    if header[0] != 1:
        raise ArtifactError(f"not a chip.dat of the 5801 (word 0 is {header[0]:#x}, expected 1)", name)
    count = _bits(header[1], 7, 5)
    if count == 0:
        raise ArtifactError("the register at byte 4 names no major layer", name)
    shapes, shifts = [], []
    for number in range(count):
        words = [header[i] for i in _word_places(number)]
        shape, row = _read_shape(
            words, _bits(header[1], 19, 16) if number == 0 else None, bool(_bits(header[1], 12, 12))
        )
        shapes.append(shape)
        shifts.append(row)
    return shapes, shifts, bool(_bits(header[1], 31, 31))


def _without_padding(shape: MajorShape, body: npt.NDArray[np.uint8]) -> MajorShape:
    """The last major layer with its real outputs: up to three planes that fill a group of four have a bias field of 0.

    The header counts such planes, the records tell them apart. `body` ends where the records of the last sublayer do.
    """
    (inputs, outputs), kind = shape.widths[-1], shape.kinds[-1]
    records = body[-RECORD * record_count(kind, shape.bits, inputs, outputs) :]
    fields = records.reshape(ceil4(outputs) // ENGINES, -1, ENGINES, RECORD)[:, -1, :, 9:]
    real = fields.any(axis=2).reshape(-1)
    padding = next((n for n in range(ENGINES) if real[-1 - n]), 0)
    return replace(shape, output_channels=ceil4(outputs) - padding)


def decode(data: bytes, name: str = "chip.dat") -> ChipNetwork:
    """The network in the bytes of a chip.dat.

    ArtifactError, naming the place, if the file is truncated, describes a network that the chip cannot run, or holds a byte that
    the network does not account for.
    """
    shapes, shifts, sampling = _read_header(data, name)
    try:
        check_shapes(shapes)
    except NetworkError as error:
        raise ArtifactError(f"the header is damaged: {error.message}", name) from error
    expected = file_size(tuple(shapes))
    if len(data) != expected:
        raise ArtifactError(f"{len(data):,} bytes, the network in its header needs {expected:,}", name)
    body = np.frombuffer(data, np.uint8)
    end = HEADER_BYTES + 4 * RECORD * lines(tuple(shapes))
    shapes[-1] = _without_padding(shapes[-1], body[:end])
    at, majors = HEADER_BYTES, []
    for number, (shape, row) in enumerate(zip(shapes, shifts, strict=True), start=1):
        layers = []
        if max(row) > MAX_SHIFT:
            raise ArtifactError(f"damaged: major layer {number} has a shift of {max(row)}", name)
        for index, (kind, (inputs, outputs), shift) in enumerate(
            zip(shape.kinds, shape.widths, row, strict=True), start=1
        ):
            end = at + RECORD * record_count(kind, shape.bits, inputs, outputs)
            try:
                weight, bias = unpack(kind, shape.bits, body[at:end].reshape(-1, RECORD), inputs, outputs)
            except ArtifactError as error:
                raise ArtifactError(
                    f"major layer {number}, sublayer {index} at byte {at}: {error.message}", name
                ) from error
            layers.append(Sublayer(weight, bias, shift))
            at = end
        majors.append(Major(shape, tuple(layers)))
    network = ChipNetwork(tuple(majors), sampling)
    _check_every_byte(network, data, name)
    return network


def _check_every_byte(network: ChipNetwork, data: bytes, name: str) -> None:
    """Writing the network again must give the file back: addresses, padding and reserved bits hold no surprise."""
    try:
        again = _bytes(network)
    except NetworkError as error:
        raise ArtifactError(f"damaged: {error.message}", name) from error
    if again != data:
        place = int(np.flatnonzero(np.frombuffer(again, np.uint8) != np.frombuffer(data, np.uint8))[0])
        region = "header" if place < HEADER_BYTES else "filter records"
        raise ArtifactError(f"damaged at byte {place} ({region})", name)
