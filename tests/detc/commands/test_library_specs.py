"""The library specs: the counts of facts, the verdicts that are promised, the speed of a check."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import detc
import detrt
from detc.cli import main
from detc.compilation import compile_spec
from detc.library import library_folder, library_names

PATHS = os.pathsep.join(str(Path(package.__file__ or "").parent.parent) for package in (detc, detrt))


def check(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    with redirect_stdout(out):
        code = main(["check", *arguments, "--format", "json"])
    return code, json.loads(out.getvalue())


COUNTS = {
    ("gnetdet448", ""): (6_525_278, 11_574_097_920),
    ("gnetdet448", "bn=true"): (6_531_738, 11_574_097_920),
    ("gnetdet224", ""): (6_525_278, 11_313_985_536),
}
"""Parameters and MACs, counted on the vendor's modules with torch."""


@pytest.mark.parametrize(("spec", "setting"), COUNTS)
def test_counts(spec: str, setting: str) -> None:
    code, report = check(spec, *(["--set", setting] if setting else []))
    assert code == 0
    assert (report["metrics"]["params"], report["metrics"]["macs"]) == COUNTS[spec, setting]


@pytest.mark.parametrize("name", library_names())
def test_every_library_spec_is_sound_and_formatted(name: str) -> None:
    assert check(name)[0] == 0
    assert main(["fmt", "--check", str(library_folder() / f"{name}.det")]) == 0


def test_gnetdet448_fits() -> None:
    code, report = check("gnetdet448", "--target", "gti5801")
    assert code == 0 and report["fits"] is True and report["target"] == "gti5801"
    assert report["metrics"]["chip_dat_bytes"] == 6_899_348
    assert report["metrics"]["major_layers"] == 7
    assert {f["level"] for f in report["findings"]} == {"note"}


def test_300_classes_fail_naming_246_with_both_spans() -> None:
    code, report = check("gnetdet448", "--target", "gti5801", "--set", "classes=300")
    assert code == 1 and report["fits"] is False
    error = next(f for f in report["findings"] if f["level"] == "error")
    assert error["code"] == "GTI136" and "246" in error["help"]
    assert error["span"]["file"].endswith("gnetdet448.det")
    assert error["related"][0]["span"]["file"].endswith("target.det")


@pytest.mark.parametrize(("classes", "codes"), [(245, set()), (246, {"GTI137"}), (247, {"GTI136"})])
def test_the_limit_of_classes(classes: int, codes: set[str]) -> None:
    _, report = check("gnetdet448", "--target", "gti5801", "--set", f"classes={classes}")
    assert {f["code"] for f in report["findings"] if f["level"] != "note"} - {"GTI144"} == codes


def test_an_image_of_320_fails_naming_the_legal_sizes() -> None:
    code, report = check("gnetdet448", "--target", "gti5801", "--set", "image=320")
    assert code == 1
    error = next(f for f in report["findings"] if f["code"] == "GTI130")
    assert "448, 224, 112, 56, 28 or 14" in error["message"]


def test_the_plan_names_the_nodes_of_the_graph() -> None:
    compilation = compile_spec(library_folder() / "gnetdet448.det", "gti5801")
    assert compilation.plan is not None and compilation.graph is not None
    for major in compilation.plan["majors"]:
        for sublayer in major["sublayers"]:
            assert compilation.graph[sublayer["conv"]].op.name == "conv"
            assert compilation.graph[sublayer["relu"]].op.name == "relu"
    assert compilation.plan["output"] in compilation.graph


def test_with_batch_norm_the_relu_is_still_found() -> None:
    compilation = compile_spec(library_folder() / "gnetdet448.det", "gti5801", {"bn": "true"})
    assert compilation.fits and compilation.plan is not None and compilation.graph is not None
    first = compilation.plan["majors"][0]["sublayers"][0]
    assert compilation.graph[first["relu"]].op.name == "relu"


COLD = """
import time
from detc.cli import main
main(["check", "{spec}", "--target", "gti5801"])
import sys
sys.stderr.write(str(time.process_time()))
"""


@pytest.mark.alone
def test_a_cold_check_takes_at_most_400_ms_of_cpu(tmp_path: Path) -> None:
    """Of a fresh process with compiled modules, as after an installation."""
    environment = {**os.environ, "PYTHONPATH": PATHS, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    script = COLD.format(spec=library_folder() / "gnetdet448.det")

    def once() -> float:
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0
        return float(done.stderr)

    once()
    assert min(once() for _ in range(5)) <= 0.40


@pytest.mark.alone
def test_a_warm_check_takes_at_most_50_ms_of_cpu() -> None:
    def once() -> float:
        start = time.process_time()
        with redirect_stdout(io.StringIO()):
            assert main(["check", "gnetdet448", "--target", "gti5801"]) == 0
        return time.process_time() - start

    once()
    assert min(once() for _ in range(8)) <= 0.05
