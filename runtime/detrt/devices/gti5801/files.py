"""The text files that go with chip.dat, in the forms that the vendor's host programs read; files are written whole or not at all.

Formats and keys: MDK guide, the vendor's toolkit and its host example. Class names may hold anything: each format escapes them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.gti5801.errors import ArtifactError
from detrt.devices.gti5801.network import ChipNetwork, MajorShape


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` beside `path`, then moves it there: a reader sees the old file or the new one, never a part."""
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            temporary = stream.name
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror or error}", path) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def json_text(document: Any) -> str:
    """JSON as the vendor's tools write it: sorted keys, four spaces, ASCII, no line break at the end."""
    return json.dumps(document, indent=4, separators=(",", ": "), sort_keys=True)


def _answer(shape: MajorShape, last: bool) -> dict[str, Any]:
    """How the host unpacks one map: [size, size, channels, values a tile, bytes]. Tile and bytes as the toolkit computes them."""
    pooled = last and shape.pooling
    size = shape.output_size if pooled else shape.image_size
    fc77 = pooled and size == 7
    side = 7 if pooled else min(size, 14)
    wide = shape.ten_bits
    amount = size * size * shape.output_channels * (64 if fc77 or wide else 32) // 49
    decoder = "fc77_decode" if fc77 else "interlace_tile_10bits_decode" if wide else "interlace_tile_decode"
    return {
        "format": "float" if wide else "byte",
        "layer scaledown": 3 if fc77 else 0,
        "postfilter": decoder,
        "shape": [size, size, shape.output_channels, side * side, amount],
        "upsampling": 0,
    }


def model_json(network: ChipNetwork, data_file: str, name: str) -> dict[str, Any]:
    """model.json: the picture reader and the chip's layer, as out.model is composed from them."""
    shapes = network.shapes
    channels, size, _ = network.input_shape
    out_channels, out_size, _ = network.output_shape
    answers = []
    for shape in shapes:
        if shape.learning or shape.last_layer_out:
            answers += [_answer(shape, False)] * (len(shape.kinds) if shape.learning else 1)
        elif shape is shapes[-1]:
            answers.append(_answer(shape, True))
    reader = {
        "data file": None,
        "data offset": None,
        "input format": "CS_BGR24_PLANAR",
        "name": "image reader",
        "operation": "IMAGEREADER",
        "output channels": channels,
        "output format": "CS_BGR24_PLANAR",
        "output height": size,
        "output width": size,
    }
    chip = {
        "data file": data_file,
        "data offset": 0,
        "device": {"chip": "5801", "name": None, "type": 0},
        "inputs": [{"format": "byte", "prefilter": "interlace_tile_encode", "shape": [size, size, channels]}],
        "mode": 0,
        "name": "cnn",
        "operation": "GTICNN",
        "output channels": out_channels,
        "output height": out_size,
        "output width": out_size,
        "outputs": answers,
    }
    return {"layer": [reader, chip], "name": name, "version": 100}


def numbers_text(network: ChipNetwork, what: str) -> Iterator[str]:
    """filter.txt (`what` = "weight") or bias.txt ("bias") in pieces: "%.16e" a line, layers in order, OIHW."""
    first = True
    for _, _, layer in network.sublayers():
        values = layer.weight if what == "weight" else layer.bias
        distinct, place = np.unique(values.reshape(-1), return_inverse=True)
        words = np.array([f"{v * 2.0**-layer.shift:.16e}" for v in distinct.tolist()], dtype=object)
        text = "\n".join(words[place])
        yield text if first else "\n" + text
        first = False


def relu_cap_text(caps: Sequence[float]) -> str:
    """relu_cap.txt: a cap a line in the order of the layers; the last is the scale of the output."""
    return "".join(f"{float(cap)!r}\n" for cap in caps)


def _printable(name: str) -> str:
    """A class name on one line: control characters and lone surrogates as \\n, \\x1b, \\ud800; a backslash doubled."""
    shown = (c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in name)
    return "".join(shown)


def labels_text(names: Sequence[str]) -> str:
    """labels.txt: a class a line, numbered from 0."""
    return "".join(f"{_printable(name)}\n" for name in names)


def _host_notes(order: str, resize: Mapping[str, Any]) -> str:
    """Comment lines on what the vendor's host program does not do by itself; empty if that is nothing."""
    notes = []
    if order not in ("bgr", "ycrcb"):
        notes.append(f"# The host hands over pictures in {order}.")
    if (resize["mode"], resize["interpolation"]) != ("stretch", "bilinear"):
        words = f"{resize['mode']}, {resize['interpolation']}"
        words += f", grey {resize['pad']} beside the picture" if resize["mode"] == "letterbox" else ""
        words += f", at {resize['place']}" if resize["mode"] != "stretch" else ""
        notes.append(f"# The host resizes pictures: {words}.")
    return "".join(f"{note}\n" for note in notes)


def yaml_string(text: str) -> str:
    """A double-quoted YAML scalar: printable characters as they are, all others escaped."""
    out = []
    for c in text:
        code = ord(c)
        if c in '"\\':
            out.append("\\" + c)
        elif c.isprintable():
            out.append(c)
        else:
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


def host_yaml(
    *,
    name: str,
    size: int,
    order: str,
    resize: Mapping[str, Any],
    cap: float,
    names: Sequence[str],
    conf: float,
    score: float,
    nms: float,
) -> str:
    """GNetDet.yaml with the keys of the vendor's host program; an output of 31 means `cap`.

    That program stretches pictures bilinearly and knows BGR and YCrCb. What a net needs besides is said in comments.
    """
    return f"""VERSION: 1
{_host_notes(order, resize)}
CHIP: "5801"

MODEL:
  NAME: {yaml_string(name)}

  INPUT:
    SIZE: {size}
    FORMAT: {1 if order == "ycrcb" else 0}               # 0: BGR, 1: YCrCb

  OUTPUT:
    CAP: {cap!r}

OPTS:
  CONF_THRESH: {conf!r}
  PROB_THRESH: {score!r}
  NMS_THRESH: {nms!r}

DATA:
  NUM_CLASSES: {len(names)}
  CLASS_NAMES: [{", ".join(map(yaml_string, names))}]
"""
