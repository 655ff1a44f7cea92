"""Pools against torch and against a plain loop: windows, strides, both roundings, and padding on one side."""

from __future__ import annotations

from typing import Any

import pytest

from detc.ir.text import parse_graph, print_graph
from detc.semantics.program import Model
from generated_nets import generated
from net_builder import Net


def pool(size: tuple[int, int], k: tuple[int, int], s: int, **given: Any) -> Model:
    """A net of one pool."""
    net = Net(shape=(2, *size))
    return net.model(y=net.add("pool", "maxpool", "frame", k=k, s=(s, s), **given))


@pytest.mark.parametrize("k", [(1, 1), (2, 2), (3, 3), (4, 4), (2, 3), (5, 2)])
@pytest.mark.parametrize("s", [1, 2, 3])
def test_same(k: tuple[int, int], s: int) -> None:
    """A value for every stride begun; of what a window needs beside the map half lies before it, an odd one behind it."""
    torch = pytest.importorskip("torch")
    for size in ((5, 8), (7, 6), (13, 13)):
        model = pool(size, k, s, pad="same")
        made = model.graph["pool"].type
        assert made.shape == (2, -(-size[0] // s), -(-size[1] // s))
        x = torch.randn(2, *size) - 10
        expected = torch.empty(made.shape)
        for i in range(made.height):
            for j in range(made.width):
                top, left = i * s - (k[0] - 1) // 2, j * s - (k[1] - 1) // 2
                window = x[:, max(top, 0) : top + k[0], max(left, 0) : left + k[1]]
                expected[:, i, j] = window.amax((1, 2))
        assert torch.equal(generated(model)()(x[None])[0], expected)


@pytest.mark.parametrize("ceil", [False, True])
def test_sizes_are_those_of_torch(ceil: bool) -> None:
    torch = pytest.importorskip("torch")
    for n in range(3, 12):
        for k, s, pad in ((2, 2, 0), (3, 2, 1), (3, 3, 0), (2, 1, 1), (3, 1, 1)):
            model = pool((n, n + 1), (k, k), s, pad=pad, ceil=ceil)
            x = torch.rand(1, 2, n, n + 1)
            own = torch.nn.MaxPool2d(k, s, pad, ceil_mode=ceil)(x)
            assert model.graph["pool"].type.shape == tuple(own.shape[1:])
            assert torch.equal(generated(model)()(x), own)


def test_a_padded_pool_costs_nothing_and_reads_back() -> None:
    graph = pool((13, 13), (2, 2), 1, pad="same", ceil=True).graph
    assert (graph.params(), graph.macs()) == (0, 0)
    text = print_graph(graph)
    assert 'pool = maxpool(frame) {"stride": [1, 1], "end": [1, 1]} : f32[2, 13, 13]' in text
    assert print_graph(parse_graph(text)) == text
