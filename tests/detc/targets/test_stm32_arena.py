"""The arena: planners against their bound, overlaps pixel by pixel, several memories, and a verifier that trusts none of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detrt.devices.stm32
from detc.passes.context import Context
from detc.passes.pipeline import LOWERING, run
from detc.semantics.program import Model
from detc.targets.stm32 import verify_reads
from detc.targets.stm32.arena import plan_arena
from detc.targets.stm32.exact import best_place
from detc.targets.stm32.lowering import steps_of
from detc.targets.stm32.overlap import AHEAD, IN_PLACE, distance
from detc.targets.stm32.plan import plan_json
from detc.targets.stm32.planners import Placed
from detc.targets.stm32.pools import Room
from detc.targets.stm32.steps import Step, Steps, map_shape
from detc.targets.stm32.tenants import House, Tenant
from detc.targets.stm32.verify import verify_plan
from net_builder import Net
from stm32_schedules import alone, streamed

Plan = dict[str, Any]
WHOLE: dict[str, Any] = {"global": True}


def steps_for(model: Model) -> Steps:
    graph, _ = run(model.graph, LOWERING, Context(None, model.host))
    steps, found = steps_of(graph, model)
    assert not found
    return steps


def branchy() -> Model:
    """A residual, a gate, a concat, two outputs; every kind of overlap."""
    net = Net(shape=(3, 12, 12))
    x = net.add("stem", "conv", "frame", channels=8, s=(2, 2))
    y = net.add("wide", "conv", x, channels=24, k=(1, 1), pad=0)
    y = net.add("deep", "depthwise", y)
    y = net.add("back", "conv", y, channels=8, k=(1, 1), pad=0)
    x = net.add("sum", "add", x, y)
    g = net.add("mean", "avgpool", x, **WHOLE)
    x = net.add("gated", "mul", x, net.add("gate", "sigmoid", g))
    p = net.add("pool", "maxpool", x, k=(3, 3), s=(1, 1), pad="same")
    c = net.add("all", "concat", x, p)
    a = net.add("first", "conv", c, channels=5)
    b = net.add("second", "conv", c, channels=40, k=(1, 1), pad=0)
    return net.model(a=a, b=b)


def plan_of(model: Model) -> Plan:
    steps = steps_for(model)
    return plan_json(steps, plan_arena(steps, ()))


def plan_alone(model: Model) -> Plan:
    steps = steps_for(model)
    return plan_json(steps, alone(steps))


def plan_streamed(model: Model, seed: int = 1) -> Plan:
    steps = steps_for(model)
    return plan_json(steps, streamed(steps, seed))


# ---- overlaps


def lowest_distance(steps: Steps, step: Step) -> int:
    """By the kernels' promise, pixel by pixel: while pixel p is computed, those before p + AHEAD are written."""
    height, width, channels = map_shape(steps.tensors[step.inputs[0]])
    rows, columns, out = map_shape(steps.tensors[step.output])
    of, reads = step.attributes, []
    for row in range(rows):
        for column in range(columns):
            taps = [
                (line * width + pixel) * channels
                for line in range(
                    row * of["stride"][0] - of["pad"][0], row * of["stride"][0] - of["pad"][0] + of["k"][0]
                )
                for pixel in range(
                    column * of["stride"][1] - of["pad"][1], column * of["stride"][1] - of["pad"][1] + of["k"][1]
                )
                if 0 <= line < height and 0 <= pixel < width
            ]
            reads.append(min(taps))
    pixels, most = rows * columns, 0
    for p in range(pixels):
        most = max(most, min(p + AHEAD[step.kernel], pixels) * out - min(reads[p:]))
    return most


