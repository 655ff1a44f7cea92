"""Neurons, weight norm, unpooling and space to depth: shapes, counts, spellings, and their way through text and lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detc.codegen.det.spec import plain_spec
from detc.compilation import compile_spec
from detc.ir.op import Op, Problem
from detc.ir.ops.combine import SpaceToDepth
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.neuron import Cuba, Encode, Sigma, SigmaDelta, Unpool
from detc.ir.text import parse_graph, print_graph
from detc.ir.types import TensorType
from detc.semantics.elaborate import elaborate
from detc.semantics.lock import lock_of, program_graph_from_lock

MAP = TensorType((4, 6, 8))
OPS: list[tuple[Op, tuple[int, ...], int, str]] = [
    (Encode(), (4, 6, 8), 2, "DeltaEncoder"),
    (SigmaDelta(activation="relu", norm="mean_only_batch"), (4, 6, 8), 2, "SigmaDelta"),
    (SigmaDelta(shared=False), (4, 6, 8), 5, "SigmaDelta"),
    (SigmaDelta(trainable=True, message=24, delay=3), (4, 6, 8), 2, "SigmaDelta"),
    (Cuba(), (4, 6, 8), 2, "Cuba"),
    (Cuba(shared=False), (4, 6, 8), 8, "Cuba"),
    (Sigma(), (4, 6, 8), 0, "Sigma"),
    (Unpool(), (4, 12, 16), 5, "Unpool"),
    (Unpool((3, 1)), (4, 18, 8), 4, "Unpool"),
    (SpaceToDepth(), (16, 3, 4), 0, "space_to_depth"),
    (Conv(8, weight_norm=True, bias=False, gain=3.0), (8, 6, 8), 4 * 8 * 9 + 8, "WeightNormConv2d"),
]


@pytest.mark.parametrize(("op", "shape", "params", "callee"), OPS)
def test_shape_parameters_and_module(op: Op, shape: tuple[int, ...], params: int, callee: str) -> None:
    result = op.infer([MAP])
    assert isinstance(result, TensorType) and result.shape == shape
    assert op.params([MAP]) == params
    spelled = op.torch([MAP])
    assert spelled is not None and spelled.callee == callee
    if op.name != "conv":
        assert op.macs([MAP], result) == 0


@pytest.mark.parametrize(("op", "shape", "params", "callee"), OPS)
def test_torch_counts_the_same(op: Op, shape: tuple[int, ...], params: int, callee: str) -> None:
    torch = pytest.importorskip("torch")
    import detrt.layers

    spelled = op.torch([MAP])
    if spelled is None or not spelled.is_module:
        return
    positional = [value for keyword, value in spelled.args if not keyword]
    module = getattr(detrt.layers, callee)(*positional, **{k: v for k, v in spelled.args if k})
    assert sum(p.numel() for p in module.parameters()) == params
    assert module(torch.randn(2, *MAP.shape)).shape == (2, *shape)


VECTOR = TensorType((6,))
DENSE: list[tuple[Op, int, int, str]] = [
    (Linear(3, bias=False, weight_norm=True, gain=2.0, weights=("fixed", 8, 64)), 3, 3 * 6 + 3, "WeightNormLinear"),
    (Linear(3, weight_norm=True), 3, 3 * 6 + 3 + 3, "WeightNormLinear"),
    (Encode(trainable=True), 6, 2, "DeltaEncoder"),
    (SigmaDelta(activation="relu", norm="mean_only_batch", shared=False), 6, 7, "SigmaDelta"),
    (Cuba(norm="mean_only_batch", shared=False), 6, 12, "Cuba"),
    (Sigma(), 6, 0, "Sigma"),
]


@pytest.mark.parametrize(("op", "features", "params", "callee"), DENSE)
def test_neurons_and_their_synapses_on_vectors(op: Op, features: int, params: int, callee: str) -> None:
    torch = pytest.importorskip("torch")
    import detrt.layers

    assert op.infer([VECTOR]) == TensorType((features,)) and op.params([VECTOR]) == params
    spelled = op.torch([VECTOR])
    assert spelled is not None and spelled.callee == callee
    module = getattr(detrt.layers, callee)(
        *(v for k, v in spelled.args if not k), **{k: v for k, v in spelled.args if k}
    )
    assert sum(p.numel() for p in module.parameters()) == params
    learns = {name for name, p in module.named_parameters() if p.requires_grad and name == "threshold"}
    assert bool(learns) == getattr(op, "trainable", False)
    assert module(torch.randn(4, 6)).shape == (4, features)


@pytest.mark.parametrize(
    ("op", "problem"),
    [
        (Encode(threshold=0.0), "threshold = 0"),
        (SigmaDelta(threshold=-1.0), "threshold = -1"),
        (SigmaDelta(delay=63), "delay = 63; an event is held back by 0 .. 62 steps"),
        (SigmaDelta(delay=-1), "delay = -1"),
        (SigmaDelta(message=0), "message = 0 bits; an event carries 1 .. 32 bits"),
        (Encode(message=33), "message = 33 bits"),
        (Conv(8, weights=("fixed", 9, 64)), "weights of 9 bits; `fixed` weights have 1 .. 8"),
        (Conv(8, weights=("fixed", 8, 48)), "scale = 48; a scale is a power of two"),
        (Conv(8, weights=("fixed", 8, 0.5)), "scale = 0.5"),
        (Cuba(voltage_decay=1.5), "voltage_decay = 1.5"),
        (Cuba(current_decay=0.0), "current_decay = 0"),
        (Unpool((0, 2)), "window of at least 1x1"),
        (SpaceToDepth(4), "6x8 into blocks of 4x4"),
        (SpaceToDepth(0), "block of at least 1"),
        (Conv(8, gain=2.0), "no weight norm"),
        (Conv(8, weight_norm=True, gain=0.0), "gain = 0"),
    ],
)
def test_what_cannot_be_says_why(op: Op, problem: str) -> None:
    result = op.infer([MAP])
    assert isinstance(result, Problem) and problem in result.message


SPEC = """
default sigma_delta { threshold = 0.25 }
model net extends detector {
  input clip: u8[3, 16, 16] = frames(steps = 8 steps, order = rgb)
  let a = clip |> neuron.encode |> conv(4, weight_norm = true, gain = 3, weights = fixed(8 bits, scale = 64))
  let b = a |> neuron.sigma_delta(activation = relu, norm = mean_only_batch) |> neuron.cuba
  let c = b |> space_to_depth(2, order = columns) |> unpool(2x2) |> conv(2, init = normal(std = 0.1, bias = -1))
  output y = c |> neuron.sigma
}
"""


DENSE_SPEC = """
model net extends detector {
  input x: u8[1, 4, 4] = frames(steps = 4)
  let hidden = x |> neuron.encode(trainable = true, message = 24 bits) |> flatten
    |> linear(8, bias = false, weight_norm = true, gain = 2, weights = fixed(8 bits, scale = 64))
    |> neuron.sigma_delta(activation = relu, norm = mean_only_batch, delay = 2 steps)
  output y = hidden |> linear(3, bias = false, weights = fixed(8 bits, scale = 64)) |> neuron.sigma
}
"""


def test_a_dense_net_of_neurons_reads_back_and_is_printed(tmp_path: Path) -> None:
    (tmp_path / "net.det").write_text(DENSE_SPEC)
    program = elaborate(tmp_path / "net.det")
    assert not program.findings
    graph = program.models["net"].graph
    assert [node.type.shape for node in graph] == [(1, 4, 4), (1, 4, 4), (16,), (8,), (8,), (3,), (3,)]
    assert graph["hidden.sigma_delta1"].op == SigmaDelta(activation="relu", norm="mean_only_batch", delay=2)
    text = print_graph(graph)
    assert print_graph(parse_graph(text)) == text
    model = program.models["net"]
    lock = json.loads(json.dumps(lock_of(program, model, graph, None, None)))
    assert print_graph(program_graph_from_lock(lock)) == text
    (tmp_path / "again.det").write_text(plain_spec(model))
    assert print_graph(elaborate(tmp_path / "again.det").models["net"].graph) == text


def test_a_spec_names_its_neurons_by_their_own_word_and_reads_back(tmp_path: Path) -> None:
    (tmp_path / "net.det").write_text(SPEC)
    program = elaborate(tmp_path / "net.det")
    assert not program.findings
    model = program.models["net"]
    names = [node.name for node in model.graph]
    assert names == [
        "clip",
        "a.encode1",
        "a.conv1",
        "b.sigma_delta1",
        "b.cuba1",
        "c.space_to_depth1",
        "c.unpool1",
        "c.conv1",
        "y",
    ]
    assert model.graph["b.sigma_delta1"].op == SigmaDelta(0.25, activation="relu", norm="mean_only_batch")
    text = print_graph(model.graph)
    assert print_graph(parse_graph(text)) == text
    lock = json.loads(json.dumps(lock_of(program, model, model.graph, None, None)))
    assert lock["model"]["input"]["steps"] == 8
    assert print_graph(program_graph_from_lock(lock)) == text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("frames(order = rgb)", "steps"),
        ("frames(steps = 0)", "whole number of 1 .. 10000"),
        ("frames(steps = 1.5)", "whole number of 1 .. 10000"),
        ("frames(steps = 20000)", "whole number of 1 .. 10000"),
        ("events(steps = 4)", "of 2 channels for events"),
        ("events(steps = 4, mean = 3)", "mean"),
        ("camera(steps = 4)", "steps"),
    ],
)
def test_clips_are_asked_for_exactly(written: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "net.det").write_text(SPEC.replace("frames(steps = 8 steps, order = rgb)", written))
    done = compile_spec(tmp_path / "net.det", None)
    assert not done.fits
    assert any(said in finding.message for finding in done.findings), done.findings
