"""From a library spec to firmware: `detc run --on` and `detc benchmark` on artifacts with random weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")

from detc.cli import main  # noqa: E402
from detrt.devices.stm32.c.building import build as compiled  # noqa: E402
from detrt.devices.stm32.c.elf import footprint  # noqa: E402
from detrt.devices.stm32.c.machines import MACHINES  # noqa: E402
from detrt.devices.stm32.c.process import run  # noqa: E402
from detrt.devices.stm32.exporting import export  # noqa: E402
from detrt.lock import read_lock  # noqa: E402
from detrt.predictor import model_classes  # noqa: E402

Needs = Callable[[str, str], None]
pytestmark = pytest.mark.long

PROFILING = 0.25
"""What measuring adds to the code, as a share of it."""
BOARD = ["st_yolo_lc_v1", "--target", "netduinoplus2", "--set", "width=0.5", "--set", "image=96", "--set", "classes=3"]
"""What the smallest emulated board must hold in its 128 KiB."""

ST = """#!/bin/sh
echo "ST Edge AI Core v3.0.0-20426 123abc"
[ "$2" = --model ] && [ -f "$3" ] && [ "$4 $5" = "--target stm32f4" ] || exit 3
echo " macc               :   4,300,000"
echo " weights (ro)       :   71,520 B (69.84 KiB) (1 segment)"
echo " activations (rw)   :   60,416 B (59.00 KiB) (1 segment) *"
echo " ram (total)        :   60,500 B (59.08 KiB) = 60,416 + 84 + 0"
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a net with random weights and ranges that its numbers keep within."""
    folder = tmp_path_factory.mktemp("firmware") / "build"
    assert main(["build", *BOARD, "-o", str(folder), "--quiet"]) == 0
    lock: dict[str, Any] = json.loads((folder / "spec.lock.json").read_text())
    torch.manual_seed(0)
    model = model_classes(folder, read_lock(folder / "spec.lock.json"))[lock["model"]["name"]]().eval()
    roots = {tensor["quant"] for tensor in lock["plan"]["tensors"].values()}
    ends = {f"{root}.{end}": value for root in roots for end, value in (("low", -2.0), ("high", 3.0))}
    export(lock, model.state_dict(), ends, folder / "artifacts")
    return folder / "artifacts"


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8))
    return path


def found(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / "detections.json").read_text())
    del said["kind"]
    return said


@pytest.mark.parametrize("machine", MACHINES)
def test_run_on_a_machine_finds_and_draws_the_same(
    machine: str, artifacts: Path, picture: Path, tmp_path: Path, needs_program: Needs
) -> None:
    for tool in MACHINES[machine].tools:
        needs_program(tool, "qemu" if machine != "host" else "gcc")
    assert main(["run", str(artifacts), str(picture), "-o", str(tmp_path / "simulated"), "-q"]) == 0
    assert main(["run", str(artifacts), str(picture), "-o", str(tmp_path / "c"), "--on", machine, "-q"]) == 0
    assert found(tmp_path / "c") == found(tmp_path / "simulated")
    assert found(tmp_path / "c")["pictures"][0]["detections"]
    assert (tmp_path / "c" / "noise.png").read_bytes() == (tmp_path / "simulated" / "noise.png").read_bytes()


def test_benchmark_measures_layers_memory_and_boards(
    artifacts: Path,
    tmp_path: Path,
    needs_program: Needs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for tool in MACHINES["qemu-m7"].tools:
        needs_program(tool, "qemu")
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    assert (
        main(["benchmark", str(artifacts), "--on", "qemu-m7", "--on", "qemu-m4", "-o", str(tmp_path / "b.json")]) == 0
    )
    text = capsys.readouterr().out
    assert "MACs an instruction" in text and "no stedgeai found: set STEDGEAI_CORE_DIR" in text
    figures = json.loads((tmp_path / "b.json").read_text())["c"]
    m7, m4 = figures["profiles"]
    lock = json.loads((artifacts.parent / "spec.lock.json").read_text())
    report = json.loads((artifacts.parent / "report.json").read_text())
    assert [layer["name"] for layer in m7["layers"]] == [step["name"] for step in lock["plan"]["steps"]]
    assert all(layer["instructions"] > layer["macs"] for layer in m7["layers"])
    for one in (m7, m4):
        assert sum(one["arena_written"].values()) == lock["plan"]["arena"]["bytes"] == figures["arena"]
        assert 0 < one["stack"] < 4096 and one["ram"] <= 128 << 10
        said = report["metrics"]
        known = {"constants": said["weights_flash_own"], "arena": said["ram_own"], "boxes": said["postprocess_ram"]}
        assert one["parts"] == known, "what the compiler made is what the report said before the training"
        assert one["footprint"]["data"] == 0 and one["footprint"]["bss"] >= known["arena"] + known["boxes"]
        code = one["footprint"]["flash"] - known["constants"]
        assert abs(code / said["code_flash_own_est"] - 1) < report["errors"]["code_flash_own_est"] + PROFILING
    for a, b in zip(m7["layers"], m4["layers"], strict=True):
        assert abs(a["instructions"] - b["instructions"]) <= 0.1 * a["instructions"] + 80
    times = {time["board"]: time for time in figures["boards"]}
    assert times["stm32f4_discovery"]["ms"] > times["stm32h747i_disco"]["ms"] > 1


def test_benchmark_counts_the_same_again_and_puts_the_figures_of_sts_tool_beside(
    artifacts: Path,
    tmp_path: Path,
    needs_program: Needs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for tool in MACHINES["qemu-m7"].tools:
        needs_program(tool, "qemu")
    tool = tmp_path / "st" / "Utilities" / "linux" / "stedgeai"
    tool.parent.mkdir(parents=True)
    tool.write_text(ST)
    tool.chmod(0o755)
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "st"))
    for name in ("b.json", "again.json"):
        assert main(["benchmark", str(artifacts), "--on", "qemu-m7", "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    assert "beside ST Edge AI Core v3.0.0-20426" in capsys.readouterr().out
    theirs = json.loads((tmp_path / "b.json").read_text())["c"]["stedgeai"]
    assert theirs == {"version": "v3.0.0-20426", "weights": 71520, "activations": 60416, "ram": 60500, "macs": 4300000}


def test_the_linker_and_the_report_agree_on_bytes(artifacts: Path, tmp_path: Path, needs_program: Needs) -> None:
    for tool in MACHINES["qemu-m4"].tools:
        needs_program(tool, "qemu")
    executable = compiled(artifacts / "c", MACHINES["qemu-m4"], "main", tmp_path / "c")
    said = subprocess.run(["arm-none-eabi-size", str(executable)], capture_output=True, text=True, check=True).stdout
    ours = footprint(executable)
    assert [int(word) for word in said.splitlines()[1].split()[:3]] == [ours.text, ours.data, ours.bss]
    weights = footprint(executable.parent / "network_weights.o")
    assert weights.text == json.loads((artifacts / "c" / "network.json").read_text())["constants"]


def test_a_net_that_is_too_large_for_a_board_is_refused(
    artifacts: Path, tmp_path: Path, needs_program: Needs, capsys: pytest.CaptureFixture[str]
) -> None:
    from detrt.errors import DetrtError

    for tool in MACHINES["qemu-m4"].tools:
        needs_program(tool, "qemu")
    with pytest.raises(DetrtError, match="RAM is too small: data, arena and stack do not fit"):
        compiled(artifacts / "c", MACHINES["qemu-m4"], "main", tmp_path / "c", "-Wl,--defsym=stack_bytes=110000")


def test_the_detector_with_a_picture_inside_prints_what_it_finds(
    artifacts: Path, tmp_path: Path, needs_program: Needs
) -> None:
    for tool in MACHINES["qemu-m4"].tools:
        needs_program(tool, "qemu")
    printed = []
    for name in ("host", "qemu-m4"):
        machine = MACHINES[name]
        executable = compiled(artifacts / "c", machine, "main", tmp_path / name)
        command = machine.command(executable.name)
        printed.append(run(command, executable.parent, 60, name).splitlines())
    assert printed[0] == printed[1] and len(printed[0]) > 1
