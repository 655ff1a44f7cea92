"""Each pass: the graph before, the graph expected."""

from detc.ir.text import parse_graph, print_graph
from detc.passes.context import Context
from detc.passes.dead_code import dead_code
from detc.passes.fold_batch_norm import fold_batch_norm
from detc.passes.fuse_activations import fuse_activations
from detc.passes.lifetimes import lifetimes, live_at, peak
from detc.passes.pipeline import FRONT, LOWERING, run, verifying

INPUT = '  frame = input() {"shape": [3, 8, 8]} : u8[3, 8, 8]\n'


def graph_of(body: str) -> str:
    return "graph g\n" + INPUT + body


def test_dead_code_drops_what_no_output_reads_and_says_so() -> None:
    before = graph_of(
        '  a = conv(frame) {"channels": 4} : f32[4, 8, 8]\n'
        '  spare.conv1 = conv(a) {"channels": 4} : f32[4, 8, 8]\n'
        "  spare.relu1 = relu(spare.conv1) : f32[4, 8, 8]\n"
        "  output y = a\n"
    )
    expected = graph_of('  a = conv(frame) {"channels": 4} : f32[4, 8, 8]\n  output y = a\n')
    graph, findings = dead_code(parse_graph(before), Context())
    assert print_graph(graph) == expected
    assert [f.message for f in findings] == ["`spare` is never used: 2 layers and 148 parameters are left out"]


def test_dead_owner_hands_its_weights_on() -> None:
    before = graph_of(
        '  a = conv(frame) {"channels": 4} : f32[4, 8, 8]\n'
        '  b = conv(frame) {"channels": 4} module a : f32[4, 8, 8]\n'
        '  c = conv(frame) {"channels": 4} module a : f32[4, 8, 8]\n'
        "  d = add(b, c) : f32[4, 8, 8]\n"
        "  output y = d\n"
    )
    graph, _ = dead_code(parse_graph(before), Context())
    assert graph["b"].module == "b" and graph["c"].module == "b"
    assert graph.params() == 4 * 3 * 9 + 4


def test_batch_norm_folds_into_the_conv_before_it() -> None:
    before = graph_of(
        '  c = conv(frame) {"channels": 4, "bias": false} : f32[4, 8, 8]\n'
        "  n = bn(c) : f32[4, 8, 8]\n"
        "  r = relu(n) : f32[4, 8, 8]\n"
        "  output y = r\n"
    )
    expected = graph_of(
        '  c = conv(frame) {"channels": 4, "batch_norm": "n"} : f32[4, 8, 8]\n'
        "  r = relu(c) : f32[4, 8, 8]\n"
        "  output y = r\n"
    )
    graph, findings = fold_batch_norm(parse_graph(before), Context())
    assert print_graph(graph) == expected and not findings
    assert graph["c"].absorbed == ("n",)


def test_batch_norm_stays_where_the_conv_is_read_twice() -> None:
    before = graph_of(
        '  c = conv(frame) {"channels": 4} : f32[4, 8, 8]\n'
        "  n = bn(c) : f32[4, 8, 8]\n"
        "  s = add(n, c) : f32[4, 8, 8]\n"
        "  output y = s\n"
    )
    graph, _ = fold_batch_norm(parse_graph(before), Context())
    assert print_graph(graph) == before


def test_activation_fuses_into_its_layer() -> None:
    before = graph_of(
        '  c = conv(frame) {"channels": 4} : f32[4, 8, 8]\n'
        '  r = relu(c) {"cap": 31} : f32[4, 8, 8]\n'
        "  s = softmax(r) : f32[4, 8, 8]\n"
        "  output y = s\n"
    )
    expected = graph_of(
        '  c = conv(frame) {"channels": 4, "activation": ["relu", 31]} : f32[4, 8, 8]\n'
        "  s = softmax(c) : f32[4, 8, 8]\n"
        "  output y = s\n"
    )
    graph, _ = fuse_activations(parse_graph(before), Context())
    assert print_graph(graph) == expected


def test_kept_nodes_stay_apart() -> None:
    before = graph_of(
        '  c = conv(frame) {"channels": 4} : f32[4, 8, 8]\n  r = relu(c) : f32[4, 8, 8]\n  output y = r\n'
    )
    graph, _ = fuse_activations(parse_graph(before), Context(keep=frozenset({"r"})))
    assert print_graph(graph) == before


def test_the_pipeline_verifies_each_step() -> None:
    seen = []
    graph = parse_graph(
        graph_of(
            '  c = conv(frame) {"channels": 4, "bias": false} : f32[4, 8, 8]\n'
            "  n = bn(c) : f32[4, 8, 8]\n"
            "  r = relu(n) : f32[4, 8, 8]\n"
            "  output y = r\n"
        )
    )

    def watch(name: str, step: object) -> None:
        seen.append(name)
        verifying(name, step)  # type: ignore[arg-type]

    lowered, _ = run(graph, FRONT + LOWERING, Context(), between=watch)
    assert seen == ["dead_code", "fold_batch_norm", "fuse_activations"]
    assert [n.name for n in lowered] == ["frame", "c"]
    assert lowered["c"].absorbed == ("n", "r")


def test_lifetimes_of_a_branch() -> None:
    graph = parse_graph(
        graph_of(
            '  a = conv(frame) {"channels": 4} : f32[4, 8, 8]\n'
            '  b = conv(a) {"channels": 4} : f32[4, 8, 8]\n'
            "  s = add(a, b) : f32[4, 8, 8]\n"
            "  output y = s\n"
        )
    )
    lives = lifetimes(graph, dtype="i8")
    assert [(x.name, x.first, x.last, x.bytes) for x in lives] == [
        ("frame", 0, 1, 192),
        ("a", 1, 3, 256),
        ("b", 2, 3, 256),
        ("s", 3, 3, 256),
    ]
    assert {x.name for x in live_at(3, lives)} == {"a", "b", "s"}
    assert peak(lives) == (3, 768)
