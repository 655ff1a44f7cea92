"""From a checkpoint to the artifacts folder: each net's file read back and run before the folder is put in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.data.encode import Encoding
from detrt.devices.artifacts_folder import DESCRIPTION, SCHEMA, write_folder
from detrt.devices.class_names import class_names
from detrt.devices.errors import ArtifactError
from detrt.devices.loihi2.core_map import core_map, core_text
from detrt.devices.loihi2.from_state import Clipped, clipped_from_state, q8
from detrt.devices.loihi2.netfile import network_of, write_net
from detrt.devices.loihi2.netlayers import look_at
from detrt.devices.loihi2.network import Conv, Dense, Network, same_network
from detrt.devices.loihi2.plan import NetPlan, read_nets
from detrt.devices.loihi2.ranges import layer_ranges, unproven
from detrt.devices.loihi2.simulator import simulate
from detrt.files import write_json, write_text

PROGRAM = "run_netx.py"
LONG = 1000
"""Steps of a clip for which the ranges are bounded."""


def export(
    lock: Mapping[str, Any],
    state_dict: Mapping[str, Any],
    caps: Mapping[str, float] | None,
    out_dir: str | Path,
    vendor_inputs: bool = False,
) -> dict[str, Any]:
    """Writes the artifacts of a checkpoint to `out_dir`, whole or not at all.

    Nothing is measured for this chip, so `caps` are not read, and `.net` is what Intel's tools take, so `vendor_inputs` adds
    nothing. The report: `files` (name -> bytes, sha256) and `findings`, a list of {"level", "layer", "message"}. DetrtError for a
    checkpoint or lock that does not fit, and for what a `.net` file cannot hold.
    """
    model = lock["model"]
    plans = read_nets(lock)
    made = [clipped_from_state(plan, state_dict) for plan in plans]
    names = class_names(lock, (_head(model) or {}).get("options") or {})
    spike_exp = int(lock["plan"]["spike_exp"])
    findings = [
        finding
        for plan, (network, clipped) in zip(plans, made, strict=True)
        for finding in _findings(plan, network, clipped, spike_exp, model["input"])
    ]

    def fill(folder: Path) -> None:
        for plan, (network, _) in zip(plans, made, strict=True):
            write_net(network, folder / file_of(plan))
            _check(network, folder / file_of(plan), spike_exp)
        cores = core_map(lock["plan"], [plan.name for plan in plans])
        write_json(folder / "cores.json", cores)
        write_text(folder / "cores.txt", core_text(cores))
        write_json(folder / DESCRIPTION, _description(lock, plans, names, spike_exp))
        write_text(folder / "labels.txt", "".join(f"{name}\n" for name in names))
        write_text(folder / PROGRAM, Path(__file__).with_name(PROGRAM).read_text(encoding="utf-8"))

    target = lock["target"]
    about = {
        "target": target["name"],
        "lineage": list(target.get("lineage") or []),
        "detc": lock.get("detc", ""),
        "spec": lock.get("spec", {}),
    }
    manifest = write_folder(Path(out_dir), fill, about)
    return {"files": manifest["files"], "findings": findings}


def file_of(plan: NetPlan) -> str:
    """The name of a net's file: network.net where there is one."""
    return f"{plan.name}.net"


def _head(model: Mapping[str, Any]) -> Mapping[str, Any] | None:
    heads: Sequence[Mapping[str, Any]] = model.get("heads") or ()
    return heads[0] if heads else None


def _check(network: Network, path: Path, spike_exp: int) -> None:
    """The file, read back, holds the very network and gives the same numbers; ArtifactError otherwise, our own fault."""
    back = network_of(*look_at(path), path)
    if not same_network(network, back):
        raise ArtifactError("the file read back is not the network that was written", path.name)
    frames = np.random.default_rng(0).integers(-128, 128, (2, *network.input.shape))
    found, wanted = (simulate(each, frames, spike_exp) for each in (back, network))
    if not np.array_equal(found.outputs, wanted.outputs) or not np.array_equal(found.events, wanted.events):
        raise ArtifactError("the file read back gives other numbers", path.name)


def _findings(
    plan: NetPlan,
    network: Network,
    clipped: Mapping[str, Clipped],
    spike_exp: int,
    model_input: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """What may differ on the chip, as warnings."""
    names = [layer.name for layer in plan.layers]
    told = [(name, str(what)) for name, what in clipped.items()]
    ranges = layer_ranges(network, LONG + network.latency, spike_exp, picture_ends(model_input))
    for line in unproven(network, ranges, names, spike_exp):
        name, _, message = line.partition(": ")
        told.append((name, f"could leave the chip's ranges at worst: {message}"))
    for name, layer in zip(names, network.layers, strict=True):
        if isinstance(layer, Conv) and layer.delay:
            told.append((name, "has a delay, which netx leaves out behind a convolution (lava-dl 0.6.0)"))
        if isinstance(layer, Dense) and layer.delay and layer.bias is not None:
            told.append(
                (name, "has a delay and means: netx holds back what arrives, not what leaves, so events differ")
            )
        if isinstance(layer, Dense) and not layer.weight.any():
            told.append((name, "has no weight but 0, and netx cannot load such a matrix (lava-dl 0.6.0)"))
    return [{"level": "warning", "layer": name, "message": message} for name, message in told]


def picture_ends(model_input: Mapping[str, Any]) -> list[tuple[int, int]] | None:
    """(Least, most) of each channel of an encoded picture of bytes, times 64; None where the input is none."""
    if (model_input.get("encoding") or {}).get("kind") != "affine":
        return None
    encoding = Encoding.of(model_input)
    bytes_: npt.NDArray[np.uint8] = np.array([0, 255], np.uint8).repeat(encoding.channels).reshape(1, 1, 2, -1)
    ends = q8(encoding.array(bytes_)[0, :, 0].astype(np.float64))
    return [(int(min(pair)), int(max(pair))) for pair in ends]


def _description(
    lock: Mapping[str, Any], plans: Sequence[NetPlan], names: Sequence[str], spike_exp: int
) -> dict[str, Any]:
    model = lock["model"]
    head = _head(model) or {"kind": "", "on": [], "options": {}}
    return {
        "schema": SCHEMA,
        "target": lock["target"]["name"],
        "name": str(model["name"]),
        "input": {key: value for key, value in model["input"].items() if key != "span"},
        "input_scale": "x64 = 64 * clamp(round(32 * x) / 32, -4, 254 / 64), ties to even; x as encoded by `input`",
        "output_scale": f"value = state / 2^{spike_exp + 12}",
        "spike_exp": spike_exp,
        "classes": list(names),
        "head": {key: head.get(key) or default for key, default in (("kind", ""), ("on", []), ("options", {}))},
        "nets": [
            {
                "name": plan.name,
                "file": file_of(plan),
                "output": plan.output,
                "index": plan.index,
                "latency_steps": plan.latency,
                "layers": [layer.name for layer in plan.layers],
            }
            for plan in plans
        ],
        "spec": lock.get("spec", {}),
    }
