"""Run in a lava environment: prints what lava-dl's own export writes of two small nets with given weights, as JSON.

Usage: python loihi2_slayer_export.py RUNTIME_FOLDER > tests/golden/devices/loihi2_slayer_export.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = "published: lava-dl 0.6.0, its own export_hdf5; made by tests/detrt/devices/loihi2_slayer_export.py"


def numbers(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> Any:
    """Whole multiples of 1/1024, so that text holds them exactly."""
    return np.rint(rng.normal(0, spread, shape) * 1024).astype(np.float32) / 1024


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from detrt.devices.loihi2.shim import import_slayer

    slayer = import_slayer()
    import h5py
    import torch
    import torch.nn.functional as F

    rng = np.random.default_rng(0)
    neuron = {"threshold": 0.1, "activation": F.relu, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
    block = slayer.block.sigma_delta

    def conv(*moves: Any, **given: Any) -> Any:
        return block.Conv(dict(neuron), *moves, weight_norm=True, delay_shift=False, **given)

    class Head(torch.nn.Module):
        """The read-out of yolo_kp (slayer/object_detection/models/yolo_kp.py)."""

        def __init__(self) -> None:
            super().__init__()
            self.synapse = slayer.synapse.Conv(
                4, 3, 1, pre_hook_fx=block.Input({"threshold": 0.1, "activation": F.relu}).neuron.quantize_8bit
            )
            self.sigma = slayer.dendrite.Sigma()

        def forward(self, x: Any) -> Any:
            return self.sigma(self.synapse(x))

        def export_hdf5(self, handle: Any) -> None:
            s = self.synapse
            handle.create_dataset("type", (1,), "S10", [b"conv"])
            handle.create_dataset("shape", data=np.array(self.sigma.shape))
            handle.create_dataset("inChannels", data=s.in_channels)
            handle.create_dataset("outChannels", data=s.out_channels)
            for key, value in (("kernelSize", s.kernel_size), ("stride", s.stride), ("padding", s.padding)):
                handle.create_dataset(key, data=value[:-1])
            handle.create_dataset("dilation", data=s.dilation[:-1])
            handle.create_dataset("groups", data=s.groups)
            handle.create_dataset("weight", data=s.pre_hook_fx(s.weight, descale=True).detach().numpy())
            for key, value in {**self.sigma.device_params, "sigma_output": True}.items():
                handle.create_dataset(f"neuron/{key}", data=value)

    def nets() -> Any:
        yield (
            "conv",
            [
                block.Input({"threshold": 0.1, "activation": F.relu}),
                conv(2, 4, 3, padding=1, stride=2),
                conv(4, 4, (3, 1), padding=(1, 0), groups=2),
                Head(),
            ],
        )
        yield (
            "dense",
            [
                block.Input({"threshold": 0.25, "activation": F.relu}),
                conv(2, 2, 3, padding=1),
                block.Flatten(),
                block.Dense(dict(neuron), 50, 3, weight_norm=True, delay_shift=False),
                block.Output({"threshold": 0.1, "activation": F.relu}, 3, 2),
            ],
        )

    found: dict[str, Any] = {}
    for name, blocks in nets():
        x = torch.as_tensor(numbers(rng, (1, 2, 5, 5, 4), 1.0))
        for b in blocks:
            b.eval()
            x = b(x)
        state: dict[str, Any] = {}
        for i, b in enumerate(blocks):
            for key, value in b.state_dict().items():
                if "running_mean" in key:  # one is beyond the range of -4 .. 3.97
                    given = numbers(rng, (b.synapse.out_channels,), 2.5)
                    b.neuron.norm.running_mean = torch.as_tensor(given)
                    state[f"{i}.{key}"] = given
                elif "synapse" in key:
                    given = numbers(rng, tuple(value.shape), 1.5)
                    given = np.abs(given) + 1 if "weight_g" in key else given
                    b.get_parameter(key).data = torch.as_tensor(given)
                    state[f"{i}.{key}"] = given
                else:
                    state[f"{i}.{key}"] = value.numpy()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net"
            with h5py.File(path, "w") as file:
                layer = file.create_group("layer")
                for i, b in enumerate(blocks):
                    b.export_hdf5(layer.create_group(str(i)))
            found[name] = {
                "state": {key: {"shape": list(v.shape), "values": v.ravel().tolist()} for key, v in state.items()},
                "file": dump(path),
            }
    lines = [f'{{"from": {json.dumps(HERE)},']
    for name, parts in found.items():
        lines.append(f'"{name}": {{')
        for part, entries in parts.items():
            lines.append(f'  "{part}": {{')
            rows = [f"    {json.dumps(key)}: {json.dumps(entry)}" for key, entry in entries.items()]
            lines.append(",\n".join(rows))
            lines.append("  }," if part == "state" else "  }")
        lines.append("}," if name == "conv" else "}")
    print("\n".join([*lines, "}"]))


def dump(path: Path) -> dict[str, Any]:
    """Every data set of a file: dtype, shape, values."""
    import h5py

    found: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            value = item[()]
            if isinstance(value, bytes):
                said: Any = [value.decode()]
            else:
                said = [v.decode() if isinstance(v, bytes) else v for v in np.asarray(value).ravel().tolist()]
            found[name] = {"dtype": str(item.dtype), "shape": list(item.shape), "values": said}

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return found


if __name__ == "__main__":
    main()
