"""chip.dat of any legal network reads back whole; of any damaged file, an error that says where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detrt.devices.gti5801.chipdat import block_addresses, decode, encode, file_size, lines
from detrt.devices.gti5801.errors import ArtifactError, NetworkError
from detrt.devices.gti5801.legality import check_network
from detrt.devices.gti5801.network import ChipNetwork, Kind, Major, MajorShape, Sublayer, same_network
from detrt.devices.gti5801.simulator import simulate
from detrt.devices.gti5801.vendor_json import dat_json, network_of, read_dat_json

GNETDET = tuple(
    MajorShape(size, inputs, outputs, bits, ("conv3x3",) * count, pooling)
    for size, inputs, outputs, count, pooling, bits in (
        (448, 3, 64, 1, True, 3),
        (224, 64, 64, 1, True, 3),
        (112, 64, 128, 2, True, 3),
        (56, 128, 256, 3, True, 3),
        (28, 256, 256, 3, True, 3),
        (14, 256, 256, 3, False, 3),
        (14, 256, 256, 3, False, 8),
    )
)
"""The vendor's own network: 448x448, seven major layers."""


def fill(shape: MajorShape, rng: np.random.Generator) -> Major:
    """A major layer of random legal integers, extremes included."""
    layers = []
    for size in shape.weight_shapes():
        if shape.bits == 8:
            weight = rng.integers(-128, 128, size)
        elif shape.bits == 3:
            weight = rng.choice([-4, -2, -1, 0, 1, 2, 4], size) * rng.integers(0, 128, (*size[:2], 1, 1))
        else:
            weight = rng.choice([-1, 1], size) * rng.integers(0, 128, (*size[:2], 1, 1))
        bias = rng.choice([-524287, -1, 0, 1, 524287, int(rng.integers(-(2**19) + 1, 2**19))], size[0])
        layers.append(Sublayer(weight.astype(np.int16), bias.astype(np.int32), int(rng.integers(0, 13))))
    return Major(shape, tuple(layers))


def network(*shapes: MajorShape, sampling: bool = False, seed: int = 0) -> ChipNetwork:
    rng = np.random.default_rng(seed)
    return ChipNetwork(tuple(fill(shape, rng) for shape in shapes), sampling)


@st.composite
def networks(draw: st.DrawFn) -> ChipNetwork:
    """Legal networks with every flag and kind."""
    shapes: list[MajorShape] = []
    size = draw(st.sampled_from([14, 28, 42, 56]))
    width = draw(st.sampled_from([1, 2, 3, 4, 8, 12, 16, 32]))
    count = draw(st.integers(1, 7))
    dump = draw(st.sampled_from(["", "learning", "last_layer_out"]))
    for number in range(count):
        last = number == count - 1
        output = draw(st.sampled_from([8, 16, 24] if last else [4, 8, 12, 16]))
        kinds: list[Kind] = ["conv3x3"] * draw(st.integers(1, 12 if width + output < 24 else 3))
        mode = draw(st.sampled_from(["dense", "dense", "pointwise", "mobile"]))
        if mode == "pointwise" and width % 8 == 0 and output % 8 == 0:
            kinds = ["pointwise"] * draw(st.integers(1, 3))
        elif mode == "mobile" and width % 8 == 0 and output % 8 == 0:
            kinds = draw(st.sampled_from([["depthwise", "pointwise"], ["pointwise", "depthwise", "depthwise"]]))
        dense = kinds[0] == "conv3x3"
        pooling = draw(st.booleans()) and (size in (28, 56) or (size == 14 and last))
        starts: tuple[int, ...] = ()
        if dense and len(kinds) > 2 and width == output:
            parity = draw(st.sampled_from([1, 2]))
            starts = tuple(range(parity, len(kinds) - 1, 2))
        shapes.append(
            MajorShape(
                size,
                width,
                output,
                draw(st.sampled_from([1, 3, 8])) if dense else 8,
                tuple(kinds),
                pooling,
                starts,
                ten_bits=last and len(kinds) == 1 and draw(st.booleans()),
                **({dump: draw(st.booleans())} if dump else {}),
            )
        )
        size, width = size // 2 if pooling else size, output
    if shapes[-1].output_size == 7 and len(shapes) < count:
        shapes = shapes[:1]
    return network(*shapes, sampling=draw(st.booleans()), seed=draw(st.integers(0, 99)))


