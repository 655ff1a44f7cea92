"""The headers that ST's example applications read: ai_model_config.h on H7, app_config.h on N6.

The names are those of STMicroelectronics/stm32ai-modelzoo-services@46924c0a (object_detection, deployment). Heads that ST's
applications have no decoder for get the general part, and a line that says so: postprocess.c decodes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from detrt.devices.stm32.c.layers import Network
from detrt.devices.stm32.c.naming import comment, string
from detrt.devices.stm32.c.network import title
from detrt.devices.stm32.program import Tensor
from detrt.heads.options import DetectorOptions
from detrt.heads.ssd_options import read_head_options as read_ssd
from detrt.heads.yolo_options import read_v2
from detrt.heads.yolox_options import read_head_options as read_yolox

Define = tuple[str, object]
Outputs = Sequence[Tensor]

COLOURS = {"rgb": "RGB", "bgr": "BGR", "grayscale": "GRAY"}
H7_ASPECTS = {"stretch": "FIT", "crop": "CROP", "letterbox": "PADDING"}
N6_ASPECTS = {"stretch": "FIT", "crop": "CROP"}
SCALES = ("L", "M", "S")
"""ST's letters for the maps of a st_yolo_x, the one of most cells first."""


def st_header(
    network: Network, lock: Mapping[str, Any], head: Mapping[str, Any], classes: Sequence[str]
) -> tuple[str, str]:
    """Name and text of the header for the target of `lock`. Raises DetrtError for options that no such head can have."""
    n6 = "stm32n6" in (lock.get("target") or {}).get("lineage", ())
    said = (lock.get("model") or {}).get("input") or {}
    kind = str(head.get("kind"))
    decoder, block = _BLOCKS.get(kind, _no_block)(head.get("options") or {}, network.outputs)
    background = ["background"] if kind == "ssd" else []  # ST's SSDs count it as a class
    general = _n6 if n6 else _h7
    guard = "APP_CONFIG_H" if n6 else "AI_MODEL_CONFIG_H"
    missing = "" if decoder else ", which have no decoder for this head: use postprocess.c"
    lines = [
        f"/* {title(network)}",
        f"   Read by ST's example applications{missing}. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        *general(network, said, decoder),
        "",
        *_classes([*background, *classes]),
    ]
    if block:
        lines += ["", *block]
    name = "app_config.h" if n6 else "ai_model_config.h"
    return name, "\n".join([*lines, "", f"#endif /* {guard} */", ""])


def _h7(network: Network, said: Mapping[str, Any], decoder: str) -> list[str]:
    height, width, channels = network.input.shape
    aspect, colour = _aspect(said), COLOURS.get(str(said.get("order")), "")
    types = {"YOLO_V2": "YOLO_V2", "ST_YOLOX": "ST_YOLO_X", "ST_SSD": "ST_SSD"}
    return [
        *_defines(("INPUT_HEIGHT", height), ("INPUT_WIDTH", width), ("INPUT_CHANNELS", channels)),
        "",
        *_defines(("ASPECT_RATIO_FIT", 1), ("ASPECT_RATIO_CROP", 2), ("ASPECT_RATIO_PADDING", 3)),
        *_defines(("ASPECT_RATIO_MODE", f"ASPECT_RATIO_{H7_ASPECTS[aspect]}")),
        "",
        *_defines(("POSTPROCESS_CENTER_NET", 1), ("POSTPROCESS_YOLO_V2", 2), ("POSTPROCESS_ST_SSD", 3)),
        *_defines(("POSTPROCESS_SSD", 4), ("POSTPROCESS_ST_YOLO_X", 5)),
        *(_defines(("POSTPROCESS_TYPE", f"POSTPROCESS_{types[decoder]}")) if decoder else []),
        "",
        *_defines(("RGB_FORMAT", 1), ("BGR_FORMAT", 2), ("GRAYSCALE_FORMAT", 3)),
        *(_defines(("PP_COLOR_MODE", f"{'GRAYSCALE' if colour == 'GRAY' else colour}_FORMAT")) if colour else []),
        "",
        *_defines(("UINT8_FORMAT", 1), ("INT8_FORMAT", 2), ("FLOAT32_FORMAT", 3)),
        *_defines(("QUANT_INPUT_TYPE", "UINT8_FORMAT"), ("QUANT_OUTPUT_TYPE", "INT8_FORMAT")),
    ]


def _n6(network: Network, said: Mapping[str, Any], decoder: str) -> list[str]:
    height, width, channels = network.input.shape
    aspect, colour = _aspect(said), COLOURS.get(str(said.get("order")), "")
    fits = aspect in N6_ASPECTS
    # the network's outputs are int8, hence UI
    types = {"YOLO_V2": "OD_YOLO_V2_UI", "ST_YOLOX": "OD_ST_YOLOX_UI", "ST_SSD": "OD_ST_SSD_UF"}
    return [
        *_defines(("NN_HEIGHT", height), ("NN_WIDTH", width), ("NN_BPP", channels)),
        "",
        *_defines(("COLOR_BGR", 0), ("COLOR_RGB", 1)),
        *(_defines(("COLOR_MODE", f"COLOR_{colour}")) if colour in ("BGR", "RGB") else []),
        *_defines(("CAMERA_FLIP", "CMW_MIRRORFLIP_NONE")),
        "",
        *_defines(("ASPECT_RATIO_CROP", 1), ("ASPECT_RATIO_FIT", 2), ("ASPECT_RATIO_FULLSCREEN", 3)),
        *(
            []
            if fits
            else [f"/* The model was trained on pictures in {comment(aspect)} form, which is none of these. */"]
        ),
        *_defines(("ASPECT_RATIO_MODE", f"ASPECT_RATIO_{N6_ASPECTS.get(aspect, 'FIT')}")),
        "",
        *_defines(("POSTPROCESS_TYPE", f"POSTPROCESS_{types.get(decoder, 'CUSTOM')}")),
        "",
        *_defines(("WELCOME_MSG_1", string(network.program.name)), ("WELCOME_MSG_2", string("int8, made by detc"))),
    ]


