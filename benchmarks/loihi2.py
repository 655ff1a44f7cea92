"""Frames a second of the integer simulator of Loihi 2, against lava-dl's own forward and against netx, on one net and clip.

    python benchmarks/loihi2.py [--channels 4] [--image 112] [--frames 8] [--without-netx] [-o FILE]

The net is yolo_kp with CHANNELS instead of 16 in its first layer, the clip squares of colour that move by 2 pixels a frame.
Where there is a lava environment (DETC_LAVA_PYTHON, or .venv-loihi of the checkout), slayer and netx run there, on the same
numbers, and their outputs are compared with the simulator's, value for value. Prints JSON; `ratios` are how often faster the
simulator is. Times are the least of three runs, netx's of one: it starts a process for each layer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.loihi2.netfile import network_of, write_net
from detrt.devices.loihi2.netlayers import look_at
from detrt.devices.loihi2.network import Conv, Input, Network
from detrt.devices.loihi2.simulator import simulate

CHECKOUT = Path(__file__).resolve().parents[1]
CLASSES = 11
RUNS = 3
MOVES = ((3, 2), (3, 2), (3, 2), (3, 2), (3, 1), (3, 2), (3, 1), (1, 1), (3, 1))
"""Kernel and stride of the nine blocks of yolo_kp."""
WIDTHS = (1, 2, 4, 8, 16, 16, 32, 16, 32)


def yolo_kp(channels: int, image: int) -> Network:
    """The layers of specs/yolo_kp.det with random weights; the same ones each time."""
    rng = np.random.default_rng(0)

    def conv(inputs: int, outputs: int, k: int, stride: int, read_out: bool = False) -> Conv:
        spread = 22 / np.sqrt(inputs * k * k)
        weight = 2 * np.clip(np.rint(rng.normal(0, spread, (outputs, inputs, k, k))), -128, 127).astype(np.int64)
        bias = None if read_out else 2 * rng.integers(-6, 7, outputs)
        return Conv(weight, bias, (stride, stride), (k // 2, k // 2), (1, 1), 1, 6, read_out)

    widths = [3, *(width * channels for width in WIDTHS)]
    blocks = [conv(i, o, *move) for i, o, move in zip(widths, widths[1:], MOVES, strict=False)]
    return Network((Input((3, image, image), 6), *blocks, conv(widths[-1], 3 * (5 + CLASSES), 1, 1, True)))


def clip(image: int, frames: int) -> Any:
    """Values times 64, [frames, 3, image, image]."""
    side = -(-image // 8)
    squares = 2 * np.random.default_rng(1).integers(-60, 60, (3, side, side))
    picture = squares.repeat(8, 1).repeat(8, 2)[:, :image, :image]
    return np.stack([np.roll(picture, 2 * number, 2) for number in range(frames)])


def timed_slayer(network: Network, frames: Any) -> tuple[Any, float]:
    """(Outputs int64 [T, O, h, w], seconds) of lava-dl's blocks in the chip's form: each a step late, a frame of 0 first."""
    from detrt.devices.loihi2.shim import import_slayer

    slayer = import_slayer()
    import torch
    import torch.nn.functional as F

    block = slayer.block.sigma_delta
    neuron = {"threshold": 6 / 64, "activation": F.relu, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}
    encoder = block.Input({"threshold": 6 / 64, "activation": F.relu})
    blocks: list[Any] = [encoder]
    for layer in network.weighted():
        assert isinstance(layer, Conv)
        outputs, inputs, *kernel = layer.weight.shape
        moves = {"stride": layer.stride, "padding": layer.pad}
        if layer.sigma:
            hook = encoder.neuron.quantize_8bit
            head = slayer.synapse.Conv(inputs, outputs, kernel, **moves, pre_hook_fx=hook)
            head.weight.data = torch.as_tensor(layer.weight[..., None] / 64, dtype=torch.float32)
            blocks += [head, slayer.dendrite.Sigma()]
            continue
        made = block.Conv(dict(neuron), inputs, outputs, kernel, **moves, delay_shift=True)
        made.synapse.weight.data = torch.as_tensor(layer.weight[..., None] / 64, dtype=torch.float32)
        assert layer.bias is not None
        made.neuron.norm.running_mean = torch.as_tensor(-layer.bias / 64, dtype=torch.float32)
        blocks.append(made)
    net = torch.nn.Sequential(*blocks).eval()
    x = torch.as_tensor(np.moveaxis(np.concatenate([0 * frames[:1], frames]) / 64, 0, -1)[None], dtype=torch.float32)
    with torch.no_grad():
        y, seconds = least(lambda: net(x))
    return np.moveaxis(np.rint(y[0].double().numpy() * 2**18).astype(np.int64), -1, 0)[:-1], seconds


def least(work: Callable[[], Any]) -> tuple[Any, float]:
    """(What it gives, the least seconds of RUNS)."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        made = work()
        times.append(time.perf_counter() - began)
    return made, min(times)


def in_lava(path: Path, clip_path: Path, wanted: Path, peers: str) -> None:
    """The part that runs in the lava environment; prints JSON."""
    from detrt.devices.loihi2.netx import run_netx

    network, frames, outputs = network_of(*look_at(path), path), np.load(clip_path), np.load(wanted)
    found: dict[str, Any] = {}
    for name, work in (
        ("slayer", lambda: timed_slayer(network, frames)),
        ("netx", lambda: run_netx(path, frames, network.input.vth)),
    ):
        if name not in peers.split(","):
            continue
        made, seconds = work()
        found[name] = {"seconds": round(seconds, 4), "equal": bool(np.array_equal(made, outputs))}
    print(json.dumps(found))


def lava_python() -> Path | None:
    program = Path(os.environ.get("DETC_LAVA_PYTHON") or CHECKOUT / ".venv-loihi/bin/python")
    return program if program.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(description="The integer simulator of Loihi 2 against slayer and netx.")
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--image", type=int, default=112)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--without-netx", action="store_true", help="it takes minutes on large nets")
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args()
    network, frames = yolo_kp(args.channels, args.image), clip(args.image, args.frames)
    result, own = least(lambda: simulate(network, frames))
    seconds = {"simulator": own}
    figures: dict[str, Any] = {
        "channels": args.channels,
        "image": args.image,
        "frames": args.frames,
        "events_a_frame": int(result.events.sum() / args.frames),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
    }
    program = lava_python()
    if program is None:
        figures["lava"] = "no lava environment: `detc env loihi2` makes one"
    else:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("net.net", "clip.npy", "outputs.npy")]
            write_net(network, paths[0])
            np.save(paths[1], frames)
            np.save(paths[2], result.outputs)
            peers = "slayer" if args.without_netx else "slayer,netx"
            command = [program, __file__, "--in-lava", *paths, peers]
            done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
        if done.returncode:
            sys.exit(f"the lava environment fails:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        figures["equal"] = {name: each["equal"] for name, each in found.items()}
        seconds |= {name: each["seconds"] for name, each in found.items()}
        figures["ratios"] = {f"{name} / simulator": round(seconds[name] / seconds["simulator"], 2) for name in found}
    figures["frames_a_second"] = {name: round(args.frames / value, 3) for name, value in seconds.items()}
    text = json.dumps(figures, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-lava"]:
        in_lava(*(Path(each) for each in sys.argv[2:5]), sys.argv[5])
    else:
        main()
