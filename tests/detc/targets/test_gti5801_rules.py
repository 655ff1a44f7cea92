"""Every limit of the 5801 has a code, and a net on either side of it gets the verdict of facts, not more and not less."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gti_nets import Net, codes, gnetdet, head, judge

from detc.ir.ops.activation import Leaky, Sigmoid
from detc.ir.ops.combine import Add, Concat
from detc.ir.ops.norm import BatchNorm
from detc.ir.ops.pool import AvgPool, Upsample
from detc.semantics.program import Target

Make = Callable[[], Net]


def small(size: int = 14) -> Net:
    return Net(size)


def deep(count: int, size: int = 14, bits: int = 8) -> Net:
    net = Net(size)
    for _ in range(count):
        net.conv(16, bits)
    return net


def two_residuals(between: int, after: int = 1) -> Net:
    net = small().conv(16).residual(16)
    for _ in range(between):
        net.conv(16)
    net.residual(16)
    for _ in range(after):
        net.conv(16)
    return net


def concat() -> Net:
    net = small().conv(16)
    first = net.last
    net.conv(16)
    return net.put("j", Concat(), net.last, first).conv(16)


def late_add() -> Net:
    net = small().conv(16)
    first = net.last
    net.conv(16).conv(16)
    return net.put("a", Add(), net.last, first).relu().conv(16)


def long_shortcut() -> Net:
    net = small().conv(16)
    first = net.last
    net.conv(16).conv(16).conv(16, relu=False)
    return net.put("a", Add(), net.last, first).relu().conv(16)


def branch() -> Net:
    net = small().conv(16)
    first = net.last
    net.conv(16)
    net.graph.outputs["other"] = (net.last,)
    net.last = first
    return net.conv(16)


WRONG: dict[str, tuple[str, Make]] = {
    "5x5": ("GTI101", lambda: small().conv(16, k=(5, 5), pad=(2, 2))),
    "1x3": ("GTI101", lambda: small().conv(16, k=(1, 3), pad=(0, 1))),
    "stride 2": ("GTI102", lambda: Net(28).conv(16, stride=(2, 2))),
    "dilation 2": ("GTI104", lambda: small().conv(16, dilation=(2, 2), pad=(2, 2))),
    "groups 2": ("GTI105", lambda: small().conv(16).conv(16, groups=2)),
    "no bias": ("GTI106", lambda: small().conv(16, bias=False)),
    "weight norm": ("GTI118", lambda: small().conv(16, weight_norm=True)),
    "normal beyond 20 bits": ("GTI127", lambda: small().conv(16, init=("normal", 0.01, 600_000.0))),
    "upsample": ("GTI107", lambda: small().conv(16).put("u", Upsample()).conv(16)),
    "concat": ("GTI107", concat),
    "average pool": ("GTI107", lambda: Net(28).conv(16).put("p", AvgPool()).conv(16)),
    "bn behind the ReLU": ("GTI107", lambda: small().conv(16).put("b", BatchNorm()).conv(16)),
    "sigmoid head": ("GTI109", lambda: small().conv(16, relu=False).put("q", Sigmoid())),
    "leaky": ("GTI109", lambda: small().conv(16, relu=False).put("q", Leaky()).conv(16)),
    "linear head": ("GTI108", lambda: small().conv(16).conv(16, relu=False)),
    "no relu inside": ("GTI108", lambda: small().conv(16, relu=False).conv(16)),
    "pool before relu": ("GTI108", lambda: Net(28).conv(16, relu=False).pool().relu().conv(16)),
    "branch": ("GTI110", branch),
    "add after relu": ("GTI112", late_add),
    "shortcut over three": ("GTI112", long_shortcut),
    "pool first": ("GTI113", lambda: Net(28).pool().conv(16)),
    "two pools": ("GTI113", lambda: Net(56).conv(16).pool().pool().conv(16)),
    "3x3 pool": ("GTI114", lambda: Net(28).conv(16).pool(k=(3, 3), stride=(2, 2), pad=(1, 1)).conv(16)),
    "pool of stride 1": ("GTI114", lambda: Net(14).conv(16).pool(k=(3, 3), stride=(1, 1), pad=(1, 1)).conv(16)),
    "both pools": ("GTI115", lambda: Net(56).conv(16).pool().conv(16).sample().conv(16)),
    "5 bits": ("GTI120", lambda: small().conv(16, bits=5)),
    "2 bits": ("GTI120", lambda: small().conv(16, bits=2)),
    "fixed point": ("GTI121", lambda: small().conv(16, weights=("fixed", 8))),
    "3-bit pointwise": ("GTI122", lambda: small().conv(16).pointwise(16, bits=3)),
    "1-bit depthwise": ("GTI122", lambda: small().conv(16).depthwise(bits=1).pointwise(16)),
    "shift 13": ("GTI124", lambda: small().conv(16, weights=("masked", 8, ("shift", 13)))),
    "cap 6": ("GTI126", lambda: small().conv(16, relu=6)),
    "bias beyond 20 bits": ("GTI127", lambda: small().conv(16, init=("bias", 600_000.0))),
    "320": ("GTI130", lambda: Net(320).conv(16).pool().conv(16)),
    "896": ("GTI130", lambda: Net(896).conv(8).pool().conv(16)),
    "300": ("GTI130", lambda: Net(300).conv(8).pool().conv(16)),
    "not square": ("GTI130", lambda: Net(shape=(3, 224, 448)).conv(16).pool().conv(16)),
    "float input": ("GTI130", lambda: Net(224, dtype="f32").conv(16).pool().conv(16)),
    "conv on 7x7": ("GTI131", lambda: Net(14).conv(16).pool().conv(16)),
    "5 planes": ("GTI133", lambda: Net(14, channels=5).conv(16)),
    "1028 channels": ("GTI134", lambda: small().conv(1028).conv(16)),
    "1x1 on the picture": ("GTI135", lambda: Net(14).pointwise(16)),
    "8 majors": ("GTI140", lambda: Net(448).conv(8).pool().conv(8).pool().conv(8).pool().conv(8).pool().conv(8).pool()
                 .conv(8, 3).conv(8, 8).conv(8, 1)),
    "13 sublayers of 7 majors": ("GTI140", lambda: deep(85)),
    "64 to 64 at 224": ("GTI142", lambda: Net(224).conv(64).conv(64).conv(64).pool()),
    "odd and even shortcuts in a glued run": ("GTI146", lambda: Net(28).conv(16).residual(16).pool().conv(16)),
    "shortcut over two widths": ("GTI147", lambda: _mixed_residual()),
    "lone depthwise": ("GTI148", lambda: small().conv(16).depthwise().conv(16)),
    "depthwise that widens a picture": ("GTI149", lambda: Net(28, 16).depthwise().pointwise(32).conv(32, 8)),
    "10 bits and two sublayers": ("GTI150", lambda: small().conv(16).conv(16, relu=31.96875).conv(16)),
}  # fmt: skip


def _mixed_residual() -> Net:
    net = small().conv(16)
    first = net.last
    net.conv(16, 3).conv(16, 8, relu=False)
    return net.put("a", Add(), net.last, first).relu().conv(16, 8)


RIGHT: dict[str, Make] = {
    "gnetdet448": gnetdet,
    "gnetdet224": lambda: gnetdet(224),
    "narrow": lambda: gnetdet(224, width=0.125),
    "one conv": lambda: small().conv(16),
    "1-bit": lambda: small().conv(16, 1),
    "8-bit": lambda: small().conv(16, 8),
    "12 sublayers": lambda: deep(12),
    "13 sublayers in two majors": lambda: deep(13),
    "84 sublayers": lambda: deep(84),
    "7 majors": lambda: (
        Net(448).conv(8).pool().conv(8).pool().conv(8).pool().conv(8).pool().conv(8).pool().conv(8).conv(8, 8)
    ),
    "pooled 7x7 output": lambda: Net(28).conv(16).pool().conv(16).pool(),
    "sampling pools": lambda: Net(56).conv(16).sample().conv(16).sample().conv(16),
    "bn between conv and relu": lambda: small().conv(16, bias=False, relu=False).put("b", BatchNorm()).relu().conv(16),
    "residual at 2": lambda: small().conv(16).residual(16).conv(16),
    "residual at 1": lambda: Net(14, channels=16).residual(16).conv(16),
    "residuals of one parity": lambda: two_residuals(0),
    "residuals of two parities, cut between": lambda: two_residuals(1),
    "residual last, no pool": lambda: small().conv(16).residual(16),
    "pointwise": lambda: small().conv(16).pointwise(16).pointwise(24),
    "pointwise behind 12 channels": lambda: small().conv(12, 8).pointwise(16),
    "depthwise and pointwise": lambda: small().conv(16).depthwise().pointwise(16),
    "depthwise and wider pointwise": lambda: small().conv(16).depthwise().pointwise(32).conv(32, 8),
    "pointwise and depthwise": lambda: small().conv(16).pointwise(32).depthwise(),
    "two depthwise": lambda: small().conv(16).depthwise().depthwise(),
    "10-bit last layer alone": lambda: small().conv(16).conv(16, relu=31.96875),
    "interior of 20": lambda: small().conv(20).conv(16),
    "64 to 32 at 224": lambda: Net(448).conv(64).pool().conv(32).conv(32).pool().conv(16),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_limit_is_an_error_of_its_code(name: str, gti5801: Target) -> None:
    code, make = WRONG[name]
    assert code in codes(judge(make(), gti5801).findings, "error")


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_chip_runs_is_no_error(name: str, gti5801: Target) -> None:
    judgement = judge(RIGHT[name](), gti5801)
    assert codes(judgement.findings, "error") == []
    assert judgement.plan is not None


@pytest.mark.parametrize("size", [448, 224, 112, 56, 28, 14])
def test_legal_sizes(size: int, gti5801: Target) -> None:
    assert codes(judge(Net(size).conv(8), gti5801).findings) == []


def test_every_error_points_at_the_users_line_and_most_at_the_targets(gti5801: Target) -> None:
    pointing = 0
    for code, make in WRONG.values():
        for finding in judge(make(), gti5801).findings:
            if finding.code == code and finding.level == "error":
                assert finding.span is not None and finding.help, finding
                pointing += any(related.span.file.endswith("probe.det") for related in finding.related)
    assert pointing >= len(WRONG)


@pytest.mark.parametrize(
    ("classes", "expected"), [(20, []), (245, []), (246, ["GTI137"]), (247, ["GTI136"]), (300, ["GTI136"])]
)
def test_the_class_limit_is_246_and_the_vendors_245(classes: int, expected: list[str], gti5801: Target) -> None:
    found = judge(gnetdet(classes=classes), gti5801, [head(classes)]).findings
    assert [code for code in codes(found) if code != "GTI144"] == expected
    if classes > 246:
        finding = next(f for f in found if f.code == "GTI136")
        assert finding.level == "error" and "246" in finding.help and f"{classes} classes" in finding.message
        assert finding.related[0].span.file.endswith("probe.det")


def test_one_box_leaves_room_for_251_classes(gti5801: Target) -> None:
    net = Net(14).conv(16).conv(5 + 252, 8)
    finding = next(f for f in judge(net, gti5801, [head(252, boxes=1)]).findings if f.code == "GTI136")
    assert "251" in finding.help


def test_a_320_picture_names_the_legal_sizes_once(gti5801: Target) -> None:
    found = [f for f in judge(Net(320).conv(16).pool().conv(16), gti5801).findings if f.level == "error"]
    assert [f.code for f in found] == ["GTI130"]
    for size in (448, 224, 112, 56, 28, 14):
        assert str(size) in found[0].message
    assert "280x280" not in found[0].help


def test_a_wrong_kernel_is_one_mistake_not_two(gti5801: Target) -> None:
    found = judge(small().conv(16, k=(5, 5), pad=(2, 2)), gti5801).findings
    assert codes(found) == ["GTI101"]
    assert codes(judge(small().conv(16, k=(3, 3), pad=(2, 2)).conv(16), gti5801).findings, "error")[0] == "GTI103"


def test_what_stands_on_the_host_is_no_matter_of_the_chip(gti5801: Target) -> None:
    net = Net(14).conv(16).put("q", Sigmoid())
    assert codes(judge(net, gti5801).findings) == ["GTI107"]
    net = Net(14).conv(16).put("q", Sigmoid())
    assert codes(judge(net, gti5801, host=frozenset({"q1"})).findings) == []


def test_the_chip_reads_nothing_from_the_host_but_the_picture(gti5801: Target) -> None:
    net = Net(14).conv(16).put("q", Sigmoid()).conv(16)
    assert "GTI117" in codes(judge(net, gti5801, host=frozenset({"q1"})).findings)


def test_unmarked_convs_get_8_bits_and_a_note(gti5801: Target) -> None:
    judgement = judge(Net(14).conv(16, bits=None), gti5801)
    assert codes(judgement.findings, "note") == ["GTI123"]
    assert judgement.plan and judgement.plan["majors"][0]["bits"] == 8


def test_a_relu_without_cap_is_a_note(gti5801: Target) -> None:
    assert codes(judge(Net(14).conv(16, relu=None), gti5801).findings, "note") == ["GTI125"]


def test_weights_beyond_the_soft_limit_are_a_warning(gti5801: Target) -> None:
    judgement = judge(_wide(12), gti5801)
    assert codes(judgement.findings) == ["GTI144"]
    bar = next(bar for bar in judgement.limits if bar["name"] == "weight_memory")
    assert bar["soft"] and bar["placeholder"] and bar["used"] > bar["limit"]


def _wide(count: int) -> Net:
    net = Net(14)
    for _ in range(count):
        net.conv(256, 8)
    return net