def _aspect(said: Mapping[str, Any]) -> str:
    return str((said.get("resize") or {}).get("mode", "stretch"))


def _classes(names: Sequence[str]) -> list[str]:
    rows = [f"  {string(name)},\\" for name in names[:-1]] + [f"  {string(name)}}}" for name in names[-1:]]
    return [
        *_defines(("NB_CLASSES", len(names))),
        "#define CLASSES_TABLE const char* classes_table[NB_CLASSES] = {\\",
        *rows,
    ]


def _yolo_v2(given: Mapping[str, Any], outputs: Outputs) -> tuple[str, list[str]]:
    options, _ = read_v2(given, {})
    if len(outputs) != 1 or len(options.anchors) != 1:
        return _no_block(given, outputs)
    rows, columns = outputs[0].shape[:2]
    scale = (columns, rows) if options.unit == "image" else (1, 1)
    pairs = [(width * scale[0], height * scale[1]) for width, height in options.anchors[0]]
    defines = [
        ("NB_CLASSES", options.classes),
        ("NB_ANCHORS", len(pairs)),
        ("GRID_WIDTH", columns),
        ("GRID_HEIGHT", rows),
        ("NB_INPUT_BOXES", "(AI_OD_YOLOV2_PP_GRID_WIDTH * AI_OD_YOLOV2_PP_GRID_HEIGHT)"),
    ]
    prefix = "AI_OD_YOLOV2_PP_"
    return "YOLO_V2", [
        *_prefixed(prefix, defines),
        _anchors(f"{prefix}ANCHORS", f"{prefix}NB_ANCHORS", pairs),
        *_thresholds(prefix, options),
    ]


def _yolox(given: Mapping[str, Any], outputs: Outputs) -> tuple[str, list[str]]:
    options = read_yolox(given)
    grids = sorted({(tensor.shape[0], tensor.shape[1]) for tensor in outputs if len(tensor.shape) == 3}, reverse=True)
    if len(grids) != len(SCALES):
        return _no_block(given, outputs)
    prefix = "AI_OD_ST_YOLOX_PP_"
    lines = _prefixed(prefix, [("NB_CLASSES", options.classes)])
    for letter, (rows, columns) in zip(SCALES, grids, strict=True):
        own = f"{prefix}{letter}_"
        boxes = f"({own}GRID_WIDTH * {own}GRID_HEIGHT)"
        lines += _prefixed(own, [("GRID_WIDTH", columns), ("GRID_HEIGHT", rows), ("NB_INPUT_BOXES", boxes)])
    lines += _prefixed(prefix, [("NB_ANCHORS", 1)])
    # a size of exp(0) is one cell
    lines += [_anchors(f"{prefix}{letter}_ANCHORS", f"{prefix}NB_ANCHORS", [(1.0, 1.0)]) for letter in SCALES]
    return "ST_YOLOX", [*lines, *_thresholds(prefix, options)]


def _ssd(given: Mapping[str, Any], outputs: Outputs) -> tuple[str, list[str]]:
    options = read_ssd(given)
    prefix = "AI_OD_SSD_ST_PP_"
    numbers = sum(prod(tensor.shape) for tensor in outputs)
    total = numbers // (options.classes + 1 + 4)
    lines = _prefixed(prefix, [("NB_CLASSES", options.classes + 1)])
    return "ST_SSD", [*lines, *_thresholds(prefix, options), *_prefixed(prefix, [("TOTAL_DETECTIONS", total)])]


def _no_block(given: Mapping[str, Any], outputs: Outputs) -> tuple[str, list[str]]:
    return "", []


_BLOCKS: dict[str, Callable[[Mapping[str, Any], Outputs], tuple[str, list[str]]]] = {
    "yolo_v2": _yolo_v2,
    "yolox": _yolox,
    "ssd": _ssd,
}
"""Kind of a head -> ST's word for its decoder, and the lines of its block."""


def _thresholds(prefix: str, options: DetectorOptions) -> list[str]:
    return _prefixed(
        prefix,
        [
            ("CONF_THRESHOLD", f"({float(options.score)}f)"),
            ("IOU_THRESHOLD", f"({float(options.nms)}f)"),
            ("MAX_BOXES_LIMIT", options.max_detections),
        ],
    )


def _anchors(name: str, count: str, pairs: Sequence[tuple[float, float]]) -> str:
    values = ", ".join(f"{value:.6f}f" for pair in pairs for value in pair)
    return f"static const float {name}[2 * {count}] = {{{values}}};"


def _prefixed(prefix: str, defines: Sequence[Define]) -> list[str]:
    return _defines(*((prefix + name, value) for name, value in defines))


def _defines(*defines: Define) -> list[str]:
    return [f"#define {name} {f'({value})' if isinstance(value, int) else value}" for name, value in defines]
