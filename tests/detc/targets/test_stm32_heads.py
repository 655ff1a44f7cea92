"""Heads that no whole-number post-processing decodes are named at once, each at its line."""

from __future__ import annotations

from pathlib import Path

from detc.semantics.program import Model
from detc.targets.stm32.head_checks import MOST_CLASSES, check_heads
from generated_nets import compiled

SPEC = """\
model two extends detector {
  input frame: u8[3, 32, 32] = camera(order = rgb)
  output map = frame |> conv(3 * (5 + 2), k = 3x3, s = 2)
  head yolo_v2 on map { anchors = [(1, 1), (2, 2), (3, 3)]  classes = 2  SOFT }
}
"""


def spec(folder: Path, soft: str) -> Model:
    (folder / "two.det").write_text(SPEC.replace("SOFT", soft))
    return compiled(folder / "two.det")


def test_soft_suppression_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    (found,) = check_heads(spec(tmp_path, "soft = linear"))
    assert found.code == "STM305" and "soft = linear" in found.message
    assert found.span is not None and found.span.line == 4
    assert not list(check_heads(spec(tmp_path, "")))


def test_more_classes_than_a_softmax_tells_apart_are_refused(tmp_path: Path) -> None:
    model = spec(tmp_path, "")
    model.heads[0].options["classes"] = MOST_CLASSES + 1
    assert [finding.code for finding in check_heads(model)] == ["STM306"]
