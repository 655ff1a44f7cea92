"""The text form of a graph reads back as the same graph."""

import pytest

from detc.ir.graph import Graph, Node
from detc.ir.ops import OPS
from detc.ir.text import parse_graph, print_graph
from detc.ir.verify import GraphError, complaints, verify

TEXT = """\
graph tiny
  frame = input() {"shape": [3, 16, 16], "order": "rgb"} : u8[3, 16, 16]
  stem.conv1 = conv(frame) {"channels": 8, "bias": false, "weights": ["masked", 3]} : f32[8, 16, 16]
  stem.bn1 = bn(stem.conv1) {"eps": 0.001} : f32[8, 16, 16]
  stem.relu1 = relu(stem.bn1) : f32[8, 16, 16]
  twin.conv1 = conv(frame) {"channels": 8, "bias": false, "weights": ["masked", 3]} module stem.conv1 : f32[8, 16, 16]
  join.concat1 = concat(stem.relu1, twin.conv1) : f32[16, 16, 16]
  pool = maxpool(join.concat1) : f32[16, 8, 8]
  flat = flatten(pool) : f32[1024]
  head = linear(flat) {"features": 10} : f32[10]
  output grid = pool
  output all = flat, head
"""


def test_text_round_trips() -> None:
    graph = parse_graph(TEXT)
    assert print_graph(graph) == TEXT
    assert not list(complaints(graph))


def test_counts_of_the_text() -> None:
    graph = parse_graph(TEXT)
    assert graph.params() == 3 * 8 * 9 + 2 * 8 + 1024 * 10 + 10, "shared weights count once"
    assert graph.macs() == 2 * (16 * 16 * 8 * 3 * 9) + 1024 * 10, "shared layers multiply at each use"


@pytest.mark.parametrize(
    ("line", "replacement", "complaint"),
    [
        ("f32[8, 16, 16]", "f32[8, 16, 15]", "its op infers f32[8, 16, 16]"),
        ("bn(stem.conv1)", "bn(stem.relu1)", "before it is made"),
        ("module stem.conv1", "module stem.bn1", "shares the weights of stem.bn1"),
        ("output grid = pool", "output grid = pond", "which is not there"),
        ("concat(stem.relu1, twin.conv1)", "add(stem.relu1)", "takes 2"),
    ],
)
def test_verifier_sees_what_is_broken(line: str, replacement: str, complaint: str) -> None:
    text = TEXT.replace(line, replacement, 1)
    graph = Graph("broken")
    for written in text.splitlines()[1:]:
        one = parse_graph_line(written)
        if isinstance(one, Node):
            graph._nodes[one.name] = one
        else:
            graph.outputs.update(one)
    with pytest.raises(GraphError, match=r"."):
        verify(graph, after="test")
    assert any(complaint in c for c in complaints(graph)), list(complaints(graph))


def parse_graph_line(line: str) -> Node | dict[str, tuple[str, ...]]:
    from detc.ir.text import _OUTPUT, _parse_node

    output = _OUTPUT.match(line)
    return {output["name"]: (output["nodes"],)} if output else _parse_node(line)


def test_unreadable_text_names_its_line() -> None:
    with pytest.raises(ValueError, match="line 3"):
        parse_graph("graph g\n  x = input() : u8[3, 4, 4]\n  y = nonsense(x) : f32[1]\n")


def test_every_op_prints_its_defaults_away() -> None:
    for name, op in OPS.items():
        assert op.name == name
        assert op.__doc__, f"{name} says nothing of itself"
