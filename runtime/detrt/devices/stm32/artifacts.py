"""The artifacts of a microcontroller: read from their folder, and run in the numpy simulator of its program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detrt.data.encode import Encoding
from detrt.devices.artifacts_folder import DESCRIPTION, check_manifest, read_description, said, said_classes
from detrt.devices.errors import ArtifactError
from detrt.devices.stm32.arithmetic import Int8, dequantise
from detrt.devices.stm32.postprocess import decoder
from detrt.devices.stm32.program import Program
from detrt.devices.stm32.program_file import ARRAYS, JSON, load_program
from detrt.devices.stm32.simulator import Simulator, Trace
from detrt.errors import DetrtError
from detrt.heads.detections import Detections

if TYPE_CHECKING:
    from detrt.devices.stm32.c.running import Runner

Floats = npt.NDArray[np.float32]
CODE = "c"
"""The folder of the C code."""


@dataclass(frozen=True, slots=True)
class ArtifactModel:
    """A detector as it is on the device: its int8 program, and its post-processing in whole numbers.

    `encoding` is how the host makes a picture for it, `head` has `kind` ("" where only raw outputs are known), `on` and `options`
    as in the lock, `classes` the class names, `folder` the files it was read from.
    """

    name: str
    encoding: Encoding
    classes: tuple[str, ...]
    head: Mapping[str, Any]
    description: Mapping[str, Any]
    manifest: Mapping[str, Any]
    folder: Path
    simulator: Simulator
    decode: Callable[[Mapping[str, Int8]], Detections]

    @property
    def program(self) -> Program:
        return self.simulator.program

    def run(self, image: npt.NDArray[np.uint8], trace: Trace | None = None) -> dict[str, Int8]:
        """The int8 output tensors, by name, of one picture u8 [height, width, channels] in the net's colour order."""
        found = self.simulator.run(np.ascontiguousarray(image), trace)
        names = self.program.outputs
        return {name: value for key, given in found.items() for name, value in zip(names[key], given, strict=True)}

    def outputs(self, image: npt.NDArray[np.uint8]) -> dict[str, Int8]:
        return self.run(image)

    def detect(self, image: npt.NDArray[np.uint8]) -> Detections:
        """What the device finds in one picture as `run` takes it, as shares of it."""
        return self.decode(self.run(image))

    def on(self, machine: str) -> Runner:
        """The C code of the artifacts, compiled for this computer or an emulated one (see `c.machines`). DetrtError for want
        of tools, or of RAM on the machine.
        """
        from detrt.devices.stm32.c import machines
        from detrt.devices.stm32.c.running import Runner

        return Runner(self.folder / CODE, self.program, machines.machine(machine))

    def predict(self, image: npt.NDArray[np.uint8]) -> Floats | dict[str, list[Floats]]:
        """The real numbers that the int8 outputs stand for: an array [channels, rows, columns] (or [features]) where there
        is one, else lists of them by name of the output. Equal, bit for bit, to the int8 stage of training.
        """
        tensors = self.run(image)
        found = {
            key: [_channels_first(dequantise(tensors[name], self.program.tensors[name].quant)) for name in names]
            for key, names in self.program.outputs.items()
        }
        single = next(iter(found.values()))
        return single[0] if len(found) == 1 and len(single) == 1 else found


def _undecoded(tensors: Mapping[str, Int8]) -> Detections:
    raise DetrtError(
        "has no head: what its outputs mean is not known", DESCRIPTION, "`detc run` writes them as they are"
    )


def _channels_first(values: Floats) -> Floats:
    return np.ascontiguousarray(values.transpose(2, 0, 1)) if values.ndim == 3 else values


def load_artifacts(folder: str | Path) -> ArtifactModel:
    """The detector in an artifacts folder, ready to run. Needs neither spec nor torch.

    ArtifactError, naming file and cause, if a file is missing, truncated or differs from the manifest, or if the parts do not
    belong together.
    """
    folder = Path(folder)
    manifest = check_manifest(folder, (JSON, ARRAYS, DESCRIPTION), "a microcontroller")
    place, about = folder / DESCRIPTION, read_description(folder)
    program = load_program(folder)
    head = said(about, "head", dict, place)
    try:
        encoding = Encoding.of(said(about, "input", dict, place))
        decode = decoder(program, head) if said(head, "kind", str, place) else _undecoded
    except DetrtError as error:
        raise ArtifactError(f"does not go with the program: {error}", place, "export again") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"is damaged at {error}", place, "export again") from error
    size = (encoding.height, encoding.width, encoding.channels)
    if program.tensors[program.input].shape != size:
        raise ArtifactError(f"takes pictures of {size}, the program another size", place, "export again")
    return ArtifactModel(
        name=said(about, "name", str, place),
        encoding=encoding,
        classes=said_classes(about, place),
        head=head,
        description=about,
        manifest=manifest,
        folder=folder,
        simulator=Simulator(program),
        decode=decode,
    )
