"""Models as a whole: spans and calls of nodes, scopes, heads, hosts, params, several models, gates, speed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from elaborating import graph, lines, model, run

from detc.semantics.elaborate import elaborate
from detc.semantics.program import Program

CBR = "block cbr(x, c, k = 3x3, act = relu) = x |> conv(c, k = k) |> act"


def written(program: Program, span: object) -> str:
    """The text under a span of one line."""
    source = program.sources[span.file]  # type: ignore[attr-defined]
    return source.line(span.line)[span.column - 1 : span.end_column - 1]  # type: ignore[attr-defined]


def test_nodes_know_where_they_are_written_and_how_they_were_reached(tmp_path: Path) -> None:
    program = run(
        tmp_path, model("let a = frame |> twice(4)\noutput y = a", CBR + "\nblock twice(x, c) = x |> cbr(c) |> cbr(c)")
    )
    nodes = program.models["m"].graph
    conv = nodes["a.cbr2.conv1"]
    assert written(program, conv.span) == "conv(c, k = k)"
    assert [written(program, call) for call in conv.via] == ["twice(4)", "cbr(c)"]
    assert conv.via[0].line == 5 and conv.via[1].line == 2
    assert written(program, conv.at("k")) == "k = k"
    assert written(program, conv.at("channels")) == "c"
    assert written(program, conv.at("s")) == "conv(c, k = k)"
    relu = nodes["a.cbr2.relu1"]
    assert written(program, relu.span) == "relu", "the parameter's default names the op"
    assert written(program, relu.via[-1]) == "act"


def test_defaults_say_where_they_come_from(tmp_path: Path) -> None:
    program = run(tmp_path, model("output y = frame |> bn", "default bn { eps = 1e-3 }"))
    assert written(program, program.models["m"].graph["y"].at("eps")) == "eps = 1e-3"


def test_scopes_tell_the_structure(tmp_path: Path) -> None:
    body = "let a = frame |> cbr(4, act = silu) * 2\nlet w = a |> conv(2) |> relu\noutput y = [w, w |> cbr(3)]"
    scopes = run(tmp_path, model(body, "## Three in one.\n" + CBR)).models["m"].graph.scopes
    kinds = {path: (scope.kind, scope.children) for path, scope in scopes.items()}
    assert kinds == {
        "": ("model", ("frame", "a", "w", "y")),
        "a": ("repeat", ("a.0", "a.1")),
        "a.0": ("block", ("a.0.conv1", "a.0.silu1")),
        "a.1": ("block", ("a.1.conv1", "a.1.silu1")),
        "w": ("pipeline", ("w.conv1", "w.relu1")),
        "y": ("list", ("y.0",)),
        "y.0": ("block", ("y.0.conv1", "y.0.relu1")),
    }
    block = scopes["a.1"]
    assert block.block == "cbr" and block.doc == "Three in one."
    assert block.params == (("c", 4), ("k", (3, 3)), ("act", "silu"))
    assert block.inputs == ("a.0.silu1",)
    assert block.outputs == (("", "a.1.silu1"),)
    assert scopes[""].outputs == (
        ("frame", "frame"),
        ("a", "a.1.silu1"),
        ("w", "w.relu1"),
        ("y.0", "w.relu1"),
        ("y.1", "y.0.relu1"),
    )


def test_what_a_block_takes_from_around_it_enters_its_scope(tmp_path: Path) -> None:
    body = "let a = frame |> conv(3)\nblock plus(x) = x + a |> relu\noutput y = frame |> plus"
    scope = run(tmp_path, model(body)).models["m"].graph.scopes["y"]
    assert scope.inputs == ("frame", "a")


def test_what_runs_on_the_host_is_marked(tmp_path: Path) -> None:
    program = run(
        tmp_path, model("let a = frame |> conv(4) |> host(conv(3) |> softmax)\noutput y = a |> relu |> host(sigmoid)")
    )
    assert lines(program) == []
    assert program.models["m"].host == {"a.layers1.conv1", "a.layers1.softmax1", "y.sigmoid1"}


def test_a_head_gets_the_grid_of_its_tensor_or_of_the_one_it_names(tmp_path: Path) -> None:
    program = run(tmp_path, model("output y = frame |> conv(15, s = 2)\nhead gnetdet on y { boxes = 1 classes = 10 }"))
    assert program.models["m"].heads[0].options["grid"] == [4, 4]
    body = "let f = frame |> conv(15, s = 2)\noutput y = f |> flatten |> linear(128)\n"
    body += "head yolo_v1 on y { grid = f boxes = 1 classes = 3 }"
    head = run(tmp_path, model(body)).models["m"].heads[0]
    assert (
        head.kind == "yolo_v1"
        and head.on == ("y",)
        and head.options["grid"] == [4, 4]
        and set(head.option_spans) == {"grid", "boxes", "classes"}
    )


def test_params_reach_the_model(tmp_path: Path) -> None:
    text = model("output y = frame |> conv(n) |> act", "param n: int = 4\nparam act = silu")
    assert '"channels": 4' in graph(run(tmp_path, text))
    changed = graph(run(tmp_path, text, {"n": "6", "act": "relu"}))
    assert '"channels": 6' in changed and "y.relu1" in changed


def test_params_are_compared_with_ops_and_words(tmp_path: Path) -> None:
    head = "param act = silu\nparam mode = fast"
    body = "let a = if act == silu then 1 else 2\nlet b = if mode == fast then 3 else 4\noutput y = frame |> conv(a) |> conv(b)"
    text = graph(run(tmp_path, model(body, head)))
    assert '"channels": 1' in text and '"channels": 3' in text
    text = graph(run(tmp_path, model(body, head), {"act": "relu", "mode": "slow"}))
    assert '"channels": 2' in text and '"channels": 4' in text


def test_a_model_may_have_names_of_its_own(tmp_path: Path) -> None:
    text = model("output y = frame |> conv(c)").replace("model m ", "model m(c = 5) ")
    assert '"channels": 5' in graph(run(tmp_path, text))


def test_a_broken_model_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    other = model("output z = frame |> conv(3)").replace("model m", "model n")
    program = run(tmp_path, model("output y = frame |> conw(3)") + other)
    assert list(program.models) == ["n"]
    assert len(program.findings) == 1


def test_a_line_that_does_not_parse_breaks_only_what_it_defines(tmp_path: Path) -> None:
    text = model(
        "let a = frame |> conv(4\nlet b = a |> relu\noutput y = b |> conv(8)\nhead gnetdet on y { boxes = 1 classes = 3 }"
    )
    found = run(tmp_path, text + "let later = unknown_thing\n").findings
    assert [finding.code[:3] for finding in found] == ["SYN", "SEM"]


def test_models_can_be_asked_for_their_size(tmp_path: Path) -> None:
    text = (
        model("output y = frame |> conv(4, k = 1x1)")
        + "let size = m.params\nrequire m.macs == 768\nrequire size == 16\n"
    )
    assert lines(run(tmp_path, text)) == []


SAMPLES = {
    "gnetdet448": (6_525_278, 11_574_097_920),
    "ssdlite_mobilenetv2": (4_450_228, 787_595_056),
}
"""Parameters and MACs of the samples' models, as published."""


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_have_the_published_sizes(name: str, shared: Path) -> None:
    program = elaborate(shared / "language" / f"{name}.det")
    assert [f for f in program.findings if f.level == "error"] == []
    (built,) = program.models.values()
    assert (built.graph.params(), built.graph.macs()) == SAMPLES[name]