@given(networks())
@settings(max_examples=60)
def test_every_network_reads_back(made: ChipNetwork) -> None:
    data = encode(made)
    assert len(data) == file_size(made.shapes)
    assert same_network(decode(data), made)
    document = json.loads(json.dumps(dat_json(made)))
    arrays = {}
    for k, (_, _, layer) in enumerate(made.sublayers()):
        arrays |= {f"w{k}": layer.weight / 2.0**layer.shift, f"b{k}": layer.bias / 2.0**layer.shift}
    assert same_network(network_of(*read_dat_json(document), arrays), made)


def test_gnetdet_448_has_the_vendors_size_and_places() -> None:
    assert lines(GNETDET) == 122_400
    assert file_size(GNETDET) == 6_899_348
    assert block_addresses(GNETDET) == [(0, 1), (1, 0), (0, 1), (0, 1), (3, 0), (0, 1), (3, 0)]
    assert file_size((MajorShape(14, 256, 256, 8, ("conv3x3",) * 12),)) == 10_461_332


def test_three_bit_kernels_with_wide_steps() -> None:
    """Only magnitudes of 4 steps: the step itself may need 8 bits, but a quarter of it does not."""
    made = network(MajorShape(14, 4, 8, 3, ("conv3x3",)))
    weight = made.majors[0].sublayers[0].weight.copy()
    weight[0, 0], weight[1, 0], weight[2, 0] = 128, 508, 254
    weight[2, 0, 0] = 508
    layer = replace(made.majors[0].sublayers[0], weight=weight)
    made = ChipNetwork((replace(made.majors[0], sublayers=(layer,)),))
    assert same_network(decode(encode(made)), made)


