"""The figures of a head by steps: one file, the same after a resumed run."""

from __future__ import annotations

from pathlib import Path

from detrt.train.step_terms import StepTerms


def test_what_a_resumed_run_does_again_is_dropped(tmp_path: Path) -> None:
    terms = StepTerms(tmp_path / "stage")
    terms.resume(0)  # nothing is there
    for step in (10, 20, 30):
        terms.write(step, {"coord": step / 3, "iou": 1e-12})
    whole = terms.path.read_text(encoding="utf-8")
    assert whole.splitlines()[:2] == ["step,coord,iou", "10,3.3333333,1e-12"]
    again = StepTerms(tmp_path / "stage")
    again.resume(20)
    assert again.path.read_text(encoding="utf-8").splitlines()[-1].startswith("20,")
    again.write(30, {"coord": 10.0, "iou": 1e-12})
    assert again.path.read_text(encoding="utf-8") == whole
    again.path.write_text("step,coord\n10,1\nhalf", encoding="utf-8")
    again.resume(20)
    assert again.path.read_text(encoding="utf-8") == "step,coord\n10,1\n"
    again.path.write_text("", encoding="utf-8")
    again.resume(20)
    assert not again.path.exists()
