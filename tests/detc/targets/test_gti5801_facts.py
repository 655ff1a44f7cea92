"""Facts in .det, judgement in Python: every number of target.det decides something, and none stands in a .py file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gti_nets import Net, codes, gnetdet, judge

import detc.targets.gti5801 as package
from detc.semantics.program import Section, Target
from detc.targets import det_file

TargetOf = Callable[..., Target]
Make = Callable[[], Net]


def plain() -> Net:
    return Net(14).conv(16)


def pointwise() -> Net:
    return plain().pointwise(16)


def separable() -> Net:
    return plain().depthwise().pointwise(16)


def wide_last() -> Net:
    return Net(14).conv(16).conv(16, relu=31.96875)


FLIPS: list[tuple[str, str, str, Make]] = [
    # fact, text in target.det, edited text, a net whose verdict flips
    ("type.weight.bits", "[1 bits, 3 bits, 8 bits]", "[2 bits, 3 bits, 8 bits]", lambda: Net(14).conv(16, 1)),
    ("type.weight.bits", "[1 bits, 3 bits, 8 bits]", "[1 bits, 4 bits, 8 bits]", lambda: Net(14).conv(16, 3)),
    ("type.weight.bits", "[1 bits, 3 bits, 8 bits]", "[1 bits, 3 bits, 9 bits]", lambda: Net(14).conv(16, 8)),
    ("type.weight.scheme", '"masked"', '"fixed"', plain),
    ("type.weight.unmarked", "unmarked = 8 bits", "unmarked = 5 bits", lambda: Net(14).conv(16, None)),
    ("type.weight.shift", "0 .. 12", "0 .. 6", lambda: Net(14).conv(16, weights=("masked", 8, ("shift", 7)))),
    ("type.weight.shift", "0 .. 12", "8 .. 12", lambda: Net(14).conv(16, weights=("masked", 8, ("shift", 7)))),
    ("type.bias.bits", "bits = 20 bits", "bits = 4 bits", lambda: Net(14).conv(16, init=("bias", 12.0))),
    ("type.activation.bits", "bits = 5 bits ", "bits = 4 bits ", plain),
    ("type.activation.cap", "bits = 5 bits  cap = 31 }", "bits = 5 bits  cap = 32 }", plain),
    ("type.wide_activation.bits", "bits = 10 bits ", "bits = 9 bits ", wide_last),
    ("type.wide_activation.cap", "cap = 31.96875  sub", "cap = 31  sub", lambda: Net(14).conv(16).conv(16)),
    ("type.wide_activation.sublayers", "sublayers == 1 }", "sublayers == 2 }", wide_last),
    ("memory.activations.size", "size = 3 MiB", "size = 2 MiB", gnetdet),
    ("memory.activations.unit", "unit = 2 KiB", "unit = 3072 KiB", gnetdet),
    ("memory.activations.block", "block = 512 KiB", "block = 3 MiB", lambda: Net(224).conv(32).conv(64, 8)),
    ("memory.activations.tile", "tile = 14 px", "tile = 7 px", gnetdet),
    ("memory.activations.tile_bytes", "tile_bytes = 128 B", "tile_bytes = 256 B", gnetdet),
    ("memory.placement.exact_up_to", "exact_up_to = 512 KiB", "exact_up_to = 3 MiB", lambda: Net(224).conv(32).conv(64, 8)),
    ("memory.weights.size", "6553600 B", "5000000 B", gnetdet),
    ("op.conv.k", "op conv { k in [3x3]", "op conv { k in [5x5]", plain),
    ("op.conv.s", "op conv { k in [3x3]  s == 1", "op conv { k in [3x3]  s == 2", plain),
    ("op.conv.pad", "s == 1  pad == 1  dilation == 1  groups", "s == 1  pad == 0  dilation == 1  groups", plain),
    ("op.conv.dilation", "pad == 1  dilation == 1  groups", "pad == 1  dilation == 2  groups", plain),
    ("op.conv.groups", "pad == 1  dilation == 1  groups == 1", "pad == 1  dilation == 1  groups == 2", plain),
    ("op.conv.bias", "bias == true  weight_norm == false }", "bias == false  weight_norm == false }", plain),
    ("op.conv.weight_norm", "bias == true  weight_norm == false", "bias == true  weight_norm == true", plain),
    ("op.pointwise.k", "k in [1x1]", "k in [3x3]", pointwise),
    ("op.pointwise.s", "k in [1x1]  s == 1", "k in [1x1]  s == 2", pointwise),
    ("op.pointwise.pad", "pad == 0  dilation == 1", "pad == 1  dilation == 1", pointwise),
    ("op.pointwise.dilation", "pad == 0  dilation == 1", "pad == 0  dilation == 2", pointwise),
    ("op.pointwise.groups", "dilation == 1  groups == 1  bias == true  bits", "dilation == 1  groups == 2  bias == true  bits",
     pointwise),
    ("op.pointwise.bias", "groups == 1  bias == true  bits", "groups == 1  bias == false  bits", pointwise),
    ("op.pointwise.bits", "bits in [8 bits]  channel", "bits in [3 bits]  channel", pointwise),
    ("op.pointwise.channel_multiple", "channel_multiple == 8", "channel_multiple == 3", lambda: Net(14, 16).pointwise(16)),
    ("op.pointwise.weight_norm", "channel_multiple == 8  weight_norm == false", "channel_multiple == 8  weight_norm == true",
     pointwise),
    ("op.depthwise.weight_norm", "sublayers >= 2  weight_norm == false", "sublayers >= 2  weight_norm == true", separable),
    ("op.depthwise.k", "op depthwise { k in [3x3]", "op depthwise { k in [5x5]", separable),
    ("op.depthwise.s", "op depthwise { k in [3x3]  s == 1", "op depthwise { k in [3x3]  s == 2",
     separable),
    ("op.depthwise.pad", "pad == 1  dilation == 1  bias", "pad == 0  dilation == 1  bias", separable),
    ("op.depthwise.dilation", "pad == 1  dilation == 1  bias", "pad == 1  dilation == 2  bias",
     separable),
    ("op.depthwise.bias", "bias == true  bits in [8 bits]  sub", "bias == false  bits in [8 bits]  sub",
     separable),
    ("op.depthwise.bits", "bits in [8 bits]  sub", "bits in [3 bits]  sub", separable),
    ("op.depthwise.sublayers", "sublayers >= 2", "sublayers >= 1", lambda: plain().depthwise()),
    ("op.maxpool.k", "op maxpool { k == 2x2", "op maxpool { k == 3x3", lambda: Net(28).conv(16).pool().conv(16)),
    ("op.maxpool.s", "k == 2x2  s == 2", "k == 2x2  s == 1", lambda: Net(28).conv(16).pool().conv(16)),
    ("op.maxpool.pad", "s == 2  pad == 0", "s == 2  pad == 1", lambda: Net(28).conv(16).pool().conv(16)),
    ("op.samplepool.k", "op samplepool { k == 2x2", "op samplepool { k == 3x3", lambda: Net(28).conv(16).sample().conv(16)),
    ("op.relu.cap", "cap in [31, 31.96875]", "cap in [30, 31.96875]", plain),
    ("op.residual.convs", "convs == 2", "convs == 3", lambda: Net(14).conv(16).residual(16).conv(16)),
    ("op.residual.parities", "parities <= 1", "parities <= 0", lambda: Net(14).conv(16).residual(16).conv(16)),
    ("op.residual.kinds", '"conv3x3"', '"pointwise"', lambda: Net(14).conv(16).residual(16).conv(16)),
    ("op.residual.before_pool", "before_pool == false", "before_pool == true", lambda: Net(28).conv(16).residual(16).pool()),
    ("limit.ops", '"maxpool"', '"minpool"', lambda: Net(28).conv(16).pool().conv(16)),
    ("limit.activations", 'activations in ["relu"]', 'activations in ["silu"]', plain),
    ("limit.inputs", "inputs == 1", "inputs == 2", plain),
    ("limit.outputs", "outputs == 1", "outputs == 2", plain),
    ("limit.readers", "readers <= 1", "readers <= 0", plain),
    ("limit.pools_per_layer", "pools_per_layer <= 1", "pools_per_layer <= 0", lambda: Net(28).conv(16).pool().conv(16)),
    ("limit.pool_kinds", "pool_kinds <= 1", "pool_kinds <= 0", lambda: Net(28).conv(16).pool().conv(16)),
    ("limit.size", "limit size in [448, 224, 112, 56, 28, 14]", "limit size in [448, 224, 112, 56, 28]", plain),
    ("limit.output_size", "28, 14, 7]", "28, 14, 6]", lambda: plain().pool()),
    ("limit.input_channels", "[1, 2, 3, 4", "[1, 2, 4, 4", plain),
    ("limit.channels", "limit channels <= 1024", "limit channels <= 8", plain),
    ("limit.channel_multiple", "channel_multiple == 4", "channel_multiple == 32", lambda: Net(14).conv(16).conv(16)),
    ("limit.output_multiple", "output_multiple == 8", "output_multiple == 32", plain),
    ("limit.majors", "majors <= 7", "majors <= 6", gnetdet),
    ("limit.sublayers", "limit sublayers <= 12", "limit sublayers <= 1", gnetdet),
    ("limit.head_channels", "limit head_channels <= 256", "limit head_channels <= 16", lambda: Net(14).conv(30)),
    ("limit.vendor_head_channels", "vendor_head_channels <= 255", "vendor_head_channels <= 29", lambda: Net(14).conv(30)),
    ("file.chip_dat.header", "header = 148 B", "header = 150 B", gnetdet),
    ("file.chip_dat.line", "line = 48 B", "line = 96 B", gnetdet),
    ("file.chip_dat.reserve", "reserve = 1024000 B", "reserve = 1024001 B", gnetdet),
    ("file.chip_dat.minimum", "minimum = 5257984 B", "minimum = 9257984 B", gnetdet),
    ("file.chip_dat.kernels_1bit", "kernels_1bit = 16", "kernels_1bit = 8", lambda: Net(14).conv(16, 1)),
    ("file.chip_dat.kernels_3bit", "kernels_3bit = 8", "kernels_3bit = 4", gnetdet),
    ("file.chip_dat.kernels_8bit", "kernels_8bit = 4", "kernels_8bit = 2", gnetdet),
    ("file.chip_dat.kernels_pointwise", "kernels_pointwise = 32", "kernels_pointwise = 16", pointwise),
    ("file.chip_dat.kernels_depthwise", "kernels_depthwise = 4", "kernels_depthwise = 2", separable),
]  # fmt: skip

READ_BY_THE_LOCK = {"type.input.encoding"}
"""Facts that the runtime reads from the lock, where no static verdict rests on them."""
READ_FOR_STAGES = {"stages..quantize", "stages..calibrate"}
"""Facts that the stages of a spec are fitted to: see tests/detc/semantics/test_int8_stages.py."""
COSTS_ONLY = {"header", "line", "reserve", "minimum"}
"""Facts that no limit rests on: editing one changes a metric."""


def verdict(net: Net, target: Target) -> tuple[object, ...]:
    from detc.semantics.program import Head

    heads = [Head("gnetdet", ("grid",), {}, None)]
    judgement = judge(net, target, heads)
    return codes(judgement.findings, "error", "warning", "note"), judgement.metrics


@pytest.mark.parametrize(("fact", "old", "new", "make"), FLIPS, ids=[f"{f[0]}:{f[2][-14:]}" for f in FLIPS])
def test_editing_a_number_flips_the_verdict(
    fact: str, old: str, new: str, make: Make, gti5801: Target, target_of: TargetOf
) -> None:
    before, after = verdict(make(), gti5801), verdict(make(), target_of((old, new)))
    if fact.rpartition(".")[2] in COSTS_ONLY or "kernels" in fact:
        assert before[1] != after[1]
    else:
        assert before[0] != after[0]


def paths(section: Section, prefix: str = "") -> Iterator[str]:
    for name in section.facts:
        yield f"{prefix}{name}"
    for inner in section.sections:
        label = "limit." if inner.kind == "limits" else f"{inner.kind}.{inner.label}."
        yield from paths(inner, label)


def test_every_fact_of_the_target_is_edited_here(gti5801: Target) -> None:
    assert set(paths(gti5801.root)) - READ_BY_THE_LOCK - READ_FOR_STAGES == {flip[0] for flip in FLIPS}


def test_every_fact_has_a_source_or_says_that_it_has_none(gti5801: Target) -> None:
    assert [fact.name for fact in gti5801.placeholders()] == ["size"]  # of `memory weights`

    def facts(section: Section) -> Iterator[bool]:
        yield from (bool(f.source) or f.placeholder for f in section.facts.values())
        for inner in section.sections:
            yield from facts(inner)

    assert all(facts(gti5801.root))


def test_no_limits_value_stands_in_python() -> None:
    """Numbers of target.det beyond 3 do not occur as literals in the backend, but for units of display."""
    text = det_file("gti5801").read_text(encoding="utf-8")
    text = re.sub(r'"[^"]*"|#.*', "", text)
    values = {float(n) for n in re.findall(r"\d+(?:\.\d+)?", text) if float(n) > 5} - {20.0, 1024.0}
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                assert float(node.value) not in values, f"{path.name}:{node.lineno} holds {node.value}"


@pytest.mark.parametrize("old", ["limit majors <= 7", "line = 48 B", "limit size in [448, 224, 112, 56, 28, 14]"])
def test_a_target_that_lacks_a_fact_is_told_so(old: str, target_of: TargetOf) -> None:
    found = judge(plain(), target_of((old, ""))).findings
    assert codes(found) == ["GTI190"] and found[0].level == "error"


@pytest.mark.parametrize("old, new", [("kernels_8bit = 4", "kernels_8bit = 0"), ("unit = 2 KiB", 'unit = "two"')])
def test_a_fact_of_the_wrong_kind_is_told_so(old: str, new: str, target_of: TargetOf) -> None:
    assert codes(judge(plain(), target_of((old, new))).findings) == ["GTI190"]
