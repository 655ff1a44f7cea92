"""What a user is told where a net does not fit an STM32: the fullest step, what is alive, and the change that helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stm32_nets import SPECS

from detc.cli import main
from detc.diagnostics import Finding
from detc.targets.stm32.facts import Pool
from detc.targets.stm32.memory_checks import Peak, check_flash, check_own
from detc.targets.stm32.npu import NpuPlan, check_npu


def report(spec: str, target: str, capsys: pytest.CaptureFixture[str], *sets: str) -> dict[str, Any]:
    options = [word for entry in sets for word in ("--set", entry)]
    main(["check", str(SPECS / f"{spec}.det"), "--target", target, *options, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def findings(done: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [finding for finding in done["findings"] if finding["code"] == code]


def test_a_net_that_fits_has_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    done = report("st_yolo_lc_v1", "stm32h747i_disco", capsys, "image=192", "classes=1")
    assert done["fits"] and done["metrics"]["ram_st"] == 161_344 and done["metrics"]["weights_flash"] == 283_368
    assert done["metrics"]["ram_own"] < done["metrics"]["ram_st"] and done["metrics"]["peak_step"]
    assert 170 < done["metrics"]["latency_ms_est"] < 240 and done["errors"]["latency_ms_est"] == 0.15
    assert [bar["name"] for bar in done["limits"]] == ["ram_own", "ram_st", "flash_own", "flash_st"]


def test_too_much_ram_names_the_fullest_step_what_is_alive_and_a_picture_that_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = report("st_yolo_lc_v1", "stm32f4_discovery", capsys)
    (own,), (st,) = findings(done, "STM101"), findings(done, "STM102")
    assert (own["level"], st["level"]) == ("error", "warning") and not done["fits"]
    for finding, step in ((own, done["metrics"]["peak_step"]), (st, done["metrics"]["peak_step_st"])):
        assert f"`{step}`" in finding["message"] and "KiB" in finding["message"]
        assert (
            finding["span"]["file"].endswith(".det")
            and "parts/stm32f407vg.det" in finding["related"][0]["span"]["file"]
        )
    assert "picture of" in st["help"] and "KiB" in st["help"]
    side = int(own["help"].split("`--set image=")[1].split("`")[0])
    assert report("st_yolo_lc_v1", "stm32f4_discovery", capsys, f"image={side}")["fits"]


def test_st_s_tool_decides_where_it_shall_run_the_net(capsys: pytest.CaptureFixture[str]) -> None:
    sets = ("target.tool=10.0.0",)
    own = report("st_yolo_lc_v1", "nucleo_g474re", capsys, "image=128", *sets)
    st = report("st_yolo_lc_v1", "nucleo_g474re", capsys, "image=128", *sets, "target.runtime=st")
    assert own["fits"] and findings(own, "STM102") == []
    large = report("st_yolo_lc_v1", "nucleo_g474re", capsys, "image=256", *sets, "target.runtime=st")
    assert findings(large, "STM102")[0]["level"] == "error" and findings(large, "STM101")[0]["level"] == "warning"
    assert {bar["name"]: bar["soft"] for bar in st["limits"]}["ram_own"] is True


def test_a_picture_larger_than_any_memory_is_told_as_a_tensor(capsys: pytest.CaptureFixture[str]) -> None:
    done = report("st_yolo_lc_v1", "stm32f4_discovery", capsys, "image=416")
    (tensor,) = findings(done, "STM104")
    assert "128.0 KiB" in tensor["message"] and tensor["span"]


def test_external_ram_is_used_only_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    inside = report("st_yolo_lc_v1", "stm32f746g_disco", capsys, "image=416")
    spilt = report("st_yolo_lc_v1", "stm32f746g_disco", capsys, "image=416", "target.spill=true")
    assert not inside["fits"] and spilt["fits"]
    (finding,) = findings(spilt, "STM107")
    assert finding["level"] == "warning" and "picture of" in finding["help"]


@pytest.mark.parametrize("board", ["stm32h747i_disco", "stm32n6570_dk"])
def test_operators_without_a_kernel_are_all_told(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = report("yolo_kp", board, capsys)
    assert not done["fits"] and len(findings(done, "STM301")) > 3 and "ram_st" not in done["metrics"]


def test_a_version_that_is_refused_is_one_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    done = report("st_yolo_lc_v1", "stm32h747i_disco", capsys, "target.tool=9.9")
    assert [finding["code"] for finding in done["findings"] if finding["level"] == "error"] == ["PAR122"]


def test_a_mistake_of_the_command_line_is_no_verdict_of_the_board(capsys: pytest.CaptureFixture[str]) -> None:
    spec, sets = str(SPECS / "st_yolo_lc_v1.det"), ["--target", "stm32h747i_disco", "--set", "target.optimization=fast"]
    assert main(["check", spec, *sets]) == 1
    assert "✗ st_yolo_lc_v1 has mistakes; as far as it could be read" in capsys.readouterr().out
    assert main(["check", str(SPECS / "yolo_kp.det"), "--target", "stm32h747i_disco"]) == 1
    assert "✗ yolo_kp does not fit stm32h747i_disco" in capsys.readouterr().out


def test_version_4_says_that_nothing_is_published_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    done = report("st_yolo_lc_v1", "stm32h747i_disco", capsys, "target.tool=4.0.0")
    assert findings(done, "STM112")[0]["level"] == "note" and done["placeholders"] > 0


# ---- the neural processor -----------------------------------------------------------------------------------------------


def test_a_neural_processor_has_a_lower_bound_and_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """Naive inputs and outputs are what ST publishes for st_yolo_lc_v1 at 192 and 224, to the KiB: 252 and 343."""
    for image, kib, ms in ((192, 252, 1.90), (224, 343, 2.26)):
        done = report("st_yolo_lc_v1", "stm32n6570_dk", capsys, f"image={image}", "classes=1")
        metrics = done["metrics"]
        assert metrics["npu_ram_low"] == kib * 1024 and metrics["ram_st"] == 2 * kib * 1024
        assert metrics["npu_ram_outside"] == 0 and done["fits"]
        assert abs(metrics["latency_ms_est"] / ms - 1) < done["errors"]["latency_ms_est"]


def test_a_spill_names_its_cost_and_the_picture_that_stays_inside(capsys: pytest.CaptureFixture[str]) -> None:
    inside = report("st_yolo_x_nano", "stm32n6570_dk", capsys, "image=416")
    outside = report("st_yolo_x_nano", "stm32n6570_dk", capsys, "image=512")
    (finding,) = findings(outside, "STM120")
    assert finding["level"] == "warning" and outside["fits"] and "2 times as long" in finding["message"]
    assert "on a picture of 448 pixels" in finding["help"] and findings(inside, "STM120") == []
    assert outside["metrics"]["npu_ram_outside"] > 0
    assert outside["metrics"]["latency_ms_est"] > 2 * inside["metrics"]["latency_ms_est"]


def test_what_no_pool_of_the_neural_processor_holds_is_an_error(tmp_path: Path) -> None:
    from stm32_nets import target_of

    target = target_of("stm32n6570_dk")
    npu = target.root.find("npu")
    pools = tuple(Pool("a", 0, 100, 0, False, True, section) for section in target.root.all("memory")[:1])
    assert npu is not None
    plan = NpuPlan(1000, 2000, 0.5, 100, None, pools, ())
    (finding,) = check_npu(Peak("conv", None, (), (("x", 900),)), plan, target, npu, "shrink it")
    assert finding.code == "STM121" and finding.level == "error"


# ---- rules by themselves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "code", "said"),
    [(200, 100, []), (1500, 100, ["STM111"]), (1500, 1500, ["STM111"]), (200_000, 100, ["STM110"])],
)
def test_weights_go_outside_before_code_does(weights: int, code: int, said: list[str], tmp_path: Path) -> None:
    from stm32_nets import target_of

    text = """target b extends nucleo_g474re {
      flash internal { size = 1 KiB }
      flash qspi { address = 0x90000000  size = 64 KiB  external = true }
    }"""
    (tmp_path / "b.det").write_text(text)
    found = list(check_flash(weights, code, target_of("b", tmp_path), own=True))
    assert [finding.code for finding in found] == said
    if weights == 1500:
        assert ("weights lie" if code == 100 else "both lie") in found[0].message


def test_boxes_count(tmp_path: Path) -> None:
    from stm32_nets import target_of

    target = target_of("nucleo_g474re")
    none = Peak("", None, (), ())
    found: list[Finding] = list(check_own(none, 120 << 10, True, none, 12 << 10, target, ""))
    assert [finding.code for finding in found] == ["STM105"] and "8.0 KiB" in found[0].message
    assert not list(check_own(none, 110 << 10, True, none, 12 << 10, target, ""))