SMALL = encode(network(MajorShape(28, 3, 16, 3, ("conv3x3",), True), MajorShape(14, 16, 16, 8, ("conv3x3", "conv3x3"))))
USED = 148 + 48 * (4 * 4 // 8 + 2 * 16 * 16 // 4)


@given(st.integers(0, 8 * len(SMALL) - 1))
@settings(max_examples=200)
def test_a_flipped_bit_is_an_error_or_another_weight(bit: int) -> None:
    damaged = bytearray(SMALL)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        back = decode(bytes(damaged), "bad.dat")
    except ArtifactError as error:
        assert "bad.dat" in str(error)
    else:
        assert not same_network(back, decode(SMALL)) and bit // 8 < USED + 48


@pytest.mark.parametrize("length", [0, 1, 147, 148, 5000, len(SMALL) - 1])
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(ArtifactError, match="bytes"):
        decode(SMALL[:length])


def test_a_header_bit_says_where() -> None:
    damaged = bytearray(SMALL)
    damaged[40] ^= 1
    with pytest.raises(ArtifactError, match="byte 40"):
        decode(bytes(damaged))


@given(st.binary(max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        decode(data.ljust(200, b"\xa5"))


GOOD = MajorShape(28, 3, 16, 8, ("conv3x3",), True)
THEN = MajorShape(14, 16, 16, 8, ("conv3x3", "conv3x3", "conv3x3"))
ILLEGAL = {
    "300": (replace(GOOD, image_size=300),),
    "not 2": (replace(GOOD, bits=2),),
    "13 sublayers": (replace(GOOD, kinds=("conv3x3",) * 13),),
    "8 major layers": (replace(THEN),) * 8,
    "5 input channels": (replace(GOOD, input_channels=5),),
    "20 output channels": (replace(GOOD, output_channels=20),),
    "10 output channels": (replace(GOOD, output_channels=10), replace(THEN, input_channels=10)),
    "gives 16 channels of 14": (GOOD, replace(THEN, image_size=28)),
    "takes 32 of 14": (GOOD, replace(THEN, input_channels=32)),
    "activation memory": (MajorShape(224, 64, 64, 8, ("conv3x3",)),),
    "single depthwise": (MajorShape(14, 16, 16, 8, ("depthwise",)),),
    "8-bit coefficients": (MajorShape(14, 16, 16, 3, ("pointwise",)),),
    "multiple of 8 input": (MajorShape(14, 12, 16, 8, ("pointwise",)),),
    "cannot share": (MajorShape(14, 16, 16, 8, ("pointwise", "conv3x3")),),
    "width can change": (MajorShape(14, 16, 32, 8, ("depthwise", "depthwise", "pointwise")),),
    "all odd or all even": (replace(THEN, kinds=("conv3x3",) * 4, shortcuts=(1, 2)),),
    "must rise and lie in": (replace(THEN, shortcuts=(3,)),),
    "shortcut into the last": (replace(THEN, pooling=True, shortcuts=(2,)),),
    "adds 3 channels": (replace(GOOD, kinds=("conv3x3",) * 3, shortcuts=(1,)),),
    "10-bit": (replace(THEN, ten_bits=True),),
    "cannot be mixed": (replace(GOOD, learning=True), replace(THEN, last_layer_out=True)),
    "gives 21": (MajorShape(42, 3, 16, 8, ("conv3x3",), True),),
}


@pytest.mark.parametrize("words", ILLEGAL)
def test_what_the_chip_cannot_run_is_refused(words: str) -> None:
    rng = np.random.default_rng(0)
    shapes = ILLEGAL[words]
    bits = {2: 8}
    majors = tuple(replace(fill(replace(s, bits=bits.get(s.bits, s.bits)), rng), shape=s) for s in shapes)
    with pytest.raises(NetworkError, match=words):
        encode(ChipNetwork(majors))


@pytest.mark.parametrize(
    ("bits", "value", "words"),
    [(8, 128, "weight 128"), (8, -129, "weight -129"), (3, 3, "3-bit"), (1, 3, "magnitude"), (3, 2000, "weight 2000")],
)
def test_integers_that_do_not_fit_are_refused(bits: int, value: int, words: str) -> None:
    made = network(MajorShape(14, 4, 8, bits, ("conv3x3",)))
    layer = made.majors[0].sublayers[0]
    weight = layer.weight.copy()
    weight[0, 0] = 1
    weight[0, 0, 0, 0] = value
    with pytest.raises(NetworkError, match=words):
        check_network(ChipNetwork((replace(made.majors[0], sublayers=(replace(layer, weight=weight),)),)))
    for change in (replace(layer, shift=13), replace(layer, bias=layer.bias * 0 + 2**19)):
        with pytest.raises(NetworkError):
            check_network(ChipNetwork((replace(made.majors[0], sublayers=(change,)),)))


def test_ten_bits_give_steps_of_a_thirty_second() -> None:
    shape = MajorShape(14, 4, 16, 8, ("conv3x3",), ten_bits=True)
    made = network(shape)
    layer = replace(made.majors[0].sublayers[0], shift=12)
    made = ChipNetwork((replace(made.majors[0], sublayers=(layer,)),))
    pixels = np.random.default_rng(1).integers(0, 256, (4, 14, 14), dtype=np.uint8)
    fine = simulate(made, pixels)
    coarse = simulate(ChipNetwork((replace(made.majors[0], shape=replace(shape, ten_bits=False)),)), pixels)
    assert np.array_equal(fine * 32, np.round(fine * 32)) and fine.max() <= 1023 / 32
    assert np.abs(np.minimum(fine, 31) - coarse).max() <= 0.5 + 1 / 64


@pytest.mark.long
@pytest.mark.alone
def test_gnetdet_448_writes_and_runs_in_time(tmp_path: Path) -> None:
    """Export under 3 s and a picture under 2 s, in CPU time of two cores."""
    import time

    made = network(*GNETDET)
    for major in made.majors:
        for layer in major.sublayers:
            layer.bias[:] = 0
    begun = time.process_time()
    data = encode(made)
    assert same_network(decode(data), made)
    assert time.process_time() - begun < 3
    pixels = np.random.default_rng(0).integers(0, 256, (3, 448, 448), dtype=np.uint8)
    begun = time.process_time()
    simulate(made, pixels)
    assert time.process_time() - begun < 4
