"""The mapping to major layers: the vendor's own for GNetDet, the cheapest for all others, verified by code that shares none."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from gti_nets import Net, codes, gnetdet, judge
from hypothesis import given
from hypothesis import strategies as st

from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.semantics.program import Target
from detc.targets.facts import Facts
from detc.targets.gti5801.chain import read_chain
from detc.targets.gti5801.mapping import Major, Mapper, map_layers
from detc.targets.gti5801.verify import verify_plan

VENDOR_448 = [
    (448, 3, 64, 1, "max", 3),
    (224, 64, 64, 1, "max", 3),
    (112, 64, 128, 2, "max", 3),
    (56, 128, 256, 3, "max", 3),
    (28, 256, 256, 3, "max", 3),
    (14, 256, 256, 3, None, 3),
    (14, 256, 256, 3, None, 8),
]
"""json/5801_gnetdet_dat_448.json of the GNetDet MDK: size, input and output channels, sublayers, pool, bits."""

OURS_224 = [
    (224, 3, 64, 2, "max", 3),
    (112, 64, 128, 2, "max", 3),
    (56, 128, 256, 3, "max", 3),
    (28, 256, 256, 3, "max", 3),
    (14, 256, 256, 3, None, 3),
    (14, 256, 256, 3, None, 8),
]


def shape_of(plan: dict[str, Any] | None) -> list[tuple[Any, ...]]:
    assert plan is not None
    keys = ("image_size", "input_channels", "output_channels")
    return [(*(m[k] for k in keys), len(m["sublayers"]), m["pool"], m["bits"]) for m in plan["majors"]]


def mapped(net: Net, target: Target) -> tuple[Mapper, list[Major]]:
    graph = net.done()
    lowered, _ = run(graph, (*FRONT, *LOWERING), Context(target))
    facts = Facts(target)
    return map_layers(read_chain(lowered, frozenset(), facts).layers, facts)


def test_gnetdet448_has_exactly_the_vendors_seven_major_layers(gti5801: Target) -> None:
    judgement = judge(gnetdet(), gti5801)
    assert shape_of(judgement.plan) == VENDOR_448
    assert judgement.metrics == {
        "weight_bytes": 5_875_200,
        "padded_weight_bytes": 694_656,
        "activation_peak_bytes": 2_621_440,
        "chip_dat_bytes": 6_899_348,
        "major_layers": 7,
        "head_channels": 30,
    }


def test_gnetdet224_has_six(gti5801: Target) -> None:
    assert shape_of(judge(gnetdet(224), gti5801).plan) == OURS_224


def test_the_plan_has_the_shape_of_the_lock_contract(gti5801: Target) -> None:
    plan = judge(gnetdet(), gti5801).plan
    assert plan is not None
    assert (plan["head_channels"], plan["output"], plan["output_size"]) == (30, "c16", 14)
    last = plan["majors"][-1]["sublayers"][-1]
    assert {k: last[k] for k in ("conv", "relu", "kind", "in_channels", "out_channels", "padded_in", "padded_out")} == {
        "conv": "c16", "relu": "r16", "kind": "conv3x3", "in_channels": 256, "out_channels": 30,
        "padded_in": 256, "padded_out": 256,
    }  # fmt: skip
    assert last["span"]["file"] == "net.det"


def test_padding_is_told_with_its_cost(gti5801: Target) -> None:
    note = next(f for f in judge(gnetdet(), gti5801).findings if f.code == "GTI151")
    assert note.level == "note" and "226 zero filters" in note.message and "678.0 KiB" in note.message


def test_residuals_become_shortcuts(gti5801: Target) -> None:
    plan = judge(Net(14).conv(16).residual(16).residual(16), gti5801).plan
    assert plan is not None and [m["shortcuts"] for m in plan["majors"]] == [[2, 4]]


def test_a_run_of_13_is_cut_for_length(gti5801: Target) -> None:
    net = Net(14)
    for _ in range(13):
        net.conv(16, 8)
    plan = judge(net, gti5801).plan
    assert plan is not None
    counts = [len(m["sublayers"]) for m in plan["majors"]]
    assert sum(counts) == 13 and len(counts) == 2 and max(counts) <= 12


def test_the_mapping_splits_where_sharing_would_burst_the_soft_weight_limit(gti5801: Target) -> None:
    """Nine narrow 8-bit layers beside two of 512: in one major layer all are 512 wide and take 35 MB, in three 6.3 MB."""
    net = Net(14)
    for _ in range(9):
        net.conv(64, 8)
    net.conv(512, 8).conv(512, 8).conv(64, 8)
    judgement = judge(net, gti5801)
    assert codes(judgement.findings) == []
    assert judgement.plan is not None and len(judgement.plan["majors"]) == 3
    assert judgement.metrics["weight_bytes"] <= 6_553_600


LAYERS = st.lists(
    st.tuples(st.sampled_from([4, 8, 12, 16, 24, 30]), st.sampled_from([3, 3, 8]), st.sampled_from(["", "", "pool", "residual"])),
    min_size=1,
    max_size=9,
)  # fmt: skip


def build(rows: list[tuple[int, int, str]], size: int = 112) -> Net:
    net = Net(size)
    for channels, bits, extra in rows:
        net.conv(channels, bits)
        if extra == "residual":
            net.residual(channels, bits)
        if extra == "pool" and net.graph[net.last].type.height > 14:
            net.pool()
    return net


@given(LAYERS)
def test_any_plan_without_errors_holds_before_the_independent_verifier(rows: list[tuple[int, int, str]]) -> None:
    target = TARGET[0]
    judgement = judge(build(rows), target)
    if codes(judgement.findings, "error"):
        return
    assert judgement.plan is not None
    graph, _ = run(build(rows).done(), (*FRONT, *LOWERING), Context(target))
    assert verify_plan(judgement.plan, graph, frozenset(), target) == ()


@given(LAYERS)
def test_no_other_mapping_is_better(rows: list[tuple[int, int, str]]) -> None:
    """All cuts by force: none breaks fewer rules, or has fewer major layers, or fewer bytes at the same number."""
    mapper, majors = mapped(build(rows), TARGET[0])

    def cost(candidate: list[Major]) -> tuple[int, int, int]:
        return (
            sum(len(mapper.breaches(m)) for m in candidate),
            len(candidate),
            sum(map(mapper.weight_bytes, candidate)),
        )

    count = len(mapper.layers)
    forced = {i for i in range(1, count) if mapper.cut_reason(i)}
    free = [i for i in range(1, count) if i not in forced]
    best = min(
        cost(_majors(mapper, sorted(forced | set(chosen))))
        for n in range(min(len(free), 4) + 1)
        for chosen in itertools.combinations(free, n)
    )
    assert cost(majors) <= best


def test_a_map_is_filled_up_for_the_depthwise_conv_that_reads_it(gti5801: Target) -> None:
    """The compiler pads instead of refusing, also where the wish is handed on over two pools."""
    net = Net(56).conv(16, 8).pool().depthwise().pointwise(24).pool().depthwise().pointwise(40).conv(16)
    judged = judge(net, gti5801)
    assert not codes(judged.findings)
    assert judged.plan is not None
    widths = [(major["input_channels"], major["output_channels"]) for major in judged.plan["majors"]]
    assert widths == [(3, 40), (40, 40), (40, 40), (40, 16)]


def _majors(mapper: Mapper, cuts: list[int]) -> list[Major]:
    majors: list[Major] = []
    width = 0
    for first, stop in itertools.pairwise([0, *cuts, len(mapper.layers)]):
        majors.append(Major(first, stop, mapper.input_channels(first, width), mapper.width(first, stop)))
        width = majors[-1].width
    return majors


TARGET: list[Target] = []


@pytest.fixture(autouse=True, scope="module")
def _target(gti5801: Target) -> None:
    TARGET[:] = [gti5801]


def drop_a_conv(plan: dict[str, Any]) -> None:
    plan["majors"][3]["sublayers"].pop()


def swap_two_majors(plan: dict[str, Any]) -> None:
    plan["majors"][5], plan["majors"][6] = plan["majors"][6], plan["majors"][5]


def narrow_a_major(plan: dict[str, Any]) -> None:
    plan["majors"][6]["output_channels"] = 128


def cut_the_padding(plan: dict[str, Any]) -> None:
    plan["majors"][6]["sublayers"][-1]["padded_out"] = 24


def forget_a_pool(plan: dict[str, Any]) -> None:
    plan["majors"][0]["pool"] = None


def mixed_parity(plan: dict[str, Any]) -> None:
    plan["majors"][4]["shortcuts"] = [1, 2]


def shortcut_out_of_range(plan: dict[str, Any]) -> None:
    plan["majors"][4]["shortcuts"] = [3]


def wrong_bits(plan: dict[str, Any]) -> None:
    plan["majors"][6]["bits"] = 3


def too_wide_for_memory(plan: dict[str, Any]) -> None:
    plan["majors"][0]["output_channels"] = plan["majors"][0]["sublayers"][0]["padded_out"] = 96
    plan["majors"][1]["input_channels"] = plan["majors"][1]["sublayers"][0]["padded_in"] = 96


def wrong_output_size(plan: dict[str, Any]) -> None:
    plan["output_size"] = 7


@pytest.mark.parametrize(
    "plant",
    [drop_a_conv, swap_two_majors, narrow_a_major, cut_the_padding, forget_a_pool, mixed_parity, shortcut_out_of_range,
     wrong_bits, too_wide_for_memory, wrong_output_size],
)  # fmt: skip
def test_the_verifier_sees_planted_mistakes(plant: Callable[[dict[str, Any]], None], gti5801: Target) -> None:
    graph, _ = run(gnetdet().done(), (*FRONT, *LOWERING), Context(gti5801))
    plan = copy.deepcopy(judge(gnetdet(), gti5801).plan)
    assert plan is not None and verify_plan(plan, graph, frozenset(), gti5801) == ()
    plant(plan)
    assert {f.code for f in verify_plan(plan, graph, frozenset(), gti5801)} == {"GTI199"}


@pytest.mark.alone
def test_a_net_of_5000_convs_is_judged_in_linear_time(gti5801: Target) -> None:
    import time

    net = Net(14)
    for _ in range(2500):
        net.conv(16, 8)
    start = time.process_time()
    assert "GTI140" in codes(judge(net, gti5801).findings)
    assert time.process_time() - start < 3
