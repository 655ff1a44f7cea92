"""The activation ring against what the vendor's converter accepted and refused."""

from __future__ import annotations

import pytest
from gti_nets import Net, codes, judge

from detc.semantics.program import Target
from detc.targets.facts import Facts
from detc.targets.gti5801.memory import map_bytes, place

MOST = [(448, True, 80), (448, False, 20), (224, True, 368), (224, False, 92), (112, False, 380), (56, False, 1532)]
"""Most output channels of a first layer behind 3 planes, measured on the converter: size, pooled, channels."""


def first_layer(size: int, pooled: bool, channels: int) -> Net:
    net = Net(size).conv(channels)
    return net.pool() if pooled else net


@pytest.mark.parametrize(("size", "pooled", "channels"), MOST)
def test_the_widest_first_layer_is_the_converters(size: int, pooled: bool, channels: int, gti5801: Target) -> None:
    def memory(count: int) -> list[str]:
        errors = codes(judge(first_layer(size, pooled, count), gti5801).findings, "error")
        return [code for code in errors if code == "GTI142"]

    assert "GTI143" not in codes(judge(first_layer(size, pooled, channels // 8 * 8), gti5801).findings)
    # The last layer of a net is padded to 8 channels, so the next step that can fail is 8 further.
    assert memory(channels // 8 * 8) == []
    assert memory(channels // 8 * 8 + 8) == ["GTI142"]


@pytest.mark.parametrize(
    ("size", "into", "out", "fits"),
    [(224, 64, 32, True), (224, 32, 64, True), (224, 64, 64, False), (112, 256, 128, True), (112, 128, 256, True)],
)
def test_pairs_of_widths(size: int, into: int, out: int, fits: bool, gti5801: Target) -> None:
    facts = Facts(gti5801)
    assert (map_bytes(into, size, facts) + map_bytes(out, size, facts) <= 3 * 2**20) is fits


def test_maps_that_fit_by_size_alone_are_a_warning(gti5801: Target) -> None:
    """The second layer reads 1 MiB at block 1 and would write 2 MiB at block 3, beyond the ring's end."""
    judged = judge(Net(224).conv(32).conv(64, 8), gti5801)
    assert codes(judged.findings) == ["GTI143"]


def test_the_remedy_names_the_most_channels_that_fit(gti5801: Target) -> None:
    net = Net(448).conv(64).conv(64).pool()
    finding = next(f for f in judge(net, gti5801).findings if f.code == "GTI142")
    assert "20" in finding.help and "80 with a pool" in finding.help


def test_block_placement_of_gnetdet448_is_the_vendors(gti5801: Target) -> None:
    """Blocks of the first sublayers, in/out: 0/1 1/0 0/1 0/1 3/0 0/1 3/0 (converter's address table)."""
    facts = Facts(gti5801)
    majors = [(448, 3, 64, 1, True), (224, 64, 64, 1, True), (112, 64, 128, 2, True), (56, 128, 256, 3, True),
              (28, 256, 256, 3, True), (14, 256, 256, 3, False), (14, 256, 256, 3, False)]  # fmt: skip
    sizes = []
    for size, channels, width, count, pooled in majors:
        rows = []
        for index in range(count):
            stored = size // 2 if pooled and index == count - 1 else size
            rows.append((map_bytes(width if index else channels, size, facts), map_bytes(width, stored, facts)))
        sizes.append(rows)
    first = [(rows[0].input_block, rows[0].output_block) for rows in place(sizes, facts)]
    assert first == [(0, 1), (1, 0), (0, 1), (0, 1), (3, 0), (0, 1), (3, 0)]
