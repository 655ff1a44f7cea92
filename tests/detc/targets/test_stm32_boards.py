"""The boards that come with detc, a user's own, and the facts that they state."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from stm32_nets import SPECS, STM32, edited, facts_of, target_of

from detc.cli import main
from detc.targets import builtin_names, judged_names
from detc.targets.stm32.facts import flashes, memories
from detc.targets.stm32.memory_checks import check_target
from detc.targets.stm32.st_rules import StRules, read_rules

BOARDS = sorted(path.stem for path in STM32.glob("boards/*.det"))
MEMBERS = sorted(path.stem for path in STM32.glob("*/*.det"))
KIB = 1024


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_says_all_that_a_net_is_judged_by(name: str) -> None:
    target = target_of(name)
    assert target.lineage[0] == name and target.lineage[-2:] == ("stm32", "microcontroller")
    assert not list(check_target(target)) and isinstance(read_rules(target), StRules)
    assert target.doc or target.root.doc
    pools = (*memories(target), *flashes(target))
    assert all(pool.size and 0 <= pool.application <= pool.size for pool in pools)
    spans = sorted((pool.address, pool.address + pool.size) for pool in pools)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans)), "memories overlap"
    core = target.root.find("core")
    assert core is not None and {"name", "clock", "fpu", "dsp", "mve"} <= set(core.facts)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_file_holds_the_one_target_that_it_is_named_after(name: str) -> None:
    text = next(STM32.glob(f"*/{name}.det")).read_text(encoding="utf-8")
    assert re.findall(r"^target (\w+) extends \w+", text, re.M) == [name]
    assert text.startswith("## "), "`detc targets` tells the first line"


@pytest.mark.parametrize("name", BOARDS)
def test_every_number_has_a_source_with_a_place_or_says_that_it_has_none(name: str) -> None:
    for path, fact in facts_of(target_of(name).root).items():
        assert fact.placeholder or re.search(r"[,:;]|introduction", fact.source), f"{path}: {fact.source!r}"


def test_what_st_s_own_applications_leave_to_a_net() -> None:
    disco = {pool.name: pool.room // KIB for pool in memories(target_of("stm32h747i_disco"))}
    assert disco == {"axi": 415, "dtcm": 120, "sdram": 20_000, "sram123": 0, "sram4": 0}
    assert [pool.room // KIB for pool in flashes(target_of("stm32h747i_disco"))] == [1024, 128_000]
    n6 = [pool for pool in memories(target_of("stm32n6570_dk")) if pool.npu and not pool.external]
    assert sum(pool.room for pool in n6) == 2816 * KIB


def test_all_are_listed_and_boards_are_what_a_net_is_put_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"gti5801", "stm32", *MEMBERS} <= set(builtin_names())
    assert {"gti5801", *BOARDS} <= set(judged_names()) and "stm32h7" not in judged_names()
    assert main(["targets"]) == 0
    listed = capsys.readouterr().out
    assert all(re.search(rf"^{name} +\S", listed, re.M) for name in MEMBERS)
    assert main(["targets", "nucleo_h743zi"]) == 0
    assert "nucleo_h743zi  extends stm32h743zi < stm32h7 < cortex_m7 < stm32" in capsys.readouterr().out


PAGE = Path(__file__).parents[3] / "docs" / "stm32.md"


def test_a_board_of_one_s_own_is_ten_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = PAGE.read_text(encoding="utf-8").split("```det\n")[1].split("```")[0]
    assert len(own.splitlines()) <= 10
    (tmp_path / "mycam.det").write_text(own, encoding="utf-8")
    spec = tmp_path / "mine.det"
    spec.write_text((SPECS / "st_yolo_lc_v1.det").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["check", str(spec), "--target", "mycam", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    bars = {bar["name"]: bar["limit"] for bar in report["limits"]}
    assert bars["ram_st"] == (512 - 64 - 100) * KIB
    assert bars["ram_own"] == (512 - 164 + 128 + 288) * KIB
    assert report["errors"]["ram_st"] == 0.1 and report["fits"]


def test_an_application_that_keeps_more_than_there_is_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.det").write_text("target b extends nucleo_g474re { buffer camera { memory = sram  size = 1 MiB } }")
    found = list(check_target(target_of("b", tmp_path)))
    assert "STM106" in {finding.code for finding in found}


def test_a_family_is_no_board() -> None:
    found = list(check_target(target_of("stm32h7")))
    assert {finding.code for finding in found} == {"STM100"} and found[0].related


@pytest.mark.parametrize("old", ["pointwise_ratio = 2 ", "conv_most         = 5120 B", "bias_bytes = 4 B"])
def test_a_target_that_lacks_a_rule_is_told_so(old: str, tmp_path: Path) -> None:
    rules = read_rules(edited(tmp_path, "nucleo_f411re", old, ""))
    assert isinstance(rules, tuple) and [finding.code for finding in rules] == ["STM190"]