@st.composite
def windows(draw: st.DrawFn) -> tuple[Net, str]:
    size = (draw(st.integers(3, 9)), draw(st.integers(3, 9)))
    net = Net(shape=(draw(st.integers(1, 4)), *size))
    k = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    s = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pad = (draw(st.integers(0, k[0] // 2)), draw(st.integers(0, k[1] // 2)))
    kind = draw(st.sampled_from(("conv", "depthwise", "maxpool", "avgpool")))
    given: dict[str, Any] = {"channels": draw(st.integers(1, 9))} if kind == "conv" else {}
    return net, net.add("x", kind, "frame", k=k, s=s, pad=pad, **given)


@settings(max_examples=30)
@given(windows())
def test_the_distance_of_a_window_is_the_least_that_is_safe(made: tuple[Net, str]) -> None:
    net, name = made
    steps = steps_for(net.model(out=name))
    assert distance(steps, steps.steps[0], "frame") == lowest_distance(steps, steps.steps[0])


# ---- plans


@settings(max_examples=8)
@given(st.data())
def test_plans_of_random_nets_hold_and_are_always_the_same(data: st.DataObject) -> None:
    net = Net(shape=(3, 8, 8))
    live = [net.add("stem", "conv", "frame", channels=8)]
    for number in range(data.draw(st.integers(1, 12))):
        x = data.draw(st.sampled_from(live[-4:]))
        kind = data.draw(
            st.sampled_from(("conv", "point", "depthwise", "add", "concat", "maxpool", "up", "slice", "relu"))
        )
        shape = net.graph[x].type.shape
        same = [y for y in live if net.graph[y].type.shape == shape]
        alike = [y for y in live if net.graph[y].type.shape[1:] == shape[1:]]
        name = f"n{number}"
        if kind == "conv":
            live.append(net.add(name, "conv", x, channels=data.draw(st.integers(1, 24)), s=(1 + (shape[1] > 2), 1)))
        elif kind == "point":
            live.append(net.add(name, "conv", x, channels=data.draw(st.integers(1, 40)), k=(1, 1), pad=0))
        elif kind == "add":
            live.append(net.add(name, "add", x, data.draw(st.sampled_from(same))))
        elif kind == "concat":
            live.append(net.add(name, "concat", x, data.draw(st.sampled_from(alike))))
        elif kind == "maxpool":
            live.append(net.add(name, "maxpool", x, k=(3, 3), s=(1, 1), pad="same"))
        elif kind == "up" and shape[1] < 10:
            live.append(net.add(name, "upsample", x))
        elif kind == "slice":
            live.append(net.add(name, "channels", x, first=shape[0] // 2, last=shape[0] - 1))
        else:
            live.append(net.add(name, "depthwise" if kind == "depthwise" else "relu", x))
    outputs = {f"o{i}": name for i, name in enumerate(dict.fromkeys((live[-1], data.draw(st.sampled_from(live)))))}
    model = net.model(**outputs)
    model.graph = model.graph.rebuilt(
        [n for n in model.graph if n.name in model.graph.ancestors(model.graph.output_nodes)]
    )
    for make in (plan_of, plan_alone, plan_streamed):
        plan = make(model)
        assert verify_plan(plan, thorough=True) == ()
        assert plan["arena"]["bytes"] >= plan["arena"]["bound"]
        assert plan == make(model)


def test_equal_layers_do_not_slide_on_for_ever() -> None:
    """Each lies a little below the one before it; where the memory ends, one goes back to its upper end."""
    net = Net(shape=(8, 16, 16))
    x = "frame"
    for number in range(120):
        x = net.add(f"c{number}", "conv", x, channels=8)
    plan = plan_of(net.model(out=x))
    assert plan["arena"]["bytes"] <= 2 * plan["arena"]["bound"]
    assert verify_plan(plan) == ()


def test_a_net_in_two_memories_keeps_what_it_can_in_the_first() -> None:
    steps = steps_for(branchy())
    whole = plan_arena(steps, ())
    assert whole.fits and whole.bytes <= 1.02 * whole.bound
    rooms = (Room("fast", 0x2000_0000, whole.bytes * 3 // 4), Room("slow", 0x3000_0000, whole.bytes))
    arena = plan_arena(steps, rooms)
    assert arena.fits and arena.used[0] <= rooms[0].bytes and arena.used[1] > 0
    assert verify_plan(plan_json(steps, arena), thorough=True) == ()
    tight = plan_arena(steps, (Room("tiny", 0, 64), Room("small", 64, 64)))
    assert not tight.fits and tight.bytes == whole.bytes


def test_the_exact_planner_finds_what_no_order_of_sizes_does() -> None:
    """A known hard case: 3 tenants that meet in a ring of time, and one below them all."""
    sizes = [(4, 0, 1), (3, 1, 2), (5, 2, 3), (2, 0, 3)]
    house = House([Tenant(str(i), size, first, last) for i, (size, first, last) in enumerate(sizes)], slots=4)
    house.near = [
        {
            b: (-house.tenants[b].bytes, house.tenants[a].bytes)
            for b in range(4)
            if a != b and sizes[a][1] <= sizes[b][2] and sizes[b][1] <= sizes[a][2]
        }
        for a in range(4)
    ]
    assert max(house.needs()) == 10
    plan = best_place(house, Placed(99, [], (), "none", 0), 10)
    offsets = plan.offsets
    assert plan.bytes == 10
    assert all(
        offsets[b] >= offsets[a] + high or offsets[b] <= offsets[a] + low
        for a in range(4)
        for b, (low, high) in house.near[a].items()
    )


# ---- faults


def moved(name: str, to: Callable[[Plan], int]) -> Callable[[Plan], None]:
    def fault(plan: Plan) -> None:
        plan["arena"]["offsets"][name]["offset"] = to(plan)

    return fault


def at(plan: Plan, name: str) -> int:
    found: int = plan["arena"]["offsets"][name]["offset"]
    return found


def scratch(name: str, key: str, value: Callable[[Plan], Any]) -> Callable[[Plan], None]:
    def fault(plan: Plan) -> None:
        plan["arena"]["scratch"][name][key] = value(plan)

    return fault


def swapped(first: int, second: int) -> Callable[[Plan], None]:
    def fault(plan: Plan) -> None:
        steps = plan["steps"]
        steps[first], steps[second] = steps[second], steps[first]

    return fault


def faults() -> Iterator[tuple[str, Callable[[Plan], None], str]]:
    yield "a live tensor under another", moved("back", lambda p: at(p, "stem")), "not all of it is there"
    yield "an output where a reader is still to come", moved("first", lambda p: at(p, "all")), "not all of it is there"
    yield "an output that a later step overwrites", lambda p: p["outputs"].update(c=["gated"]), "end of the net"
    yield "an output eight bytes too close", moved("deep", lambda p: at(p, "wide") - 8), "not all of it is there"
    yield "a concat over its input", moved("all", lambda p: at(p, "pool")), "not all of it is there"
    yield "scratch on the input", scratch("wide", "offset", lambda p: at(p, "stem")), "not all of it is there"
    yield "scratch on the output", scratch("first", "offset", lambda p: at(p, "first")), "not all of it is there"
    yield "too little scratch", scratch("stem", "bytes", lambda p: 8), "bytes of scratch"
    yield "no scratch", lambda p: p["arena"]["scratch"].pop("deep"), "has none"
    yield "a tensor beyond the memory", moved("back", lambda p: p["arena"]["pools"][0]["bytes"] - 8), "bytes of `ram`"
    yield "a tensor before the memory", moved("back", lambda p: -8), "bytes of `ram`"
    yield "a tensor at an odd byte", moved("mean", lambda p: at(p, "mean") + 1), "no multiple"
    yield "a memory that is none", lambda p: p["arena"]["offsets"]["sum"].update(pool="moon"), "is no memory"
    yield "a tensor without a place", lambda p: p["arena"]["offsets"].pop("sum"), "has no place"
    yield "a step before its input is made", swapped(1, 2), "not all of it is there"


@pytest.mark.parametrize(("what", "fault", "said"), [pytest.param(*f, id=f[0]) for f in faults()])
def test_planted_faults_are_caught(what: str, fault: Callable[[Plan], None], said: str) -> None:
    caught(plan_alone(branchy()), fault, said)


def caught(plan: Plan, fault: Callable[[Plan], None], said: str) -> None:
    for pool in plan["arena"]["pools"]:
        pool["bytes"] = pool["used"] = pool["bytes"] + 4096
    assert verify_plan(plan, thorough=True) == ()
    broken = copy.deepcopy(plan)
    fault(broken)
    assert broken != plan
    for thorough in (True, False):
        (finding,) = verify_plan(broken, thorough=thorough)
        assert finding.code == "STM390" and said in finding.message


# ---- streams


def chain() -> Model:
    """A stem, a pool, an upsampled branch: a stream of every kind of row."""
    net = Net(shape=(3, 16, 16))
    x = net.add("stem", "conv", "frame", channels=8)
    x = net.add("small", "maxpool", x)
    x = net.add("deep", "depthwise", x, dilation=(2, 2), pad=2)
    x = net.add("far", "conv", x, channels=6, k=(5, 5), s=(2, 2))
    up = net.add("up", "upsample", x)
    x = net.add("both", "concat", up, net.add("side", "depthwise", up))
    return net.model(map=net.add("last", "conv", x, channels=4))


def window(plan: Plan, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s["windows"][name] for s in plan["arena"]["streams"] if name in s["windows"])
    return found


def test_a_stream_keeps_the_rows_of_its_windows_and_no_more() -> None:
    plan = plan_streamed(chain())
    (stream,) = plan["arena"]["streams"]
    assert [s["name"] for s in plan["steps"]] == stream["steps"]
    rows = {name: entry["rows"] for name, entry in stream["windows"].items()}
    assert rows == {"stem": 2, "small": 5, "deep": 5, "far": 1, "up": 4, "side": 1, "both": 3}
    assert "stem" not in plan["arena"]["offsets"] and "last" in plan["arena"]["offsets"]


def stream_faults() -> Iterator[tuple[str, Callable[[Plan], None], str]]:
    def less(name: str) -> Callable[[Plan], None]:
        def fault(plan: Plan) -> None:
            window(plan, name)["rows"] -= 1

        return fault

    for name in ("stem", "small", "deep", "up", "both"):
        yield f"a window of {name} one row too small", less(name), "at once in a window"
    yield (
        "a window over another",
        lambda p: window(p, "small").update(offset=window(p, "stem")["offset"]),
        "not all of it",
    )
    yield "a window over the output", lambda p: window(p, "up").update(offset=at(p, "last")), "not all of it is there"
    yield (
        "a window on scratch",
        scratch("deep", "offset", lambda p: window(p, "small")["offset"]),
        "not all of it is there",
    )
    yield "no window", lambda p: p["arena"]["streams"][0]["windows"].pop("far"), "has windows of"
    yield "steps apart", lambda p: p["arena"]["streams"][0]["steps"].pop(2), "do not follow each other"
    yield "a window beyond the memory", lambda p: window(p, "far").update(offset=1 << 20), "bytes of `ram`"


@pytest.mark.parametrize(("what", "fault", "said"), [pytest.param(*f, id=f[0]) for f in stream_faults()])
def test_planted_faults_of_streams_are_caught(what: str, fault: Callable[[Plan], None], said: str) -> None:
    caught(plan_streamed(chain()), fault, said)


def test_the_verifier_and_the_planner_know_the_kernels_headers_promise() -> None:
    header = Path(detrt.devices.stm32.__file__ or "").parent / "c" / "kernels" / "detc_kernels.h"
    said = {
        name.lower(): int(pixels)
        for name, pixels in re.findall(r"#define DETC_(\w+)_AHEAD (\d+)", header.read_text(encoding="utf-8"))
    }
    assert said == AHEAD
    assert said.items() <= verify_reads.AHEAD.items() and set(verify_reads.AHEAD) == set(AHEAD) | IN_PLACE
