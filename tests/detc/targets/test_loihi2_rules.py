"""Every rule of Loihi 2 has a code, and a net on either side of it gets the verdict of facts, not more and not less."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from sigma_delta_nets import Chain, codes, found, judge, load_target, small, spec_of

import detc.targets.loihi2 as package
from detc.compilation import compile_spec
from detc.diagnostics import Rule, Span
from detc.ir.graph import Node
from detc.ir.ops.activation import Relu
from detc.ir.ops.combine import Add, Concat, Identity
from detc.ir.ops.neuron import Cuba, Unpool
from detc.ir.ops.norm import BatchNorm
from detc.ir.ops.pool import MaxPool
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.library import find_spec
from detc.report.ansi import Terminal
from detc.report.html import report_html
from detc.report.text import report_text
from detc.semantics.program import Target

Make = Callable[[], Chain]
Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def loihi2(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return load_target(tmp_path_factory.mktemp("target"), name="loihi2")


def begun() -> Chain:
    return Chain().encode()


def neurons(**fields: object) -> Chain:
    return begun().conv(8).neurons(**fields).head(4)


def weights(scheme: str, bits: int, scale: float) -> Chain:
    return begun().conv(8, weights=(scheme, bits, scale)).neurons().head(4)


def residual() -> Chain:
    chain = begun().layer(8)
    first = chain.last
    chain.layer(8)
    return chain.put("a", Add(), chain.last, first).layer(8).head(4)


def two_inputs() -> Chain:
    chain = begun().layer(8).head(4)
    op = Input(shape=(3, 14, 14), steps=8, scale=255.0)
    chain.graph.add(Node("other", op, (), TensorType(op.shape, op.dtype), Span("net.det", 99, 1, 99, 9)))
    chain.graph.outputs["p"] = (chain.last, chain.put_from("other").encode().layer(8).head(4).last)
    return chain


def joined() -> Chain:
    chain = begun().layer(8)
    trunk = chain.last
    far = chain.layer(8).head(4).last
    wide = chain.put_from(trunk).put("u", Unpool()).last
    near = chain.put_from(trunk).layer(4, s=1).last
    chain.put("u", Unpool())
    chain.put("o", Concat(), wide, chain.last).layer(4).head(4)
    chain.graph.outputs["p"] = (far, chain.last)
    assert near
    return chain


ERRORS: list[tuple[str, Make]] = [
    ("LOI100", lambda: Chain().conv(8).put("r", Relu()).conv(4)),
    ("LOI101", lambda: begun().layer(8).put("p", MaxPool()).layer(8).head(4)),
    ("LOI101", residual),
    ("LOI101", joined),
    ("LOI101", lambda: begun().layer(8).put("b", BatchNorm()).layer(8).head(4)),
    ("LOI102", lambda: Chain().conv(8).put("k", Cuba()).layer(8).head(4)),
    ("LOI103", lambda: begun().conv(8).conv(8).neurons().head(4)),
    ("LOI104", lambda: begun().layer(8).put("g", small().graph["e1"].op).conv(8).neurons().head(4)),
    ("LOI104", lambda: begun().layer(8).neurons().layer(8).head(4)),
    ("LOI105", lambda: Chain().layer(8).head(4)),
    ("LOI106", lambda: begun().layer(8)),
    ("LOI106", lambda: begun().conv(8)),
    ("LOI107", lambda: begun().conv(8).sigma().layer(8).head(4)),
    ("LOI109", two_inputs),
    ("LOI110", lambda: begun().conv(8, bias=True).neurons().head(4)),
    ("LOI110", lambda: begun().flatten().linear(8, bias=True).neurons().head(4)),
    ("LOI111", lambda: begun().conv(8).put("b", BatchNorm()).neurons().head(4)),
    ("LOI112", lambda: begun().conv(8).put("r", Relu()).neurons().head(4)),
    ("LOI113", lambda: begun().conv(8, s=2, pad=(0, 0), end=(1, 1)).neurons().head(4)),
    ("LOI114", lambda: weights("masked", 8, 64)),
    ("LOI115", lambda: weights("fixed", 8, 32)),
    ("LOI116", lambda: weights("fixed", 8, 128)),
    ("LOI120", lambda: neurons(activation=None)),
    ("LOI121", lambda: neurons(shared=False)),
    ("LOI123", lambda: neurons(threshold=1 / 65)),
    ("LOI126", lambda: neurons(message=24)),
    ("LOI127", lambda: neurons(delay=1)),
    ("LOI128", lambda: neurons(threshold=8.0)),
    ("LOI140", lambda: Chain(224).encode().layer(16).head(4)),
    ("LOI141", lambda: Chain(60).encode().flatten().dense(4).head(2)),
]
FINE: list[Make] = [
    small,
    lambda: begun().layer(8).put("i", Identity()).layer(8, groups=2, dilation=(2, 2)).head(4),
    lambda: begun().flatten().linear(8, weight_norm=True).neurons(norm="mean_only_batch", delay=62).head(4),
    lambda: weights("fixed", 8, 64),
    lambda: neurons(threshold=1 / 64),
    lambda: neurons(threshold=7.984375),
    lambda: neurons(message=16, norm="mean_only_batch"),
    lambda: Chain(16, 256, 1).encode().layer(4, s=2).head(2),
]
OTHERS: list[tuple[str, str, Make]] = [
    ("LOI117", "warning", lambda: weights("fixed", 5, 64)),
    ("LOI118", "note", lambda: begun().conv(8, weights=None).neurons().head(4)),
    ("LOI124", "note", lambda: neurons(threshold=0.1)),
    ("LOI125", "note", lambda: neurons(trainable=True)),
    ("LOI130", "warning", lambda: Chain(steps=None).encode().layer(8).head(4)),
    ("LOI130", "warning", lambda: Chain(steps=1).encode().layer(8).head(4)),
    ("LOI131", "warning", lambda: Chain(scale=1.0).encode().layer(8).head(4)),
    ("LOI132", "warning", lambda: Chain(scale=16.0, offset=-8.0).encode(threshold=0.125).layer(8).head(4)),
    ("LOI133", "warning", lambda: Chain(16, 257, 1).encode().layer(4, s=2).head(2)),
    ("LOI134", "note", small),
    ("LOI135", "note", joined),
    ("LOI136", "note", small),
]


@pytest.mark.parametrize(("code", "make"), ERRORS, ids=[f"{code}-{n}" for n, (code, _) in enumerate(ERRORS)])
def test_what_a_net_file_cannot_carry_is_refused(code: str, make: Make, loihi2: Target) -> None:
    judgement = judge(make(), loihi2)
    assert codes(judgement.findings, "error") == [code]
    finding = found(judgement, code)
    assert finding.span is not None and finding.related and finding.help and "{" not in finding.message + finding.help


@pytest.mark.parametrize("number", range(len(FINE)))
def test_what_it_carries_is_not_refused(number: int, loihi2: Target) -> None:
    judgement = judge(FINE[number](), loihi2)
    assert codes(judgement.findings) == [] and judgement.plan is not None


@pytest.mark.parametrize(("code", "level", "make"), OTHERS, ids=[f"{o[0]}-{n}" for n, o in enumerate(OTHERS)])
def test_what_may_hurt_is_told(code: str, level: str, make: Make, loihi2: Target) -> None:
    finding = found(judge(make(), loihi2), code)
    assert finding.level == level and "{" not in finding.message + finding.help


def test_every_code_has_a_net_here(loihi2: Target) -> None:
    tested = {code for code, _ in ERRORS} | {code for code, _, _ in OTHERS}
    elsewhere = {"LOI108", "LOI142", "LOI190", "LOI199", "LOI122"}  # LOI122: the language has no other norm
    modules = [import_module(f"{package.__name__}.{path.stem}") for path in Path(package.__file__).parent.glob("*.py")]
    own = {rule.code for module in modules for rule in vars(module).values() if isinstance(rule, Rule)}
    assert tested | elsewhere == own


def test_a_layer_on_the_host_is_refused(loihi2: Target) -> None:
    judgement = judge(small(), loihi2, frozenset({"s1"}))
    assert codes(judgement.findings, "error") == ["LOI108"] and judgement.plan is None


def test_a_net_without_neurons_gets_one_answer() -> None:
    done = compile_spec(find_spec("gnetdet448"), "kapoho_point")
    assert [f.code for f in done.findings if f.level == "error"] == ["LOI100"] and done.refused
    assert "there is no layer for maxpool" in next(f for f in done.findings if f.code == "LOI100").help


def test_spiking_nets_get_one_answer() -> None:
    done = compile_spec(find_spec("yolo_kp_events"), "kapoho_point")
    assert {f.code for f in done.findings if f.level == "error"} == {"LOI102"}


def test_of_two_heads_that_are_joined_the_free_one_is_named() -> None:
    done = compile_spec(find_spec("yolo_kp_dual_head"), "kapoho_point")
    assert {f.code for f in done.findings if f.level == "error"} == {"LOI101"} and done.plan is None
    note = next(f for f in done.findings if f.code == "LOI135")
    assert (
        "1 of 2 outputs" in note.message
        and "far.predict1.sigma1" in note.message
        and "11 layers, ~650 cores" in note.message
    )


def test_all_mistakes_at_once(loihi2: Target) -> None:
    chain = Chain(scale=1.0, steps=None).encode(threshold=0.01).conv(8, bias=True, weights=("fixed", 8, 32))
    chain.neurons(activation=None, delay=2).put("p", MaxPool()).layer(8)
    wanted = {"LOI101", "LOI106", "LOI110", "LOI115", "LOI120", "LOI123", "LOI127", "LOI130", "LOI131"}
    assert set(codes(judge(chain, loihi2).findings)) == wanted


def test_the_remedy_names_what_fits_and_is_true() -> None:
    done = compile_spec(find_spec("yolo_kp4"), "oheo_gulch")
    finding = next(f for f in done.findings if f.code == "LOI140")
    quarter = "1/4 of the channels (`prune(.., channels = 1 / 4)`) takes ~"
    for part in ("a picture of 224x224 takes ~76 cores", quarter, "a board of 3 chips"):
        assert part in finding.help
    smaller = compile_spec(find_spec("yolo_kp4"), "oheo_gulch", {"image": "224"})
    assert smaller.fits and smaller.metrics["cores"] == 76


def test_activity_is_the_users_to_set() -> None:
    default, measured = (
        compile_spec(find_spec("yolo_kp4"), "kapoho_point", {"image": "96", **sets}).metrics
        for sets in ({}, {"target.activity": "0.05"})
    )
    for estimate in ("events_est", "synops_est"):
        assert default[estimate] == pytest.approx(2 * measured[estimate], abs=1)
    assert default["cores"] == measured["cores"]


def test_a_wrong_activity_is_one_mistake_and_its_default_judges_the_rest() -> None:
    for wrong, code in (("2", "PAR122"), ("much", "PAR121")):
        done = compile_spec(find_spec("yolo_kp4"), "kapoho_point", {"image": "96", "target.activity": wrong})
        assert [f.code for f in done.findings if f.level == "error"] == [code] and "cores" in done.metrics


def test_a_bias_before_the_read_out_is_just_left_out(loihi2: Target) -> None:
    finding = found(judge(begun().layer(8).conv(4, bias=True).sigma(), loihi2), "LOI110")
    assert finding.help == "write `bias = false`"


def test_gates_of_a_deploy_block_judge_cores(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "deploy board on loihi2.kapoho_point { model = kp  require cores <= 100 }\n")
    done = compile_spec(spec, "kapoho_point", {"image": "224"})
    assert [f.code for f in done.findings if f.level == "error"] == ["GAT101"] and done.metrics["cores"] == 166


def test_the_report_of_yolo_kp(tmp_path: Path, golden: Golden) -> None:
    done = compile_spec(spec_of(tmp_path), "kapoho_point")
    golden("report/yolo_kp.kapoho_point.txt", report_text(done, Terminal()).replace(f"{tmp_path}/", ""))
    page = report_html(done)
    assert "How full a core of each layer is" in page and "16x14x16" in page
