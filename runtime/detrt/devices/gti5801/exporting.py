"""From the chip stage's checkpoint to the artifacts folder, read back and run from its bytes before it is put in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.artifacts_folder import DESCRIPTION, SCHEMA, write_folder
from detrt.devices.class_names import class_names
from detrt.devices.gti5801.arithmetic import Clipped
from detrt.devices.gti5801.chain import Plan, check_caps, read_plan
from detrt.devices.gti5801.chipdat import decode, encode
from detrt.devices.gti5801.errors import ArtifactError
from detrt.devices.gti5801.files import host_yaml, json_text, labels_text, model_json, numbers_text, relu_cap_text
from detrt.devices.gti5801.from_checkpoint import State, network_from_checkpoint
from detrt.devices.gti5801.network import ChipNetwork, same_network
from detrt.devices.gti5801.outmodel import compose, split
from detrt.devices.gti5801.simulator import simulate
from detrt.devices.gti5801.vendor_json import dat_json

CONF, SCORE, NMS = 0.1, 0.1, 0.5
"""Thresholds of the vendor's decoder, where the head's options name none."""

STRETCH = {"mode": "stretch", "interpolation": "bilinear", "pad": 114, "place": "center"}
"""How pictures are resized where the lock does not say."""


def export(
    lock: Mapping[str, Any],
    state_dict: State,
    caps: Mapping[str, float],
    out_dir: str | Path,
    vendor_inputs: bool = False,
) -> dict[str, Any]:
    """Writes the artifacts of a chip-stage checkpoint to `out_dir`, whole or not at all.

    `state_dict` has the folded weights of the chip stage, `caps` those of the calibration (they give the output scale). With
    `vendor_inputs` also filter.txt and bias.txt for the vendor's own converter. chip.dat and out.model are parsed back, compared
    and run on a probe picture first. The report: `files` (name -> bytes, sha256), `scale`, and `findings`, a list of
    {"level", "message", "layer"} that names what had to be clipped. DetrtError for a checkpoint or lock that does not fit.
    """
    plan = read_plan(lock)
    check_caps(plan, caps)
    model = lock["model"]
    order = str(model["input"].get("order", "bgr"))
    network, clipped = network_from_checkpoint(plan, state_dict, order)
    chip_dat = encode(network)
    model_text = json_text(model_json(network, "chip.dat", str(model["name"]))).encode()
    out_model = compose(model_text, chip_dat)
    _check(network, chip_dat, out_model)
    scale = float(caps[plan.links[-1].relu_node] / plan.links[-1].top)
    texts = _texts(lock, plan, network, caps, scale, order)

    def fill(folder: Path) -> None:
        (folder / "chip.dat").write_bytes(chip_dat)
        (folder / "out.model").write_bytes(out_model)
        (folder / "model.json").write_bytes(model_text)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if vendor_inputs:
            for name, what in (("filter.txt", "weight"), ("bias.txt", "bias")):
                with (folder / name).open("w", encoding="ascii") as stream:
                    stream.writelines(numbers_text(network, what))

    about = {"target": "gti5801", "detc": lock.get("detc", ""), "spec": lock.get("spec", {})}
    manifest = write_folder(Path(out_dir), fill, about)
    return {"files": manifest["files"], "scale": scale, "findings": [_finding(*item) for item in clipped.items()]}


def _check(network: ChipNetwork, chip_dat: bytes, out_model: bytes) -> None:
    """The files, read back, hold the very network and run on a probe picture; ArtifactError otherwise, our own fault."""
    inner = split(out_model)[1]
    back = decode(inner)
    if inner != chip_dat or not same_network(network, back):
        raise ArtifactError("the file read back is not the network that was written", "chip.dat")
    probe = np.random.default_rng(0).integers(0, 256, network.input_shape, dtype=np.uint8)
    if simulate(back, probe).shape != network.output_shape:
        raise ArtifactError("the file read back gives another shape", "chip.dat")


def _texts(
    lock: Mapping[str, Any], plan: Plan, network: ChipNetwork, caps: Mapping[str, float], scale: float, order: str
) -> dict[str, str]:
    """All text files by name."""
    model = lock["model"]
    heads = model.get("heads") or [{"kind": "", "options": {}}]
    head: dict[str, Any] = heads[0]
    options = head.get("options", {})
    names = class_names(lock, options)
    host_order = "bgr" if order == "rgb" else order
    ordered = [float(caps[link.relu_node]) for link in plan.links]
    description = {
        "schema": SCHEMA,
        "target": "gti5801",
        "name": str(model["name"]),
        "size": network.input_shape[1],
        "order": host_order,
        "resize": _resize(model["input"]),
        "classes": names,
        "channels": plan.head_channels,
        "scale": scale,
        "head": {"kind": head.get("kind", ""), "options": options},
        "caps": {link.relu_node: cap for link, cap in zip(plan.links, ordered, strict=True)},
        "spec": lock.get("spec", {}),
    }
    return {
        DESCRIPTION: json_text(description) + "\n",
        "dat.json": json_text(dat_json(network)),
        "relu_cap.txt": relu_cap_text(ordered),
        "labels.txt": labels_text(names),
        "GNetDet.yaml": host_yaml(
            name=str(model["name"]),
            size=network.input_shape[1],
            order=host_order,
            resize=_resize(model["input"]),
            cap=ordered[-1],
            names=names,
            conf=float(options.get("conf", CONF)),
            score=float(options.get("score", SCORE)),
            nms=float(options.get("nms", NMS)),
        ),
    }


def _resize(model_input: Mapping[str, Any]) -> dict[str, Any]:
    """How the host brings a picture to the net's size, in the words of the lock."""
    return STRETCH | dict(model_input.get("resize") or {})


def _finding(layer: str, clipped: Clipped) -> dict[str, Any]:
    parts = []
    if clipped.weights:
        parts.append(f"{clipped.weights} weights (the largest asked for {clipped.largest_weight:.0f})")
    if clipped.biases:
        parts.append(f"{clipped.biases} biases (the largest asked for {clipped.largest_bias:.0f})")
    message = f"{' and '.join(parts)} left the chip's integers and were clipped; the vendor's tools wrap them silently"
    return {"level": "warning", "layer": layer, "message": message}
