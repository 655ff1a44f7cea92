"""The artifacts of Loihi 2: read from their folder, and run in the integer simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.data.encode import Encoding
from detrt.devices.artifacts_folder import DESCRIPTION, check_manifest, read_description, said, said_classes
from detrt.devices.errors import ArtifactError, DeviceError
from detrt.devices.loihi2.from_state import q8
from detrt.devices.loihi2.netfile import read_net
from detrt.devices.loihi2.network import Ints, Network
from detrt.devices.loihi2.neurons import STATE_EXP, Overflows
from detrt.devices.loihi2.simulator import MOST_SPIKE_EXP, Simulated, Simulator
from detrt.devices.loihi2.streaming import NetStream
from detrt.errors import DetrtError
from detrt.heads import build_decoder
from detrt.heads.detections import Detections
from detrt.stream import Events, watch

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
MOST_NETS = 64


@dataclass(frozen=True, slots=True)
class Net:
    """One network of the folder: tensor `index` of the model's `output` comes out of it. `names` are those of its layers."""

    name: str
    output: str
    index: int
    names: tuple[str, ...]
    network: Network


@dataclass(frozen=True, slots=True)
class ArtifactModel:
    """A detector as it is on the chip: its networks in whole numbers, each from states of 0.

    `encoding` is how the host makes a picture for it, `head` has `kind`, `on` and `options` as in the lock, `classes` the class
    names, `folder` the files it was read from. `overflows` counts, by layer, what left the chip's ranges so far.
    """

    name: str
    encoding: Encoding
    classes: tuple[str, ...]
    head: Mapping[str, Any]
    description: Mapping[str, Any]
    manifest: Mapping[str, Any]
    folder: Path
    nets: tuple[Net, ...]
    spike_exp: int
    overflows: dict[str, Overflows] = field(default_factory=dict)

    @property
    def latency(self) -> int:
        """Steps from a frame to the output that depends on all of it."""
        return max(net.network.latency for net in self.nets)

    @property
    def settling(self) -> int:
        """Steps for which a picture is held: after these nothing is sent any more, so the output stays as it is."""
        return self.latency + 1

    def encode(self, image: Picture) -> Ints:
        """The picture u8 [height, width, channels] in the net's colour order as values times 64, [channels, height, width]."""
        size = (self.encoding.height, self.encoding.width, self.encoding.channels)
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.shape != size:
            raise DeviceError(f"the network takes u8{list(size)}, not {image.dtype}{list(image.shape)}")
        return q8(self.encoding.array(image[None])[0].astype(np.float64))

    def simulate(self, frames: npt.NDArray[np.integer]) -> list[Simulated]:
        """What each net does with frames of `encode`, [T, channels, height, width], from the beginning on."""
        return [self.noted(net, Simulator(net.network, self.spike_exp).run(frames)) for net in self.nets]

    def predict(self, image: Picture) -> Floats | dict[str, list[Floats]]:
        """The real numbers of the read-out once the net has settled on a picture that is held for `settling` steps: an array
        [channels, rows, columns] (or [features]) where there is one, else lists of them by name of the output. Equal, bit for
        bit, to the stage in time of training.
        """
        frames = np.repeat(self.encode(image)[None], self.settling, axis=0)
        return self.values([made.outputs[-1] for made in self.simulate(frames)])

    def values(self, states: Sequence[Ints]) -> Floats | dict[str, list[Floats]]:
        """States of the read-outs, one of each net, as `predict` gives them."""
        unit = 2.0 ** (self.spike_exp + 2 * STATE_EXP)
        found: dict[str, list[Floats]] = {}
        for net, state in sorted(zip(self.nets, states, strict=True), key=lambda pair: pair[0].index):
            found.setdefault(net.output, []).append((state / unit).astype(np.float32))
        single = next(iter(found.values()))
        return single[0] if len(found) == 1 and len(single) == 1 else found

    @property
    def decode(self) -> Callable[[Any], Detections]:
        """From the values of `predict` to detections. DeviceError where the model has no head."""
        if not self.head["kind"]:
            raise DeviceError(
                "the artifacts have no head: their outputs are numbers that nobody has said how to read",
                self.folder / DESCRIPTION,
                "give the model of the spec a head, and export again",
            )
        return build_decoder(self.head)

    def detect(self, image: Picture) -> Detections:
        """What the chip finds in one picture as `predict` takes it, as shares of it."""
        return self.decode(self.predict(image))

    def stream(self) -> NetStream:
        """A new run of all nets, frame by frame."""
        return NetStream(self)

    def predict_clip(self, frames: Iterable[Picture]) -> tuple[list[Detections], list[Events]]:
        """Detections of each frame of a clip, and the messages that each layer sent for it; frames as `predict` takes them."""
        moments = list(watch(self.stream(), frames))
        return [moment.found for moment in moments], [moment.events for moment in moments]

    def label(self, net: Net, number: int) -> str:
        """A layer's name, with that of its net where there are several."""
        return net.names[number] if len(self.nets) == 1 else f"{net.name}.{net.names[number]}"

    def noted(self, net: Net, made: Simulated) -> Simulated:
        """Adds up what left the chip's ranges."""
        for number, counted in enumerate(made.overflows):
            if counted:
                total = self.overflows.setdefault(self.label(net, number), Overflows())
                total.add(counted)
        return made

    @property
    def warnings(self) -> list[str]:
        """One sentence for each layer that left the chip's ranges since the folder was read."""
        return [f"{name}: {counted}" for name, counted in self.overflows.items()]


