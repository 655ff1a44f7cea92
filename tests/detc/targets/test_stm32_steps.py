"""The steps of a net: one kernel a layer, in memory order, and every layer without a kernel named at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from detc.diagnostics import Finding
from detc.library import library_folder, library_names
from detc.passes.context import Context
from detc.passes.pipeline import LOWERING, run
from detc.semantics.program import Model
from detc.targets.stm32.arena import plan_arena
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.plan import plan_json
from detc.targets.stm32.steps import Steps
from generated_nets import compiled
from net_builder import Net

WHOLE: dict[str, Any] = {"global": True}


def lowered(model: Model) -> tuple[Steps, tuple[Finding, ...]]:
    graph, _ = run(model.graph, LOWERING, Context(None, model.host))
    return steps_of(graph, model)


def kernels(steps: Steps) -> list[tuple[str, str, str]]:
    return [(s.kernel, " ".join(s.inputs), s.activation[0] if s.activation else "") for s in steps.steps]


def test_a_net_with_every_kind_of_step(golden: Callable[[str, str], None]) -> None:
    net = Net(shape=(3, 9, 9))
    x = net.add("stem", "conv", "frame", channels=8, s=(2, 2), bias=False, line=3)
    x = net.add("bn", "bn", x, eps=1e-3)
    x = net.add("act", "silu", x)
    y = net.add("deep", "depthwise", x, line=4)
    y = net.add("free", "identity", y)
    y = net.add("relu", "relu", y, cap=6)
    z = net.add("sum", "add", x, y)
    z = net.add("after", "leaky", z)
    a = net.add("pool", "maxpool", z, k=(2, 2), pad="same")
    b = net.add("gate", "avgpool", z, **WHOLE)
    b = net.add("scale", "mul", b, a)
    c = net.add("all", "concat", a, b, net.add("small", "maxpool", x, ceil=True))
    d = net.add("some", "channels", c, first=4, last=11)
    d = net.add("mixed", "shuffle", d, groups=2)
    e = net.add("half", "maxpool", d)
    e = net.add("up", "upsample", e, mode="bilinear")
    flat = net.add("flat", "flatten", e)
    flat = net.add("drop", "dropout", flat)
    flat = net.add("grid", "linear", flat, features=10)
    model = net.model(map=c, flat=flat)
    steps, found = lowered(model)
    assert not found
    plan = plan_json(steps, plan_arena(steps, ()))
    del plan["arena"]
    golden("stm32/plan_every_kind.json", json.dumps(plan, indent=1))


@pytest.mark.parametrize("name", library_names())
def test_library_specs_have_kernels_or_say_why_not(name: str) -> None:
    steps, found = lowered(compiled(library_folder() / f"{name}.det"))
    if name.startswith("yolo_kp"):
        assert {f.code for f in found} == {"STM301", "STM303"}
        return
    assert not found
    for step in steps.steps:
        assert step.output not in step.inputs and step.output not in steps.aliases
    assert len({step.output for step in steps.steps}) == len({step.name for step in steps.steps}) == len(steps.steps)


def test_all_layers_without_a_kernel_are_named_with_their_places() -> None:
    net = Net(shape=(4, 8, 8))
    x = net.add("a", "bn", "frame", line=3)
    x = net.add("b", "softmax", x, line=4)
    x = net.add("c", "conv", x, channels=4, line=5)
    x = net.add("d", "softmax", x, line=6)
    _, found = lowered(net.model(map=x))
    assert [(f.code, f.span.line if f.span else 0) for f in found] == [("STM301", 3), ("STM301", 4), ("STM301", 6)]


def test_a_flat_map_is_read_in_memory_order_by_a_linear_and_laid_out_anew_for_the_rest() -> None:
    net = Net(shape=(3, 4, 4))
    flat = net.add("flat", "flatten", net.add("c", "conv", "frame", channels=2))
    wide = net.add("wide", "linear", net.add("act", "tanh", flat), features=5)
    steps, found = lowered(net.model(flat=flat, wide=wide))
    assert not found
    assert steps.steps[2].attributes["reorder_weights"] == [2, 4, 4]
    reorder = steps.steps[-1]
    assert (reorder.kernel, reorder.attributes["axes"], steps.tensors[reorder.output]) == (
        "reorder",
        [2, 0, 1],
        (2, 4, 4),
    )
    assert steps.storage(steps.outputs["flat"][0]) == reorder.output
    assert steps.tensors[steps.outputs["flat"][0]] == (32,)


def test_a_reshape_between_maps_keeps_the_graphs_order() -> None:
    net = Net(shape=(2, 2, 3))
    x = net.add("there", "reshape", "frame", shape=(3, 2, 2))
    steps, found = lowered(net.model(map=x))
    assert not found
    assert [s.attributes["axes"] for s in steps.steps] == [[2, 0, 1], [1, 2, 0]]
    assert steps.tensors[steps.outputs["map"][0]] == (2, 2, 3)


def test_an_activation_that_is_not_alone_is_a_table() -> None:
    net = Net(shape=(3, 4, 4))
    x = net.add("c", "conv", "frame", channels=2)
    y = net.add("act", "relu", x)
    steps, _ = lowered(net.model(before=x, after=y))
    assert kernels(steps) == [("conv", "frame", ""), ("table", "c", "relu")]


def test_a_concat_shares_the_quant_of_inputs_that_only_move() -> None:
    net = Net(shape=(3, 4, 4))
    x = net.add("a", "conv", "frame", channels=2)
    y = net.add("b", "conv", "frame", channels=2)
    p = net.add("p", "maxpool", y, k=(3, 3), s=(1, 1), pad="same")
    z = net.add("c", "conv", x, channels=2)
    both = net.add("both", "concat", x, y, p, z, "frame")
    steps, _ = lowered(net.model(map=net.add("last", "conv", both, channels=1)))
    assert steps.quants == {"b": "both", "p": "both", "c": "both"}
