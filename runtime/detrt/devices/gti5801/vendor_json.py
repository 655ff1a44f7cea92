"""dat.json, the vendor's description of a network: read into shapes and shifts, and written from a network.

Keys and their meaning: MDK guide and the vendor's converter. Unknown keys are ignored, as the converter does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.gti5801.arithmetic import integers
from detrt.devices.gti5801.errors import NetworkError
from detrt.devices.gti5801.legality import MAX_MAJORS, MAX_SUBLAYERS, check_network, check_shapes
from detrt.devices.gti5801.network import ChipNetwork, Kind, Major, MajorShape, Sublayer

LARGEST_NUMBER = 4096
"""No number of a legal dat.json is larger; checked before anything is sized by it."""


def _integer(table: dict[str, Any], key: str, at: str) -> int:
    if key not in table:
        raise NetworkError([f"{at}: `{key}` is missing"])
    value = table[key]
    if type(value) is not int or not 0 <= value <= max(LARGEST_NUMBER, 5801):
        raise NetworkError(
            [f"{at}: `{key}` must be a whole number from 0 to {LARGEST_NUMBER}, not {str(value)[:40]!r}"]
        )
    return value


def _flag(table: dict[str, Any], key: str, at: str) -> bool:
    value = table.get(key, False)
    if type(value) is not bool:
        raise NetworkError([f"{at}: `{key}` must be true or false, not {str(value)[:40]!r}"])
    return value


def _integers(table: dict[str, Any], key: str, at: str) -> list[int]:
    value = table.get(key) or []
    if not isinstance(value, list) or len(value) > MAX_SUBLAYERS or any(type(v) is not int for v in value):
        raise NetworkError([f"{at}: `{key}` must be a list of at most {MAX_SUBLAYERS} whole numbers"])
    return value


def _kinds(table: dict[str, Any], count: int, at: str) -> tuple[Kind, ...]:
    ones = _integers(table, "one_coef", at)
    if not _flag(table, "depth_enable", at):
        if any(ones):
            raise NetworkError([f"{at}: `one_coef` needs `depth_enable`"])
        dense: Kind = "conv3x3"
        return (dense,) * count
    if len(ones) != count or any(v not in (0, 1) for v in ones):
        raise NetworkError([f"{at}: `one_coef` must hold a 0 or 1 for each of the {count} sublayers"])
    named: dict[int, Kind] = {0: "depthwise", 1: "pointwise"}
    return tuple(named[v] for v in ones)


def _major(table: Any, number: int) -> tuple[MajorShape, list[int]]:
    at = f"major layer {number}"
    if not isinstance(table, dict):
        raise NetworkError([f"{at}: not a JSON object"])
    if _integer(table, "major_layer", at) != number:
        raise NetworkError([f"{at}: `major_layer` is {table['major_layer']}"])
    if _flag(table, "upsample_enable", at):
        raise NetworkError([f"{at}: `upsample_enable`: the 5801 does not upsample"])
    count = _integer(table, "sublayer_number", at)
    if not 1 <= count <= MAX_SUBLAYERS:
        raise NetworkError([f"{at}: {count} sublayers, allowed are 1 to {MAX_SUBLAYERS}"])
    if "scaling" not in table:
        raise NetworkError([f"{at}: `scaling` is missing"])
    shifts = _integers(table, "scaling", at)
    if len(shifts) != count:
        raise NetworkError([f"{at}: {len(shifts)} shifts in `scaling` for {count} sublayers"])
    shape = MajorShape(
        image_size=_integer(table, "image_size", at),
        input_channels=_integer(table, "input_channels", at),
        output_channels=_integer(table, "output_channels", at),
        bits=_integer(table, "coef_bits", at),
        kinds=_kinds(table, count, at),
        pooling=_flag(table, "pooling", at),
        shortcuts=tuple(sorted(_integers(table, "resnet_shortcut_start_layers", at))),
        ten_bits=_flag(table, "ten_bits_enable", at),
        learning=_flag(table, "learning", at),
        last_layer_out=_flag(table, "last_layer_out", at),
    )
    return shape, shifts


def read_dat_json(document: Any) -> tuple[list[MajorShape], list[list[int]], bool]:
    """(shapes, shifts, sampling) of a parsed dat.json, all limits of the chip checked. NetworkError names layer and key."""
    if not isinstance(document, dict) or not isinstance(document.get("layer"), list):
        raise NetworkError(["dat.json: no list `layer`"])
    model = document.get("model")
    if not isinstance(model, list) or len(model) != 1 or not isinstance(model[0], dict):
        raise NetworkError(["dat.json: `model` must be a list of one object"])
    options = model[0]
    if _integer(options, "ChipType", "model") != 5801:
        raise NetworkError([f"model: `ChipType` is {options['ChipType']}, this is the package of the 5801"])
    tables = document["layer"]
    if not 1 <= len(tables) <= MAX_MAJORS:
        raise NetworkError([f"{len(tables)} major layers, the chip has 1 to {MAX_MAJORS}"])
    if _integer(options, "MajorLayerNumber", "model") != len(tables):
        raise NetworkError([f"model: `MajorLayerNumber` is {options['MajorLayerNumber']}, `layer` has {len(tables)}"])
    read = [_major(table, number) for number, table in enumerate(tables, start=1)]
    shapes, shifts = [shape for shape, _ in read], [row for _, row in read]
    check_shapes(shapes)
    wide = any(shape.ten_bits for shape in shapes)
    sampling, ten = options.get("SamplingMethod", 0), options.get("ActivationBitMode", int(wide))
    if sampling not in (0, 1) or ten not in (0, 1):
        raise NetworkError(["model: `SamplingMethod` and `ActivationBitMode` are 0 or 1"])
    if bool(ten) != wide:
        raise NetworkError(["`ActivationBitMode` 1 and `ten_bits_enable` of the last layer go together"])
    return shapes, shifts, bool(sampling)


def tensor_shapes(shapes: Sequence[MajorShape]) -> dict[str, tuple[int, ...]]:
    """What arrays go with the shapes: w0.., b0.. over all sublayers, and the picture `input`."""
    wanted: dict[str, tuple[int, ...]] = {}
    for k, shape in enumerate(s for major in shapes for s in major.weight_shapes()):
        wanted[f"w{k}"], wanted[f"b{k}"] = shape, shape[:1]
    wanted["input"] = (shapes[0].input_channels, shapes[0].image_size, shapes[0].image_size)
    return wanted


def network_of(
    shapes: Sequence[MajorShape], shifts: Sequence[Sequence[int]], sampling: bool, arrays: dict[str, npt.NDArray[Any]]
) -> ChipNetwork:
    """The network of a dat.json with the real-valued arrays w0.., b0.. of its sublayers, checked.

    Numbers are brought to integers as the converter does: times 2^shift, rounded half away from zero.
    """
    majors, k, problems = [], 0, []
    for number, (shape, row) in enumerate(zip(shapes, shifts, strict=True), start=1):
        layers = []
        for index, (wanted, shift) in enumerate(zip(shape.weight_shapes(), row, strict=True), start=1):
            weight, bias = (np.asarray(arrays[f"{letter}{k}"], np.float64) for letter in "wb")
            most = max(float(np.abs(weight).max()), float(np.abs(bias).max())) * 2.0**shift
            if not most < 2**31:
                problems.append(f"major layer {number}, sublayer {index}: w{k} or b{k} is not finite or far too large")
                weight, bias = np.zeros(wanted), np.zeros(wanted[:1])
            whole = integers(weight, shift).reshape(wanted)
            narrow = np.clip(whole, -(2**15) + 1, 2**15 - 1).astype(np.int16)
            layers.append(Sublayer(narrow, integers(bias, shift), shift))
            k += 1
        majors.append(Major(shape, tuple(layers)))
    if problems:
        raise NetworkError(problems)
    network = ChipNetwork(tuple(majors), sampling)
    check_network(network)
    return network


def dat_json(network: ChipNetwork) -> dict[str, Any]:
    """The vendor's dat.json of a network, with the optional keys only where they say something."""
    layers = []
    for number, major in enumerate(network.majors, start=1):
        shape = major.shape
        table: dict[str, Any] = {
            "coef_bits": shape.bits,
            "image_size": shape.image_size,
            "input_channels": shape.input_channels,
            "last_layer_out": shape.last_layer_out,
            "learning": shape.learning,
            "major_layer": number,
            "output_channels": shape.output_channels,
            "pooling": shape.pooling,
            "scaling": [layer.shift for layer in major.sublayers],
            "sublayer_number": len(major.sublayers),
        }
        if shape.depth_enable:
            table |= {"depth_enable": True, "one_coef": [int(kind == "pointwise") for kind in shape.kinds]}
        if shape.shortcuts:
            table["resnet_shortcut_start_layers"] = list(shape.shortcuts)
        if shape.ten_bits:
            table["ten_bits_enable"] = True
        layers.append(table)
    model: dict[str, Any] = {"ChipType": 5801, "MajorLayerNumber": len(layers)}
    if network.majors[-1].shape.ten_bits:
        model["ActivationBitMode"] = 1
    if network.sampling:
        model["SamplingMethod"] = 1
    return {"layer": layers, "model": [model]}
