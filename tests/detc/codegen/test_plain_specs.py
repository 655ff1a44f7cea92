"""Models written as plain specs: read again, they are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from detc.codegen.det import Unwritable, det_name, plain_spec
from detc.ir.graph import Graph
from detc.semantics.elaborate import elaborate
from detc.semantics.program import Model
from net_builder import Net
from random_nets import random_spec

LIBRARY = Path(__file__).parents[3] / "specs"


def model_of(path: Path, name: str = "") -> Model:
    program = elaborate(path)
    assert not [f for f in program.findings if f.level == "error"], program.findings
    return program.models[name] if name else next(iter(program.models.values()))


def shape(graph: Graph) -> list[tuple[object, ...]]:
    """All that a graph means: names, ops, edges, types, shared weights."""
    return [
        (n.name, n.op, n.inputs, n.type, n.module if n.op.params(graph.input_types(n)) and not n.owns_weights else "")
        for n in graph
    ]


def same(model: Model, folder: Path) -> str:
    text = plain_spec(model)
    path = folder / "plain.det"
    path.write_text(text, encoding="utf-8")
    again = model_of(path)
    assert shape(again.graph) == shape(model.graph), text
    assert list(again.graph.outputs.items()) == list(model.graph.outputs.items()), text
    assert (again.graph.params(), again.graph.macs()) == (model.graph.params(), model.graph.macs())
    assert [(h.kind, h.on, h.options) for h in again.heads] == [(h.kind, h.on, h.options) for h in model.heads]
    assert again.host == model.host
    assert plain_spec(again) == text or len(plain_spec(again)) <= len(text)
    return text


def seeds(few: int, many: int) -> list[object]:
    """Some always, more where long tests are asked for."""
    return [pytest.param(seed, marks=[pytest.mark.long] if seed >= few else []) for seed in range(many)]


@pytest.mark.parametrize("seed", seeds(12, 80))
def test_random_nets_read_back(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "net.det"
    share = ("0.3", "0.5", "0.8")[seed % 3]
    path.write_text(random_spec(seed) + f"\nmodel small = prune(net, channels = {share})\n", encoding="utf-8")
    same(model_of(path, "net"), tmp_path)
    same(model_of(path, "small"), tmp_path)


FEW = ("nanodet_plus_m", "st_yolodv2milli", "yolo_kp_dual_head")
"""Library specs that are tried always: lists, repetitions, shuffles, neurons."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.stem, marks=[] if path.stem in FEW else [pytest.mark.long])
        for path in sorted(LIBRARY.glob("*.det"))
    ],
)
def test_the_library_reads_back(tmp_path: Path, name: str) -> None:
    same(model_of(LIBRARY / f"{name}.det"), tmp_path)


NASTY = """
block reg(x, c) {
  let relu    = x |> conv(c) |> bn |> ops.relu(cap = 6)
  let conv    = relu |> ops.conv(c)
  output bias = conv |> ops.conv(c, k = 1x1) |> ops.relu
  output masked = conv |> ops.conv(2, bias = false)
}
model net extends detector {
  input frame: u8[3, 16, 16] = camera(order = rgb, mean = 127, std = 128)
  let forward = frame |> conv(4) |> chain(conv(5), relu, reg(6), conv(4) |> leaky(0.2) |> conv(4, pad = valid))
  let conv    = forward |> ops.conv(4)
  let x       = conv |> reg(6)
  let y       = [x.masked |> ops.conv(3), x |> reg(2), conv |> ops.conv(4) |> ops.conv(4)]
  let f       = ops.conv(4) |> bn
  let g       = conv |> f |> f |> relu
  let model   = concat(g, y[1].masked |> upsample(2, mode = bilinear) |> maxpool(2x2)) |> ops.conv(6)
  let wide    = (model + model |> ops.conv(6)) * (model |> avgpool(global = true) |> ops.conv(6, k = 1x1))
  output z    = [y[0], wide |> avgpool(3x3, s = 1, pad = 1) |> ops.conv(2, k = 3x1, s = 2x1, pad = [1, 0])]
  output data = wide |> host(softmax) |> flatten |> linear(4, init = bias(-0.5)) |> reshape([4, 1, 1])
  output same = [x, y[2], y[1]]
}
"""


def test_names_that_hide_words_and_layers_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "net.det"
    path.write_text(NASTY, encoding="utf-8")
    text = same(model_of(path), tmp_path)
    assert text.count("let shared_") == 2


def test_no_spec_is_longer_than_it_need_be(tmp_path: Path) -> None:
    """Blocks that differ in numbers are one block: the plain form of a library spec stays readable."""
    text = same(model_of(LIBRARY / "gnetdet224.det"), tmp_path)
    assert len(text.splitlines()) < 25
    assert "block layer(x, c, weights = masked(3 bits)) = x |> conv(c, weights = weights) |> relu(cap = 31)" in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "net.det"
    hostile = r"a\" } model x extends detector { \\ # \u{202E}b"
    path.write_text(
        f"""model net extends detector {{
  input frame: u8[3, 16, 16]
  output grid = frame |> conv(12)
  head gnetdet on grid {{ boxes = 2  classes = 2  names = ["{hostile}", "two"] }}
}}
""",
        encoding="utf-8",
    )
    model = model_of(path)
    text = same(model, tmp_path)
    assert text.isprintable() is False and all(c.isprintable() or c == "\n" for c in text)
    assert model.heads[0].options["names"][0] == 'a" } model x extends detector { \\ # \u202eb'


def graph_named(*names: str) -> Model:
    net = Net()
    before = "frame"
    for name in names:
        before = net.add(name, "conv", before, channels=4)
    return net.model(y=before)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.conv1", "b.conv1", "a.conv2"), "run into each other"),
        (("a.0", "a.2"), "gaps in its numbers"),
        (("conv-1",), "is no name of the language"),
        (("where",), "is no name of the language"),
        (("a.width", "a.x"), "is no name of the language"),
    ],
)
def test_what_no_spec_gives_is_refused(names: tuple[str, ...], why: str) -> None:
    with pytest.raises(Unwritable, match=why):
        plain_spec(graph_named(*names))


@pytest.mark.parametrize(
    ("name", "taken", "word"),
    [
        ("conv_1", (), "conv_1"),
        ("/backbone/Conv 1", (), "backbone_Conv_1"),
        ("café", (), "cafe"),
        ("7", (), "x7"),
        ("where", (), "where_"),
        ("", ("x",), "x_2"),
    ],
)
def test_any_text_becomes_a_name(name: str, taken: tuple[str, ...], word: str) -> None:
    assert det_name(name, taken) == word
