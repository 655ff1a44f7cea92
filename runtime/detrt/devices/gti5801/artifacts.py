"""The artifacts of a 5801: read from their folder, and run from the bytes of its chip.dat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.data.encode import Encoding
from detrt.data.resize import Resize
from detrt.devices.artifacts_folder import DESCRIPTION, check_manifest, read_description, said, said_classes
from detrt.devices.gti5801.chipdat import decode
from detrt.devices.gti5801.errors import ArtifactError, DeviceError
from detrt.devices.gti5801.outmodel import split
from detrt.devices.gti5801.simulator import FC77_GAIN, Simulator, Trace
from detrt.heads import build_decoder
from detrt.heads.detections import Detections


@dataclass(frozen=True, slots=True)
class ArtifactModel:
    """A detector as it is on the device: whole-number arithmetic of its chip.dat, then the scale of its output.

    `order` is how pictures must be laid out (bgr or ycrcb), `size` their side in pixels; `head` has `kind` and `options` as in
    the lock, `classes` the class names, `scale` the value of one output step, `channels` how many outputs the head reads.
    """

    name: str
    size: int
    order: str
    classes: tuple[str, ...]
    head: Mapping[str, Any]
    scale: float
    channels: int
    description: Mapping[str, Any]
    manifest: Mapping[str, Any]
    simulator: Simulator

    @property
    def encoding(self) -> Encoding:
        """How the host makes a picture for it."""
        resize = Resize.of(self.description.get("resize"))
        return Encoding(self.size, self.size, self.order, "u5", resize=resize)

    def detect(self, image: npt.NDArray[np.uint8]) -> Detections:
        """What the head finds in one picture of `predict`, as shares of it."""
        return build_decoder(self.head)(self.predict(image))

    def predict(self, image: npt.NDArray[np.uint8], trace: Trace | None = None) -> npt.NDArray[np.float32]:
        """The head's raw grid, float32 [channels, S, S], of one picture u8 [size, size, C] in `order`.

        Equal, bit for bit, to the chip-stage torch model times its output scale. DeviceError for another shape or dtype.
        """
        image = np.asarray(image)
        if image.ndim != 3:
            raise DeviceError(f"a picture is u8 [height, width, channels], not {image.dtype}{list(image.shape)}")
        answer = self.simulator.run(np.ascontiguousarray(image.transpose(2, 0, 1)), trace)[: self.channels]
        last = self.simulator.network.majors[-1].shape
        if last.pooling and last.output_size == 7:
            answer = answer / np.float32(FC77_GAIN)
        return answer * np.float32(self.scale)


def load_artifacts(folder: str | Path) -> ArtifactModel:
    """The detector in an artifacts folder, ready to run. Needs neither spec nor torch.

    ArtifactError, naming file and cause, if a file is missing, truncated or differs from the manifest, or if chip.dat and
    out.model do not hold the same network.
    """
    folder = Path(folder)
    manifest = check_manifest(folder, ("chip.dat", DESCRIPTION), "the 5801")
    place, about = folder / DESCRIPTION, read_description(folder)
    data = (folder / "chip.dat").read_bytes()
    network = decode(data, str(folder / "chip.dat"))
    if (folder / "out.model").is_file():
        _, inner = split((folder / "out.model").read_bytes(), str(folder / "out.model"))
        if inner != data:
            raise ArtifactError("holds another chip.dat than the one beside it", folder / "out.model", "export again")
    scale, channels = said(about, "scale", float, place), said(about, "channels", int, place)
    if not (math.isfinite(scale) and scale > 0 and 0 < channels <= network.output_shape[0]):
        raise ArtifactError(f"scale {scale} or channels {channels} are out of range", place)
    return ArtifactModel(
        name=said(about, "name", str, place),
        size=network.input_shape[1],
        order=said(about, "order", str, place),
        classes=said_classes(about, place),
        head=said(about, "head", dict, place),
        scale=scale,
        channels=channels,
        description=about,
        manifest=manifest,
        simulator=Simulator(network),
    )