def load_artifacts(folder: str | Path) -> ArtifactModel:
    """The detector in an artifacts folder, ready to run. Needs neither spec nor torch.

    ArtifactError, naming file and cause, if a file is missing, damaged or differs from the manifest, or if the parts do not
    belong together.
    """
    folder = Path(folder)
    manifest = check_manifest(folder, (DESCRIPTION,), "Loihi 2")
    place, about = folder / DESCRIPTION, read_description(folder)
    head, spike_exp = said(about, "head", dict, place), said(about, "spike_exp", int, place)
    if not 0 <= spike_exp <= MOST_SPIKE_EXP:
        raise ArtifactError(f"spike_exp {spike_exp} is out of range", place)
    nets = said(about, "nets", list, place)
    if not 1 <= len(nets) <= MOST_NETS:
        raise ArtifactError(f"names {len(nets)} networks", place)
    try:
        encoding = Encoding.of(said(about, "input", dict, place))
        if said(head, "kind", str, place):
            build_decoder(head)
        read = tuple(_net(folder, entry, manifest["files"]) for entry in nets)
    except ArtifactError:
        raise
    except DetrtError as error:
        raise ArtifactError(f"cannot be used: {error}", place, "export again") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"is damaged at {error}", place, "export again") from error
    size = (encoding.channels, encoding.height, encoding.width)
    if any(net.network.input.shape != size for net in read):
        raise ArtifactError(f"takes pictures of {size}, a network another size", place, "export again")
    return ArtifactModel(
        name=said(about, "name", str, place),
        encoding=encoding,
        classes=said_classes(about, place),
        head=head,
        description=about,
        manifest=manifest,
        folder=folder,
        nets=read,
        spike_exp=spike_exp,
    )


def _net(folder: Path, entry: Mapping[str, Any], files: Mapping[str, Any]) -> Net:
    file = str(entry["file"])
    if file not in files:
        raise ValueError(f"the network {file!r}, which the manifest does not list")
    network = read_net(folder / file)
    names = tuple(str(name) for name in entry["layers"])
    if len(names) != len(network.layers):
        raise ValueError(f"the layers of {file!r}")
    return Net(str(entry["name"]), str(entry["output"]), int(entry["index"]), names, network)
