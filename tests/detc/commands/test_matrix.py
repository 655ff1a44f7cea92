"""detc matrix: many specs on many targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detc.cli import main
from detc.library import library_folder

SMALL = """
model tiny extends classifier {{
  input frame: u8[3, {size}, {size}] = camera(order = rgb)
  output scores = frame |> conv(8, s = 2) |> relu |> avgpool(global = true) |> flatten |> linear(4)
}}
"""


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "small.det").write_text(SMALL.format(size=32))
    (folder / "large.det").write_text(SMALL.format(size=1024))
    (folder / "broken.det").write_text(
        "model m extends classifier { input x: u8[3, 8, 8] = camera() output y = x |> konv(4) }"
    )
    return folder


TARGETS = "gti5801,nucleo_g474re,stm32h747i_disco"


def test_every_spec_has_a_cell_for_each_target(specs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", str(specs), "--targets", TARGETS, "--format", "json", "--jobs", "1"]) == 1  # broken.det
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == 1 and report["targets"] == TARGETS.split(",")
    cells = {(cell["spec"], cell["target"]): cell for cell in report["cells"]}
    assert len(cells) == 9
    small = cells["small", "nucleo_g474re"]
    assert small["fits"] and small["ram"] and small["flash"] and small["latency_ms"] and small["latency_error"] == 0.4
    assert not cells["large", "nucleo_g474re"]["fits"]
    assert {error["code"] for error in cells["large", "nucleo_g474re"]["errors"]} >= {"STM101"}
    assert not cells["broken", "gti5801"]["judged"] and "konv" in cells["broken", "gti5801"]["errors"][0]["message"]


def test_a_spec_that_is_not_there_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "nix", "st_yolo_lc_v1", "--targets", "all"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("there is no spec `nix`") == 1


def test_text_and_page_tell_the_same(specs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (specs / "broken.det").unlink()
    assert main(["matrix", str(specs), "--targets", "nucleo_g474re", "--jobs", "1"]) == 0
    text = capsys.readouterr().out
    assert "2 specs on 1 target: 1 of 2 fit" in text and "✗" in text and "ms" in text
    page = tmp_path / "matrix.html"
    assert (
        main(["matrix", str(specs), "--targets", "nucleo_g474re", "--jobs", "1", "--format", "html", "-o", str(page)])
        == 0
    )
    html = page.read_text()
    assert html.count("<tr>") == 3 and "small" in html and "STM10" in html and "http" not in html


def test_processes_give_the_same_cells_in_the_same_order(specs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["matrix", str(specs), "--targets", "nucleo_g474re", "--format", "json"]
    main([*command, "--jobs", "1"])
    alone = capsys.readouterr().out
    main([*command, "--jobs", "2"])
    assert capsys.readouterr().out == alone


def test_an_unknown_target_and_no_spec_are_told(specs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", str(specs / "small.det"), "--targets", "stm32h747i_disko", "--format", "json"]) == 1
    cell = json.loads(capsys.readouterr().out)["cells"][0]
    assert cell["errors"][0]["code"] == "TGT120" and not cell["judged"]
    empty = specs.parent / "empty"
    empty.mkdir()
    assert main(["matrix", str(empty)]) == 1
    assert "there is no spec" in capsys.readouterr().err


@pytest.mark.long
def test_the_library_on_boards_of_all_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    boards = ["gti5801", "nucleo_g474re", "stm32h747i_disco", "stm32n6570_dk"]
    main(["matrix", str(library_folder()), "--targets", ",".join(boards), "--format", "json"])
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert len({cell["spec"] for cell in cells}) >= 26 and {cell["target"] for cell in cells} == set(boards)
    assert not [cell for cell in cells if any(error["code"].endswith("390") for error in cell["errors"])]
    assert all(cell["judged"] or cell["spec"].startswith("yolo_kp") for cell in cells if cell["target"] != "gti5801")
