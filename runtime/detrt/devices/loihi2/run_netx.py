"""Runs the networks of this folder in netx and prints what they find in every frame.

    python run_netx.py video.mp4            on the CPU, in lava's simulator of the chip (--sim, the default)
    python run_netx.py video.mp4 --loihi2   on Loihi 2, with Intel's extension of lava on a machine that has the chip

The source is a video, a picture, a folder of pictures, or an .npy file u8 [frames, height, width, 3] in BGR order.
Needs numpy, opencv-python, h5py and lava-dl 0.6.0 (with lava-nc 0.10.0; Python 3.10, or an environment of `detc env loihi2`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FOLDER = Path(__file__).resolve().parent
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
ORDERS = {"bgr": None, "rgb": cv2.COLOR_BGR2RGB, "grayscale": cv2.COLOR_BGR2GRAY, "ycrcb": cv2.COLOR_BGR2YCrCb}
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


def frames_of(source: Path, most: int | None) -> list[Any]:
    """BGR pictures."""
    if source.suffix == ".npy":
        return list(np.load(source, allow_pickle=False)[:most])
    if source.suffix.lower() in VIDEOS:
        video = cv2.VideoCapture(str(source))
        found: list[Any] = []
        while most is None or len(found) < most:
            read, image = video.read()
            if not read:
                break
            found.append(image)
        return found
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    images = (cv2.imread(str(file)) for file in files)
    return [image for image in images if image is not None][:most]


def encode(image: Any, model_input: dict[str, Any]) -> Any:
    """A BGR picture as whole numbers int32 [channels, height, width]: values times 64 in even steps."""
    _, height, width = model_input["shape"]
    resize, encoding = model_input.get("resize") or {}, model_input["encoding"]
    if resize.get("mode", "stretch") != "stretch":
        sys.exit(f"pictures are to be resized by {resize['mode']}, which this program leaves to `detc run`")
    image = cv2.resize(image, (width, height), interpolation=INTERPOLATIONS[resize.get("interpolation", "bilinear")])
    code = ORDERS[model_input["order"]]
    image = image if code is None else cv2.cvtColor(image, code)
    x = image.reshape(height, width, -1).astype(np.float32)
    scale, offset = np.float32(encoding.get("scale") or 1), np.float32(encoding.get("offset") or 0)
    mean, std = (np.asarray(encoding.get(key) or default, np.float32) for key, default in (("mean", 0), ("std", 1)))
    x = (x / scale + offset - mean) / std
    return (np.clip(np.rint(x * 32), -128, 127) * 2).astype(np.int32).transpose(2, 0, 1)


def run_net(path: Path, frames: Any, spike_exp: int, on_chip: bool) -> Any:
    """States int64 [steps, channels, rows, columns] of the read-out, from frames int32 [steps, channels, height, width]."""
    netx = import_netx()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg

    steps = len(frames)
    # 16 bits of a message: with the default, 0, messages silently become booleans.
    net = netx.hdf5.Network(str(path), skip_layers=1, input_message_bits=16, spike_exp=spike_exp)
    vth = int(net.net_config["layer"][0]["neuron"]["vThMant"])
    if on_chip:
        from lava.proc import embedded_io, io

        dense = io.encoder.Compression.DENSE
        source = io.injector.Injector(shape=net.inp.shape, buffer_size=steps)
        encoder = io.encoder.DeltaEncoder(shape=net.inp.shape, vth=vth, spike_exp=0, num_bits=8, compression=dense)
        adapter = embedded_io.spike.PyToN3ConvAdapter(
            shape=net.inp.shape, num_message_bits=16, spike_exp=spike_exp, compression=dense
        )
        reader = embedded_io.state.ReadConv(shape=net.out.shape)
        sink = io.extractor.Extractor(shape=net.out.shape, buffer_size=steps)
        source.out_port.connect(encoder.a_in)
        encoder.s_out.connect(adapter.inp)
        adapter.out.connect(net.inp)
        reader.connect_var(net.out_layer.neuron.sigma)
        reader.out.connect(sink.in_port)
        models = {io.encoder.DeltaEncoder: io.encoder.PyDeltaEncoderModelDense}
        net.run(condition=RunSteps(steps, blocking=False), run_cfg=Loihi2HwCfg(exception_proc_model_map=models))
        try:
            outputs = []
            for frame in frames:
                source.send(frame.T)
                outputs.append(np.asarray(sink.receive()).T)
            return np.stack(outputs).astype(np.int64)
        finally:
            net.wait()
            net.stop()
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.sdn.process import Delta

    ring, encoder = Source(data=frames.T), Delta(shape=net.inp.shape, vth=vth, spike_exp=spike_exp, state_exp=6)
    kept = Sink(shape=net.out.shape, buffer=steps)
    ring.s_out.connect(encoder.a_in)
    encoder.s_out.connect(net.inp)
    net.out.connect(kept.a_in)
    try:
        # Without the tag, lava's floating models run: no error, other numbers.
        net.run(condition=RunSteps(steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        return kept.data.get().T.astype(np.int64)
    finally:
        net.stop()


def import_netx() -> Any:
    """lava.lib.dl.netx; where detrt is installed, with what lava needs under newer Pythons."""
    try:
        try:
            from detrt.devices.loihi2.shim import import_netx as patched
        except ImportError:
            import lava.lib.dl.netx as netx

            return netx
        return patched()
    except Exception as error:  # of whatever kind: under Python 3.11, a dataclass of lava-nc 0.10.0 is a ValueError
        said = str(error).splitlines()[0]
        sys.exit(
            f"lava's netx does not import in {sys.executable}: {said}\n`detc env loihi2` makes a Python where it does"
        )


def decode(maps: list[Any], options: dict[str, Any]) -> list[tuple[float, int, list[float]]]:
    """(score, class, [x1, y1, x2, y2] as shares of the picture), best first, of the maps of a yolo_sdnn head."""
    found = []
    for map, anchors in zip(maps, options["anchors"], strict=True):
        rows, columns = map.shape[1:]
        cells = map.reshape(len(anchors), 5 + options["classes"], rows, columns)
        confidence = 1 / (1 + np.exp(-cells[:, 4]))
        for a, y, x in zip(*np.nonzero(confidence > max(options["conf"], options["score"])), strict=True):
            raw = cells[a, :, y, x]
            shift = 1 / (1 + np.exp(-raw[:2]))
            centre = (shift + np.array([x, y])) / [columns, rows]
            half = np.exp(np.minimum(raw[2:4], options["clamp"])) * anchors[a] / [columns, rows] / 2
            chance = np.exp(raw[5:] - raw[5:].max())
            score = confidence[a, y, x] * chance.max() / chance.sum()
            found.append((float(score), int(chance.argmax()), [*(centre - half), *(centre + half)]))
    kept: list[tuple[float, int, list[float]]] = []
    for score, label, box in sorted(found, key=lambda each: -each[0]):
        rivals = [other for _, its, other in kept if its == label or options.get("agnostic")]
        if score > options["score"] and all(overlap(box, other) <= options["nms"] for other in rivals):
            kept.append((score, label, box))
    return kept[: options["max_detections"]]


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union."""
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    inner = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return inner / union if union > 0 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the networks of this folder in netx.")
    parser.add_argument("source", type=Path, help="a video, a picture, a folder of pictures, or an .npy file")
    parser.add_argument("--sim", action="store_true", help="lava's simulator on the CPU (the default)")
    parser.add_argument("--loihi2", action="store_true", help="the chip")
    parser.add_argument("--frames", type=int, help="only so many")
    parser.add_argument("-o", "--out", type=Path, help="write the values of the read-outs there too, as .npz")
    args = parser.parse_args()
    about = json.loads((FOLDER / "detector.json").read_text())
    images = frames_of(args.source, args.frames) if args.source.exists() else []
    if not images:
        sys.exit(f"{args.source}: no frame can be read")
    frames = np.stack([encode(image, about["input"]) for image in images])
    values = {}
    for net in about["nets"]:
        # A frame is through after as many steps as the net has layers with weights: the last one is held for these.
        late = net["latency_steps"]
        held = np.concatenate([frames, np.repeat(frames[-1:], late, axis=0)])
        states = run_net(FOLDER / net["file"], held, about["spike_exp"], args.loihi2)[late:]
        values[net["name"]] = states / 2.0 ** (about["spike_exp"] + 12)
    if args.out:
        np.savez(args.out, **values)
    for number in range(len(frames)):
        maps = [values[net["name"]][number] for net in about["nets"]]
        if about["head"]["kind"] != "yolo_sdnn":
            print(f"frame {number}: " + ", ".join(f"{m.shape} {m.min():.3f} .. {m.max():.3f}" for m in maps))
            continue
        found = decode(maps, about["head"]["options"])
        print(f"frame {number}: {len(found)} objects")
        for score, label, box in found:
            print(f"  {about['classes'][label]} {score:.3f}  " + " ".join(f"{side:.4f}" for side in box))


if __name__ == "__main__":
    main()
