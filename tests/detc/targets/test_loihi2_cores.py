"""Cores: those that Intel's compiler printed, a mapping that is verified by code that shares none with it, planted faults."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_delta_nets import (
    MNIST,
    YOLO_KP,
    Chain,
    codes,
    cores,
    found,
    judge,
    load_target,
    mnist,
    small,
    spec_of,
    yolo_kp,
)

from detc.compilation import compile_spec
from detc.library import find_spec
from detc.semantics.program import Target
from detc.targets.backend import Judgement
from detc.targets.facts import Facts
from detc.targets.loihi2.layers import Layer
from detc.targets.loihi2.tiles import Mapper, box, cores_of, halvings, parts, powers
from detc.targets.loihi2.verify import _axis_by_axis, _neuron_by_neuron, verify_plan


@pytest.fixture(scope="module")
def kapoho(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return load_target(tmp_path_factory.mktemp("target"), ("board { chips = 1 }", "board { chips = 8 }"), name="loihi2")


@pytest.fixture(scope="module")
def published(kapoho: Target) -> Judgement:
    return judge(yolo_kp(), kapoho)


def test_yolo_kp_takes_the_cores_that_intels_compiler_printed(published: Judgement) -> None:
    judgement = published
    assert cores(judgement) == [layer[-1] for layer in YOLO_KP]
    figures = judgement.metrics
    assert (figures["cores"], figures["chips"], figures["cores_lower_bound"], figures["latency_steps"]) == (
        574,
        5,
        515,
        10,
    )
    assert judgement.errors == {"cores": 0.1} and codes(judgement.findings, "error") == []


def test_mnist_takes_the_cores_that_intels_compiler_printed(kapoho: Target) -> None:
    judgement = judge(mnist(), kapoho)
    assert cores(judgement) == [count for _, count in MNIST] and judgement.metrics["chips"] == 1


def test_memory_of_a_core_against_the_published_table(published: Judgement) -> None:
    """Rows of the printed table whose tile is the same here: percent of neurons, axon map and, where weights have 8 bits in both,
    what rests on the tile only."""
    (table,) = published.tables
    rows = {tuple(row["tile"]): row for row in table["rows"]}
    printed = {(8, 14, 32): (12.5, 87.52, 0.70), (4, 7, 128): (12.5, 87.52, 0.17), (4, 14, 48): (25.0, 65.64, 16.80)}
    for tile, (groups, neurons, axon_map) in printed.items():
        row = rows[tile]
        assert (row["neuron_groups"], row["neurons"], row["axon_map"]) == (groups, neurons, axon_map)


def test_what_a_core_takes_by_hand(kapoho: Target) -> None:
    """A tile of 4 x 7 pixels and 24 channels; 64 channels in two groups under 3 x 3: 32 * 9 lists of 1 + 24 * 8 / 64 words."""
    chain = Chain(14, channels=64).encode().conv(32, groups=2).neurons()
    layer = Layer("conv", chain.graph["c1"], (64, 14, 14), (32, 14, 14), chain.graph["n1"])
    usage = Mapper(Facts(kapoho)).usage(layer, (4, 7, 24))
    assert (usage.neurons, usage.groups, usage.synapses) == (672, 1, 32 * 9 * 8 * (1 + 3))
    assert (usage.axon_in, usage.axon_map, usage.axon_memory) == (16, 8 * 28, 3840)
    assert usage.memory == pytest.approx(9216 + 16 + 224 + 3840 + 32768 * 672 / 4095)
    dense = Chain(8, channels=4).encode().flatten().linear(50)
    wide = Layer("dense", dense.graph["d1"], (256,), (50,), sigma=dense.sigma().graph["s1"])
    usage = Mapper(Facts(kapoho)).usage(wide, (50,))
    assert (usage.groups, usage.synapses, usage.axon_in, usage.axon_map) == (2, 256 * 8 * (1 + 16), 8 * 256, 8 * 50)


def test_a_dense_layer_behind_a_large_map_has_no_room_for_one_neuron(kapoho: Target) -> None:
    """The conv part of such a net takes cores all the same; Intel's compiler stops with `Partitioning could not converge`."""
    judgement = judge(Chain(11, 12, 86).encode().layer(86).flatten().dense(100).head(10), kapoho)
    finding = found(judgement, "LOI141")
    assert "11,352 inputs take 181,632 bytes of 128,000" in finding.message and "about 8,000 would fit" in finding.help
    assert judgement.plan is None
    narrow = found(judge(Chain(4, channels=1200).encode().layer(8).head(4), kapoho), "LOI141")
    assert "fewer channels" in narrow.help


