"""What frames cost a net: messages, synaptic operations and simulator time, layer by layer, on a picture that moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.artifacts_folder import read_json
from detrt.devices.errors import ArtifactError
from detrt.devices.loihi2.artifacts import ArtifactModel, Net
from detrt.devices.loihi2.network import Conv, Dense, Shape
from detrt.devices.loihi2.simulator import Simulator

SHIFT = 2
"""Pixels by which the picture moves from frame to frame."""
BLOCK = 8
"""Pixels of a square of one colour in it."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Means over the frames: `events` sent of `neurons` that can (a read-out sends none), synaptic `operations` done of
    `dense` that all values would take.
    `cores` as the plan has them; None of what takes none."""

    name: str
    neurons: int
    events: float
    operations: float
    dense: int
    cores: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of `frames` frames, after the net has filled up; `milliseconds` is the median of a frame in the simulator."""

    frames: int
    milliseconds: float
    layers: tuple[LayerCost, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "simulator_ms": round(self.milliseconds, 2),
            "layers": [asdict(x) for x in self.layers],
        }

    def lines(self) -> list[str]:
        """A table, with the sum of all layers below it."""
        total = LayerCost(
            "all",
            sum(x.neurons for x in self.layers),
            sum(x.events for x in self.layers),
            sum(x.operations for x in self.layers),
            sum(x.dense for x in self.layers),
            sum(x.cores or 0 for x in self.layers),
        )
        rows = [["layer", "neurons", "events", "", "operations", "", "cores"]]
        for x in (*self.layers, total):
            rows.append(
                [
                    x.name,
                    f"{x.neurons:,}" if x.neurons else "",
                    f"{x.events:,.1f}" if x.neurons else "",
                    f"{x.events / x.neurons:.2%}" if x.neurons else "",
                    f"{x.operations:,.0f}",
                    f"{x.operations / x.dense:.2%}" if x.dense else "",
                    "" if x.cores is None else str(x.cores),
                ]
            )
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        aligned = (
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows
        )
        return ["  ".join(row).rstrip() for row in aligned]


def measure(model: ArtifactModel, frames: int) -> Cost:
    """Runs all nets over `frames` frames of a moving picture, the same ones each time."""
    cores = _cores(model)
    runs = [Simulator(net.network, model.spike_exp) for net in model.nets]
    layers = [len(net.names) for net in model.nets]
    events, operations = ([np.zeros(count) for count in layers] for _ in range(2))
    seconds = []
    for number, image in enumerate(_moving(model, model.settling + frames)):
        encoded = model.encode(image)[None]
        began = time.perf_counter()
        made = [model.noted(net, run.run(encoded)) for net, run in zip(model.nets, runs, strict=True)]
        if number >= model.settling:
            seconds.append(time.perf_counter() - began)
            for each, sent, done in zip(made, events, operations, strict=True):
                sent += each.events[0]
                done += each.operations[0]
    found = [
        _layer(model, net, i, sent[i] / frames, done[i] / frames, cores)
        for net, sent, done in zip(model.nets, events, operations, strict=True)
        for i in range(len(net.names))
    ]
    return Cost(frames, 1000 * median(seconds), tuple(found))


def _layer(
    model: ArtifactModel, net: Net, i: int, events: float, operations: float, cores: dict[tuple[str, str], int]
) -> LayerCost:
    layer, shape = net.network.layers[i], net.network.shapes[i]
    weighted = isinstance(layer, Conv | Dense)
    dense = _dense(layer, net.network.shapes[i - 1], shape) if isinstance(layer, Conv | Dense) else 0
    own = cores.get((net.name, net.names[i])) if weighted else None
    sending = 0 if isinstance(layer, Conv | Dense) and layer.sigma else prod(shape)
    return LayerCost(model.label(net, i), sending, round(events, 2), round(operations, 1), dense, own)


def _dense(layer: Conv | Dense, before: Shape, shape: Shape) -> int:
    """Multiplications of the layer where every value takes part."""
    return layer.weight.size * prod(shape[1:])


def _cores(model: ArtifactModel) -> dict[tuple[str, str], int]:
    """Cores by net and layer. ArtifactError if cores.json is damaged."""
    place = model.folder / "cores.json"
    try:
        return {
            (str(net["name"]), str(layer["name"])): int(layer["cores"])
            for net in read_json(place)["nets"]
            for layer in net["layers"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"is damaged at {error}", place, "export again") from error


def _moving(model: ArtifactModel, count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Squares of random colours that move to the right, u8 [height, width, channels]."""
    encoding = model.encoding
    rows, columns = -(-encoding.height // BLOCK), -(-encoding.width // BLOCK)
    colours = np.random.default_rng(0).integers(0, 256, (rows, columns, encoding.channels), dtype=np.uint8)
    picture = colours.repeat(BLOCK, 0).repeat(BLOCK, 1)
    for number in range(count):
        yield np.roll(picture, SHIFT * number, 1)[: encoding.height, : encoding.width]
