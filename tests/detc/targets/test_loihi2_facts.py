"""Facts in .det, judgement in Python: every number of loihi2's target.det decides something, and none stands in a .py file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sigma_delta_nets import Chain, codes, judge, load_target, mnist, small

import detc.targets.loihi2 as package
from detc.ir.ops.activation import Relu
from detc.semantics.program import Section, Target
from detc.targets import det_file

Make = Callable[[], Chain]


def large() -> Chain:
    """More cores than one chip has."""
    return Chain(160).encode().layer(32).head(4)


def heavy() -> Chain:
    """A layer whose weights fill cores before its neurons do."""
    return Chain(14, channels=256).encode().layer(256).head(4)


def dense() -> Chain:
    return Chain(7, channels=16).encode().flatten().dense(100).head(10)


def learned(**fields: object) -> Chain:
    return Chain().encode().conv(8).neurons(**fields).head(4)


def stored(weights: tuple[str, int, int], **fields: object) -> Chain:
    return Chain().encode().conv(8, weights=weights, **fields).neurons().head(4)


def wide() -> Chain:
    return Chain(8, 300).encode().layer(8).head(4)


FLIPS: list[tuple[str, str, str, Make]] = [
    # fact, text in target.det, edited text, a net whose verdict flips
    ("board.chips", "board { chips = 1 }", "board { chips = 8 }", large),
    ("chip.cores", "cores = 120", "cores = 600", large),
    ("core.neurons", "neurons = 4095", "neurons = 1000", small),
    ("core.groups", "groups = 8", "groups = 1", small),
    ("core.synapses", "synapses = 128000 B", "synapses = 1000 B", heavy),
    ("core.memory", "memory = 160000 B", "memory = 40000 B", heavy),
    ("core.neuron_memory", "neuron_memory = 32768 B", "neuron_memory = 130000 B", heavy),
    ("core.word", "word = 8 B", "word = 64 B", heavy),
    ("estimate.conv.axon_in", "axon_in      = 16 B", "axon_in      = 90000 B", heavy),
    ("estimate.conv.axon_map", "axon_map     = 8 B  # an output pixel", "axon_map     = 6000 B", heavy),
    ("estimate.conv.list_words", "list_words   = 1    # before the weights that an input channel",
     "list_words   = 9    # before the weights that an input channel", heavy),
    ("estimate.conv.groups", 'groups       = 1 @source("inferred: tables, at most',
     'groups       = 9 @source("inferred: tables, at most', small),
    ("estimate.conv.axon_memory", "axon_memory = 3840 B", "axon_memory = 99000 B", heavy),
    ("estimate.dense.axon_in", "axon_in      = 8 B", "axon_in      = 180 B", dense),
    ("estimate.dense.axon_map", "axon_map     = 8 B  # an output list_words", "axon_map     = 3000 B\nlist_words", dense),
    ("estimate.dense.list_words", "list_words   = 1    # before the weights that an input has", "list_words   = 15", dense),
    ("estimate.dense.synapse_bits", "synapse_bits = 20 bits", "synapse_bits = 32 bits", dense),
    ("estimate.dense.groups", "groups       = 1 axon_memory  = 0 B", "groups       = 9 axon_memory  = 0 B", dense),
    ("estimate.dense.axon_memory", "axon_memory  = 0 B", "axon_memory  = 150000 B", dense),
    ("estimate.readout.axon_map", "readout { axon_map = 8 B", "readout { axon_map = 800 B", small),
    ("estimate.readout.groups", "groups = 2 }", "groups = 9 }", small),
    ("estimate.cores.margin", "margin = 10 %", "margin = 20 %", small),
    ("estimate.events.activity", "activity: float = 0.1", "activity: float = 0.2", small),
    ("estimate.latency.steps", "steps = 1 }", "steps = 2 }", small),
    ("type.weight.scheme", 'scheme in ["fixed"]', 'scheme in ["masked"]', small),
    ("type.weight.bits", "bits  == 8 bits", "bits  == 7 bits", small),
    ("type.weight.scale", "scale == 64 step", "scale == 32\nstep", lambda: stored(("fixed", 8, 32))),
    ("type.weight.step", "step  == 2", "step  == 4", lambda: stored(("fixed", 7, 128))),
    ("type.weight.range", "step  == 2 range in -256 .. 254", "step  == 2 range in -128 .. 126", small),
    ("type.value.range", "value { range in -256 .. 254 }", "value { range in -256 .. 60 }", small),
    ("type.threshold.scale", "threshold { scale = 64", "threshold { scale = 4", small),
    ("type.threshold.least", "least >= 1", "least >= 9", small),
    ("type.accumulator.bits", "bits = 24 bits", "bits = 40 bits", small),
    ("type.message.bits", "bits == 16 bits", "bits == 12 bits", small),
    ("type.message.spike_exp", "spike_exp = 6", "spike_exp = 10", small),
    ("type.message.scale", "spike_exp = 6  scale = 64", "spike_exp = 6  scale = 1024", small),
    ("op.conv.bias", "conv { bias == false", "conv { bias == true", small),
    ("op.conv.batch_norm", "batch_norm == false", "batch_norm == true",
     lambda: stored(("fixed", 8, 64), batch_norm="b", bias=True)),
    ("op.conv.activation", 'batch_norm == false  activation in ["none"]', 'batch_norm == false  activation in ["relu"]',
     lambda: Chain().encode().conv(8).put("r", Relu()).neurons().head(4)),
    ("op.conv.end", "end == 0", "end == 1", small),
    ("op.conv.delay", "delay == 0", "delay == 3", lambda: learned(delay=3)),
    ("op.linear.bias", "linear { bias == false", "linear { bias == true", dense),
    ("op.linear.activation", 'linear { bias == false  activation in ["none"]',
     'linear { bias == false  activation in ["relu"]', dense),
    ("op.linear.delay", "delay in 0 .. 62", "delay in 0 .. 2",
     lambda: Chain(4).encode().flatten().linear(8).neurons(delay=3).head(4)),
    ("op.sigma_delta.activation", 'sigma_delta { activation in ["relu"]', 'sigma_delta { activation in ["none"]', small),
    ("op.sigma_delta.shared", "shared == true", "shared == false", small),
    ("op.sigma_delta.norm", 'norm in ["none", "mean', 'norm in ["mean', small),
    ("limit.ops", '"neuron.sigma", "identity"', '"identity"', small),
    ("limit.inputs", "inputs == 1", "inputs == 2", small),
    ("limit.width", "width <= 256", "width <= 300", wide),
    ("limit.steps", "steps >= 2", "steps >= 9", small),
]  # fmt: skip

READ_FOR_STAGES = {"stages..quantize", "stages..calibrate", "stages..regularize"}
"""Facts that the stages of a spec are fitted to, where no static verdict rests on them."""


@pytest.fixture(scope="module")
def loihi2(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return load_target(tmp_path_factory.mktemp("target"), name="loihi2")


def verdict(chain: Chain, target: Target) -> tuple[object, ...]:
    judgement = judge(chain, target)
    said = [(f.code, f.message) for f in judgement.findings]
    return said, judgement.metrics, judgement.errors


@pytest.mark.parametrize(("fact", "old", "new", "make"), FLIPS, ids=[flip[0] for flip in FLIPS])
def test_editing_a_number_flips_the_verdict(
    fact: str, old: str, new: str, make: Make, loihi2: Target, tmp_path: Path
) -> None:
    assert verdict(make(), loihi2) != verdict(make(), load_target(tmp_path, (old, new), name="loihi2"))


def paths(section: Section, prefix: str = "") -> Iterator[str]:
    for name in section.facts:
        yield f"{prefix}{name}"
    for inner in section.sections:
        label = (
            "limit." if inner.kind == "limits" else f"{inner.kind}.{inner.label}." if inner.label else f"{inner.kind}."
        )
        yield from paths(inner, label)


def test_every_fact_of_the_target_is_edited_here(loihi2: Target) -> None:
    stages = {path.replace("..", ".") for path in READ_FOR_STAGES}
    assert set(paths(loihi2.root)) - stages == {flip[0] for flip in FLIPS}


def test_every_fact_has_a_source_and_inferred_ones_say_so(loihi2: Target) -> None:
    def facts(section: Section) -> Iterator[tuple[str, str, bool]]:
        yield from ((name, f.source, f.placeholder) for name, f in section.facts.items())
        for inner in section.sections:
            yield from facts(inner)

    assert [fact.name for fact in loihi2.placeholders()] == ["activity"]
    assert all(source or placeholder for _, source, placeholder in facts(loihi2.root))
    core = loihi2.root.find("core")
    assert core is not None and all(fact.source.startswith("inferred: ") for fact in core.facts.values())


def test_no_limits_value_stands_in_python() -> None:
    text = re.sub(r'"[^"]*"|#.*', "", det_file("loihi2").read_text(encoding="utf-8"))
    shown = {64.0}  # MOST_BITS, which bounds hostile targets
    values = {float(n) for n in re.findall(r"\d+(?:\.\d+)?", text) if float(n) > 8} - shown
    assert {4095.0, 128000.0, 120.0, 256.0, 16.0} <= values
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                assert float(node.value) not in values, f"{path.name}:{node.lineno} holds {node.value}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("neurons = 4095", ""),
        ("neurons = 4095", 'neurons = "many"'),
        ("word = 8 B", "word = 0 B"),
        ("bits = 24 bits", "bits = 99999 bits"),
    ],
)
def test_a_target_that_lacks_a_fact_is_told_so(old: str, new: str, tmp_path: Path) -> None:
    told = judge(mnist(), load_target(tmp_path, (old, new), name="loihi2")).findings
    assert codes(told) == ["LOI190"] and told[0].level == "error"