def test_cores_of_several_nets_add_up(kapoho: Target) -> None:
    chain = Chain(56)
    ends = []
    for _ in range(2):
        chain.last = "clip"
        ends.append(chain.encode().layer(16, s=2).head(8).last)
    chain.graph.outputs["p"] = tuple(ends)
    both = judge(chain, kapoho)
    alone = judge(Chain(56).encode().layer(16, s=2).head(8), kapoho)
    assert both.plan is not None and [net["name"] for net in both.plan["nets"]] == ["p0", "p1"]
    assert both.metrics["cores"] == 2 * alone.metrics["cores"] and "LOI142" not in codes(both.findings, "note")


def test_what_two_nets_share_is_there_twice(kapoho: Target) -> None:
    chain = Chain(28).encode().layer(16)
    trunk = chain.last
    ends = {name: (chain.put_from(trunk).layer(8).head(4).last,) for name in ("a", "b")}
    chain.graph.outputs.update(ends)
    judgement = judge(chain, kapoho)
    assert judgement.plan is not None and [net["name"] for net in judgement.plan["nets"]] == ["a", "b"]
    assert "1 layer stands in 2 nets" in found(judgement, "LOI142").message
    assert judgement.columns["c1"]["cores"] == 2 * judgement.plan["nets"][0]["layers"][1]["cores"]