def test_the_sample_of_two_models_builds_both(shared: Path) -> None:
    program = elaborate(shared / "language" / "yolov1_pretrain.det")
    assert list(program.models) == ["extraction", "yolov1"]
    assert {finding.code for finding in program.findings} == {"TRN126"}, "its stages name no data, which is a warning"


def test_the_sample_without_its_backbone_has_just_that_finding(shared: Path) -> None:
    assert lines(elaborate(shared / "language" / "st_yolod_pafpn.det")) == [
        "SEM101 30:20 nothing here is called `stresnet`"
    ]


@pytest.mark.alone
def test_five_thousand_layers_take_less_than_a_second(tmp_path: Path) -> None:
    rows = "\n".join(f"let l{n} = l{n - 1} |> cb(8)" for n in range(1, 1667))
    text = model(f"let l0 = frame |> conv(8)\n{rows}\noutput y = l1666", "block cb(x, c) = x |> conv(c) |> bn |> relu")
    run(tmp_path, text)
    before = time.process_time()
    program = elaborate(tmp_path / "spec.det")
    spent = time.process_time() - before
    assert len(program.models["m"].graph) == 5000
    assert spent < 1.5, f"{spent:.2f} s"


def test_blocks_that_nothing_applies_are_looked_at_too(tmp_path: Path) -> None:
    head = """
    block spare(x, c, act = reul) {
      let wide = [f |> conv(c) for f in [x, y]]
      output y = if act == silu then wide[0] else x |> conv(c, pad = same) |> conv(round(0.5, ties = up)) |> unheard
    }
    """
    found = lines(run(tmp_path, model("output y = frame", head)))
    assert [line.split(" | ")[0] for line in found] == [
        "SEM101 1:25 nothing here is called `reul`",
        "SEM101 3:106 nothing here is called `unheard`",
    ]


def test_a_word_that_names_no_op_is_told_where_it_was_given(tmp_path: Path) -> None:
    program = run(tmp_path, model("output y = frame |> act", "param act = silu"), {"act": "relo"})
    assert lines(program) == ["SEM101 1:5 nothing here is called `relo` | did you mean `relu`?"]
    assert program.findings[0].span is not None and program.findings[0].span.file == "--set act"
