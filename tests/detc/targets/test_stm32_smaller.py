"""The change that helps most: a net that is too large is tried with other params, and the best one is named with its figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from detc import compilation
from detc.compilation import Compilation, compile_spec
from detc.library import library_folder

SPEC = """param image: int = 128 where image > 0
param width: float = 1.0 where width {width}
param tilt: float = 1.0 where tilt > 0
block cb(x, c, s = 1) = x |> conv(round(c * width / 8) * 8, k = 3x3, s = s, pad = 1) |> relu
model m extends detector {{
  input frame: u8[3, image, image] = camera(order = rgb)
  output grid = frame |> cb(32, s = 2) |> cb({deep}, s = 2) |> cb({deep}) |> conv(30, k = 1x1)
  head yolo_v2 on grid {{ classes = 1  anchors = [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]] }}
}}
"""


def remedy(done: Compilation) -> str:
    (told,) = [f.help for f in done.findings if f.level == "error" and ("--set" in f.help or "no param" in f.help)]
    return told


def judged(path: Path, board: str) -> Compilation:
    return compile_spec(path, board, advise=True)


def test_the_change_with_the_fewest_multiplications_lost_comes_first() -> None:
    spec = library_folder() / "st_yolo_lc_v1.det"
    said = remedy(judged(spec, "stm32f4_discovery"))
    assert said.startswith("`--set image=192` fits: 66% of what there is, and 76.09 M of 135.27 M multiplications")
    assert compile_spec(spec, "stm32f4_discovery", {"image": "192"}).fits
    assert not compile_spec(spec, "stm32f4_discovery", {"image": "224"}).fits


def test_too_many_weights_ask_for_another_width(tmp_path: Path) -> None:
    path = tmp_path / "m.det"
    path.write_text(SPEC.format(width="> 0", deep=512), encoding="utf-8")
    said = remedy(judged(path, "nucleo_g474re"))
    (value,) = re.findall(r"^`--set width=(\S+)` fits", said)
    assert compile_spec(path, "nucleo_g474re", {"width": value}).fits and "tilt" not in said


def test_values_that_a_spec_refuses_are_not_proposed(tmp_path: Path) -> None:
    path = tmp_path / "m.det"
    path.write_text(SPEC.format(width="in [1.0]", deep=512), encoding="utf-8")
    assert "width" not in remedy(judged(path, "nucleo_g474re"))


def test_other_mistakes_come_first(tmp_path: Path) -> None:
    path = tmp_path / "m.det"
    path.write_text(SPEC.format(width="> 0", deep=512).replace("|> relu", "|> relo"), encoding="utf-8")
    assert not any("--set" in finding.help for finding in judged(path, "nucleo_g474re").findings)


@pytest.mark.parametrize("name", ["yolov1_tiny", "st_yolo_x_nano"])
def test_few_are_tried_and_none_where_nobody_asks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Mapping[str, str]] = []
    real = compilation.elaborate

    def counted(path: Path, sets: Mapping[str, str], target: str | None) -> object:
        tried.append(sets)
        return real(path, dict(sets), target)

    monkeypatch.setattr(compilation, "elaborate", counted)
    spec = library_folder() / f"{name}.det"
    assert not compile_spec(spec, "nucleo_f411re").fits and len(tried) == 1
    done = judged(spec, "nucleo_f411re")
    assert 3 <= len(tried) <= 12 and sum(len(done.layers) for _ in tried[2:]) <= 1500
