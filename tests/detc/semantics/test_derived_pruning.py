"""Channel pruning of graphs: before and after, in the graph's text form."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from detc.ir.graph import Graph, Node
from detc.ir.op import Problem
from detc.ir.ops.activation import Relu
from detc.ir.ops.combine import Add, Concat
from detc.ir.ops.conv import Conv
from detc.ir.ops.norm import BatchNorm
from detc.ir.ops.source import Input
from detc.ir.text import parse_graph, print_graph
from detc.ir.types import TensorType
from detc.semantics.pruning import Pruned, prune

HALF = Fraction(1, 2)


def halved(text: str, keep: tuple[str, ...] = ()) -> str:
    result = prune(parse_graph(text), HALF, keep)
    assert isinstance(result, Pruned) and not result.held, result
    return print_graph(result.graph)


def test_halves_inner_convs_and_keeps_the_output() -> None:
    before = """graph net
  x = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]
  a = conv(x) {"channels": 16} : f32[16, 8, 8]
  b = bn(a) : f32[16, 8, 8]
  r = relu(b) : f32[16, 8, 8]
  y = conv(r) {"channels": 12} : f32[12, 8, 8]
  output y = y
"""
    assert halved(before) == before.replace('"channels": 16', '"channels": 8').replace("f32[16", "f32[8")


def test_a_sum_ties_its_sides() -> None:
    """`a` and `b` are added, and `b` is kept: so is `a`."""
    text = """graph net
  x = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]
  a = conv(x) {"channels": 16} : f32[16, 8, 8]
  b = conv(x) {"channels": 16} : f32[16, 8, 8]
  s = add(a, b) : f32[16, 8, 8]
  y = conv(s) {"channels": 12} : f32[12, 8, 8]
  output y = y
"""
    assert halved(text, ("b",)) == text
    assert 'a = conv(x) {"channels": 8}' in halved(text)


def test_depthwise_follows_its_input_and_concat_counts_both() -> None:
    text = """graph net
  x = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]
  a = conv(x) {"channels": 16} : f32[16, 8, 8]
  d = conv(a) {"channels": 16, "groups": 16} : f32[16, 8, 8]
  k = conv(x) {"channels": 6} : f32[6, 8, 8]
  c = concat(d, k) : f32[22, 8, 8]
  e = channels(c) {"first": 16, "last": 21} : f32[6, 8, 8]
  y = conv(c) {"channels": 4} : f32[4, 8, 8]
  z = conv(e) {"channels": 4} : f32[4, 8, 8]
  output y = y
  output z = z
"""
    expected = """graph net
  x = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]
  a = conv(x) {"channels": 8} : f32[8, 8, 8]
  d = conv(a) {"channels": 8, "groups": 8} : f32[8, 8, 8]
  k = conv(x) {"channels": 3} : f32[3, 8, 8]
  c = concat(d, k) : f32[11, 8, 8]
  e = channels(c) {"first": 8, "last": 10} : f32[3, 8, 8]
  y = conv(c) {"channels": 4} : f32[4, 8, 8]
  z = conv(e) {"channels": 4} : f32[4, 8, 8]
  output y = y
  output z = z
"""
    assert halved(text) == expected


def test_shared_weights_stay_one_layer() -> None:
    text = """graph net
  x = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]
  a = conv(x) {"channels": 8} : f32[8, 8, 8]
  b = conv(x) {"channels": 8} : f32[8, 8, 8]
  s = conv(a) {"channels": 8} : f32[8, 8, 8]
  t = conv(b) {"channels": 8} module s : f32[8, 8, 8]
  y = concat(s, t) : f32[16, 8, 8]
  z = conv(y) {"channels": 2} : f32[2, 8, 8]
  output z = z
"""
    pruned = prune(parse_graph(text), HALF, ("a",))
    assert isinstance(pruned, Pruned)
    assert {n.name: n.type.channels for n in pruned.graph if n.op.name == "conv"} == {
        "a": 8,
        "b": 8,
        "s": 4,
        "t": 4,
        "z": 2,
    }


@st.composite
def nets(draw: st.DrawFn) -> Graph:
    """Chains and branches of convs, batch norms, sums, concats and depthwise convs over one map size."""
    graph = Graph("net")
    nodes = [graph.add(Node("x", Input((3, 4, 4)), (), TensorType((3, 4, 4), "u8")))]
    for number in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["conv", "bn", "relu", "depthwise", "add", "concat"]))
        source = draw(st.sampled_from(nodes))
        inputs = (source.name,)
        if kind == "add":
            same = [n for n in nodes if n.type.channels == source.type.channels]
            inputs = (source.name, draw(st.sampled_from(same)).name)
        elif kind == "concat":
            inputs = (source.name, draw(st.sampled_from(nodes)).name)
        width = source.type.channels
        op = {
            "conv": Conv(draw(st.integers(1, 9))), "bn": BatchNorm(), "relu": Relu(), "add": Add(), "concat": Concat(),
            "depthwise": Conv(width, groups=width),
        }[kind]  # fmt: skip
        type = op.infer([graph[name].type for name in inputs])
        assert not isinstance(type, Problem)
        nodes.append(graph.add(Node(f"n{number}", op, inputs, type)))
    graph.outputs["y"] = (nodes[-1].name,)
    return graph


@given(nets(), st.fractions(min_value="1/8", max_value=1))
def test_a_pruned_graph_is_a_graph(graph: Graph, share: Fraction) -> None:
    """Every type follows from its op, no layer grows, outputs stay, and pruning by 1 changes nothing."""
    result = prune(graph, share, ())
    assert isinstance(result, Pruned) and not result.held
    narrow = result.graph
    for node in narrow:
        assert node.op.infer(narrow.input_types(node)) == node.type
        assert node.type.channels <= graph[node.name].type.channels
    assert [narrow[n].type for n in narrow.output_nodes] == [graph[n].type for n in graph.output_nodes]
    assert share != 1 or print_graph(narrow) == print_graph(graph)