def test_sizes_that_are_tried() -> None:
    assert halvings(28) == [28, 14, 7, 4, 2, 1] and powers(28) == [28, 16, 8, 4, 2, 1] and powers(1) == [1]
    for n in (1, 7, 48, 224):
        counts = {-(-n // size) for size in parts(n)}
        assert counts == {-(-n // size) for size in range(1, n + 1)}


SIDE, CHANNELS = st.integers(1, 40), st.sampled_from([1, 2, 3, 8, 13, 64, 200])
LAYERS = st.lists(
    st.tuples(CHANNELS, st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]), st.booleans()), min_size=1, max_size=3
)


def random_chain(side: int, channels: int, layers: list[tuple[int, int, int, bool]], dense: bool) -> Chain:
    chain = Chain(side, side + 3, channels).encode()
    for out, k, s, grouped in layers:
        groups = 2 if grouped and out % 2 == 0 and chain.graph[chain.last].type.channels % 2 == 0 else 1
        chain.layer(out, k, s, groups=groups)
    return (chain.flatten().dense(50) if dense else chain).head(10)


@settings(max_examples=8, deadline=None)
@given(SIDE, CHANNELS, LAYERS, st.booleans())
def test_the_verifier_agrees_with_every_mapping(
    kapoho: Target, side: int, channels: int, layers: list[tuple[int, int, int, bool]], dense: bool
) -> None:
    chain = random_chain(side, channels, layers, dense)
    judgement = judge(chain, kapoho)
    assert not set(codes(judgement.findings, "error")) - {"LOI140", "LOI141"}
    if judgement.plan is not None:
        assert verify_plan(judgement.plan, chain.done(), kapoho) == ()
        assert judgement.metrics["cores_lower_bound"] <= judgement.metrics["cores"]
    else:
        assert codes(judgement.findings, "error") == ["LOI141"]


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from([3, 40, 130]), st.booleans())
def test_no_tile_that_fits_takes_fewer_cores_than_the_bound(
    kapoho: Target, width: int, height: int, channels: int, head: bool
) -> None:
    """Every tile of a small layer, tried one by one."""
    chain = Chain(height, width, 200).encode().conv(channels)
    node = (chain.sigma() if head else chain.neurons()).graph["c1"]
    behind = chain.graph[chain.last]
    layer = Layer(
        "conv", node, (200, height, width), node.type.shape, None if head else behind, behind if head else None
    )
    mapper = Mapper(Facts(kapoho))
    mapped, shape = mapper.map(layer), box(layer)
    assert mapped is not None
    tiles = [(w, h, c) for w in range(1, width + 1) for h in range(1, height + 1) for c in range(1, channels + 1)]
    assert min(cores_of(shape, t) for t in tiles if mapper.holds(mapper.usage(layer, t))) == mapper.bound(mapped)


def spoil(plan: dict[str, Any], edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    spoilt = copy.deepcopy(plan)
    edit(spoilt["nets"][0])
    return spoilt


def _set(layer: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda net: net["layers"][layer].update(values)


FAULTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a core too few": _set(1, cores=1),
    "a tile of other sides": _set(1, tile=[40, 2, 16]),
    "no rows": _set(1, tile=[8, 0, 16]),
    "too many neurons": lambda net: net["layers"][1].update(tile=[28, 28, 16], cores=1),
    "too much memory": lambda net: net["layers"][2].update(tile=[2, 2, 256], cores=196),
    "a sum that is wrong": lambda net: net.update(cores=net["cores"] + 1),
    "a chip too many": lambda net: net.update(chips=net["chips"] + 1),
    "a layer left out": lambda net: net["layers"].pop(1),
    "layers exchanged": lambda net: net["layers"].insert(1, net["layers"].pop(2)),
    "another shape": _set(1, shape=[16, 28, 27]),
    "another end": lambda net: net.update(output="q"),
    "no read-out": _set(-1, sigma=False),
    "a read-out inside": _set(1, sigma=True),
    "no latency": lambda net: net.update(latency=1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(name: str, kapoho: Target) -> None:
    chain = Chain(28, channels=16).encode().layer(16).layer(256).head(10)
    judgement = judge(chain, kapoho)
    graph = chain.done()
    graph.outputs["q"] = ("n1",)
    assert judgement.plan is not None and verify_plan(judgement.plan, graph, kapoho) == ()
    told = verify_plan(spoil(judgement.plan, FAULTS[name]), graph, kapoho)
    assert {finding.code for finding in told} == {"LOI199"}


@given(st.tuples(*[st.integers(1, 12)] * 3), st.tuples(*[st.integers(1, 12)] * 3))
def test_large_layers_are_dealt_as_small_ones(shape: tuple[int, int, int], tile: tuple[int, int, int]) -> None:
    assert _axis_by_axis(shape, tile) == _neuron_by_neuron(shape, tile)


def test_two_nets_of_one_name_are_caught(kapoho: Target) -> None:
    chain = small()
    plan = judge(chain, kapoho).plan
    assert plan is not None
    plan["nets"].append(plan["nets"][0])
    assert [finding.actual for finding in verify_plan(plan, chain.done(), kapoho)] == ["two nets have one name"]


@pytest.mark.parametrize("name", ["kapoho_point", "loihi2.kapoho_point"])
def test_the_library_spec_fits_kapoho_point(name: str) -> None:
    done = compile_spec(find_spec("yolo_kp"), name, {"classes": "11"})
    assert done.fits and done.metrics["cores"] == 574 and done.metrics["chips"] == 5
    row = next(row for row in done.layers if row["name"] == "p.sd1.conv1")
    assert row["cores"] == 224 and done.brief == {"cores": "cores"}
    assert [row["name"] for row in done.layers if "cores" in row] == [
        row["name"] for row in done.layers if row["op"] == "conv"
    ]


def test_the_plan_is_that_of_the_lock_page(kapoho: Target) -> None:
    plan = judge(Chain(14).encode().layer(8).flatten().dense(20).head(4), kapoho).plan
    assert plan is not None and (plan["schema"], plan["spike_exp"]) == (1, 6)
    (net,) = plan["nets"]
    assert [layer["type"] for layer in net["layers"]] == ["input", "conv", "flatten", "dense", "dense"]
    assert net["input"] == {"node": "clip", "shape": [3, 14, 14], "steps": 8} and net["latency"] == 3
    conv, dense = net["layers"][1], net["layers"][3]
    assert conv["neuron"] == {
        "module": "n1", "threshold": 0.125, "tau_grad": 0.1, "scale_grad": 0.1, "activation": "relu", "norm": False,
        "shared": True, "trainable": False, "message_bits": 16,
    }  # fmt: skip
    assert (dense["in"], dense["in_shape"], dense["tile"]) == (1568, [8, 14, 14], [20])
    assert (net["layers"][4]["in_shape"], net["layers"][4]["neuron"], net["layers"][4]["sigma"]) == ([20], None, True)


def test_a_pruned_model_is_judged_as_it_will_be(tmp_path: Path) -> None:
    done = compile_spec(spec_of(tmp_path, "model kp4 = prune(kp, channels = 1 / 2, keep = [p])\n"), "kapoho_point")
    assert done.model is not None and done.model.name == "kp4" and done.fits and done.metrics["cores"] == 289
    row = next(row for row in done.layers if row["name"] == "p.sd1.conv1")
    assert row["out_shape"] == [8, 224, 224] and row["cores"] == 112
