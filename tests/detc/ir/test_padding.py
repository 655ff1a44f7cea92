"""Padding that differs by side: `same_upper` and lists of four in the graph, in torch, and back as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from detc.codegen.det import plain_spec
from detc.ir.op import Problem
from detc.ir.ops import OPS
from detc.ir.types import TensorType
from detc.semantics.program import Model
from generated_nets import compiled, generated
from net_builder import Net


def net(size: tuple[int, int], **given: object) -> Model:
    """A net of one convolution of three channels into two."""
    made = Net(shape=(3, *size))
    return made.model(y=made.add("layer", "conv", "frame", channels=2, **given))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("s", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_upper_is_what_keras_calls_same(k: int, s: int, dilation: int) -> None:
    """A value for every stride begun; what windows need beside the map lies half before it, an odd one behind it."""
    torch = pytest.importorskip("torch")
    size = (8, 11)
    model = net(size, k=(k, k), s=(s, s), dilation=(dilation, dilation), pad="same_upper")
    made = model.graph["layer"].type
    assert made.shape == (2, -(-size[0] // s), -(-size[1] // s))
    total = [max(0, (-(-n // s) - 1) * s + dilation * (k - 1) + 1 - n) for n in size]
    top, left = total[0] // 2, total[1] // 2
    assert model.graph["layer"].op.sides == (top, left, total[0] - top, total[1] - left)  # type: ignore[attr-defined]
    module, x = generated(model)(), torch.randn(1, 3, *size)
    wide = torch.nn.functional.pad(x, (left, total[1] - left, top, total[0] - top))
    state = module.state_dict()
    assert sorted(state) == ["layer.bias", "layer.weight"]
    conv = torch.nn.functional.conv2d(wide, state["layer.weight"], state["layer.bias"], s, 0, dilation)
    torch.testing.assert_close(module(x), conv)


def test_four_sides_are_read_counted_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "net.det"
    path.write_text(
        "model m extends detector {\n  input x: u8[3, 9, 12]\n"
        "  let a = x |> conv(8, s = 2, pad = [0, 1, 1, 3]) |> maxpool(3x3, s = 2, pad = same_upper)\n"
        "  output y = a |> pad([2, 0, 0, 1]) |> conv(4, pad = valid)\n}\n"
    )
    model = compiled(path)
    shapes = [node.type.shape for node in model.graph if node.op.name != "input"]
    assert shapes == [(8, 4, 7), (8, 2, 4), (8, 4, 5), (4, 2, 3)]
    assert (model.graph.params(), model.graph.macs()) == (8 * 28 + 4 * 73, 8 * 28 * 27 + 4 * 6 * 72)
    again = tmp_path / "again.det"
    again.write_text(plain_spec(model))
    assert [node.op for node in compiled(again).graph] == [node.op for node in model.graph]
    assert "pad = [0, 1, 1, 3]" in again.read_text() and "pad([2, 0, 0, 1])" in again.read_text()


def test_padding_that_no_layer_has_is_a_finding() -> None:
    x = TensorType((3, 8, 8))
    defaults = {a.name: a.default for a in OPS["conv"].arguments if not a.required} | {"channels": 2}
    assert isinstance(OPS["conv"].make([x], defaults | {"pad": (1, 1, 0, 0)}), Problem)
    made = OPS["conv"].make([x], defaults | {"pad": (0, 0, 1, 1), "weight_norm": True})
    assert not isinstance(made, Problem) and isinstance(made.infer([x]), Problem)
    pool = {a.name: a.default for a in OPS["avgpool"].arguments}
    assert isinstance(OPS["avgpool"].make([x], pool | {"pad": "same_upper"}), Problem)
    for sides in ("same", (0, -1, 0, 0)):
        pad = OPS["pad"].make([x], {"sides": sides})
        assert isinstance(pad if isinstance(pad, Problem) else pad.infer([x]), Problem)
