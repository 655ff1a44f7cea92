"""ST Edge AI Core's own figures of a model, where that tool is installed: `stedgeai analyze` reads the ONNX file."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detrt.devices.stm32.c.process import run
from detrt.errors import DetrtError

HOME = "STEDGEAI_CORE_DIR"
SECONDS = 600
FIGURES = {"weights": r"weights \(ro\)", "activations": r"activations \(rw\)", "ram": r"ram \(total\)", "macs": "macc"}
"""Lines of the summary that `stedgeai analyze` prints, each with a number of bytes or of multiply-accumulates first."""


@dataclass(frozen=True, slots=True)
class StFigures:
    """Bytes of weights and of RAM, and multiply-accumulates; None where the tool does not say."""

    version: str
    weights: int | None
    activations: int | None
    ram: int | None
    macs: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_stedgeai() -> Path | None:
    """The tool below $STEDGEAI_CORE_DIR; None where that is not set or has none."""
    home = os.environ.get(HOME, "")
    if not home or not Path(home).is_dir():
        return None
    places = ("stedgeai", "Utilities/*/stedgeai", "*/Utilities/*/stedgeai", "Utilities/*/stedgeai.exe")
    found = (path for place in places for path in sorted(Path(home).glob(place)))
    return next((path for path in found if path.is_file() and shutil.which(str(path))), None)


def analyze(tool: Path, model: Path, series: str) -> StFigures:
    """What the tool says of an ONNX file for a family of parts ("stm32h7"). Raises DetrtError with what the tool says instead."""
    with tempfile.TemporaryDirectory(prefix="detc-st-") as place:
        command = [
            str(tool), "analyze", "--model", str(model.resolve()), "--target", series,
            "--workspace", f"{place}/workspace", "--output", f"{place}/output",
        ]  # fmt: skip
        said = run(command, Path(place), SECONDS, "ST Edge AI Core")
    figures = {name: _figure(words, said) for name, words in FIGURES.items()}
    if figures["activations"] is None and figures["weights"] is None:
        raise DetrtError(
            "ST Edge AI Core printed no figures", model, f"try: {tool} analyze --model {model} --target {series}"
        )
    version = re.search(r"(?:ST Edge AI Core|STEdgeAI)[^\dv]*(v?\d+\.\d+[\w.+-]*)", said)
    return StFigures(version[1] if version else "", **figures)


def _figure(words: str, said: str) -> int | None:
    found = re.search(rf"^\s*{words}\s*:\s*([\d,]+)", said, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else None
