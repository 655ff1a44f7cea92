"""The C code of an artifact on pictures: compiled once, then run on this computer or on an emulated Cortex-M."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import Int8
from detrt.devices.stm32.c.building import build
from detrt.devices.stm32.c.calls import macs_of
from detrt.devices.stm32.c.machines import Machine
from detrt.devices.stm32.c.process import run
from detrt.devices.stm32.postprocess import Found, in_floats
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError
from detrt.heads.detections import Detections

INPUT, OUTPUTS, DETECTIONS, LAYERS = "input.bin", "outputs.bin", "detections.bin", "layers.bin"
START_SECONDS, MACS_A_SECOND = 60.0, 0.5e6
"""How long a run may take: QEMU computes 11 million products a second for an M4 on a quiet core."""


class Runner:
    """Runs `program` as C, from the folder `source` that `c.write` filled. A context manager: it removes what it compiled.

    `flags` go to the compiler; what is compiled stays in `folder`, if one is given.
    Raises DetrtError for want of tools, of RAM on the machine, or of time.
    """

    def __init__(
        self, source: Path, program: Program, machine: Machine, flags: str = "", folder: Path | None = None
    ) -> None:
        self.program, self.machine, self.layers = program, machine, b""
        self.seconds = START_SECONDS + macs_of(program) / MACS_A_SECOND
        self._place = tempfile.TemporaryDirectory(prefix="detc-c-")
        try:
            self.executable = build(source, machine, "runner", folder or Path(self._place.name) / "c", flags)
        except BaseException:
            self._place.cleanup()
            raise

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._place.cleanup()

    def run(self, picture: npt.NDArray[np.uint8]) -> tuple[dict[str, Int8], Found]:
        """The output tensors of one picture u8 [height, width, channels], by name, and what the post-processing found."""
        entry = self.program.tensors[self.program.input]
        if picture.dtype != np.uint8 or picture.shape != entry.shape:
            raise DetrtError(f"the network takes u8{list(entry.shape)}, not {picture.dtype}{list(picture.shape)}")
        with tempfile.TemporaryDirectory(prefix="run-", dir=self._place.name) as name:
            folder = Path(name)
            (folder / INPUT).write_bytes(picture.tobytes())
            shutil.copy2(self.executable, folder / self.executable.name)
            run(self.machine.command(self.executable.name), folder, self.seconds, f"the network on {self.machine.name}")
            self.layers = _read(folder / LAYERS)
            return self._outputs(_read(folder / OUTPUTS)), _found(_read(folder / DETECTIONS))

    def outputs(self, picture: npt.NDArray[np.uint8]) -> dict[str, Int8]:
        """The output tensors of one picture, by name."""
        return self.run(picture)[0]

    def detect(self, picture: npt.NDArray[np.uint8]) -> Detections:
        """What the device finds in one picture, as shares of it."""
        return in_floats(self.run(picture)[1])

    def _outputs(self, data: bytes) -> dict[str, Int8]:
        names = [name for names in self.program.outputs.values() for name in names]
        if len(data) != sum(self.program.tensors[name].bytes for name in names):
            raise DetrtError(
                f"the network on {self.machine.name} gave {len(data)} bytes, another number than its outputs have"
            )
        tensors, at = {}, 0
        for name in names:
            tensor = self.program.tensors[name]
            tensors[name] = np.frombuffer(data, np.int8, tensor.bytes, at).reshape(tensor.shape)
            at += tensor.bytes
        return tensors


def _found(data: bytes) -> Found:
    """detc_detection: x1, y1, x2, y2, score, label, 4 bytes each."""
    rows = np.frombuffer(data, "<i4").reshape(-1, 6).astype(np.int64)
    return Found(rows[:, :4], rows[:, 4], rows[:, 5])


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
