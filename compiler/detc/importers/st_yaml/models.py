"""Which library spec a model of the ST model zoo is, and what its name says of width and depth."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """`spec` of the library; `reads` is what the zoo's trainer makes of pictures: "raw" 0..255, "standard" (mean and std), or
    "rescaled" (scale and offset). `apart` says where the library's net is not the zoo's.
    """

    spec: str
    reads: str
    apart: str = ""
    parts: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """Layers of the library spec that are the backbone, and the extra layers behind it."""


_EXTRAS = ("m5", "m3", "m2", "m1")
_V1, _V2, _V3 = ((base, _EXTRAS) for base in (("m19", "m10"), ("m19", "b14", "m10"), ("m19", "m10")))
_YOLOV2T = "the zoo's net has leaky slope 0.2 and batch norm instead of a bias in its last layer"

MODELS: dict[str, Known] = {
    "st_yolodv2milli_actrelu_pt": Known("st_yolodv2milli", "raw"),
    "st_yolodv2tiny_actrelu_pt": Known("st_yolodv2tiny", "raw"),
    "ssd_mobilenetv1_pt": Known("ssd_mobilenetv1", "standard", parts=_V1),
    "ssdlite_mobilenetv1_pt": Known("ssdlite_mobilenetv1", "standard", parts=_V1),
    "ssd_mobilenetv2_pt": Known("ssd_mobilenetv2", "standard", parts=_V2),
    "ssdlite_mobilenetv2_pt": Known("ssdlite_mobilenetv2", "standard", parts=_V2),
    "ssdlite_mobilenetv3small_pt": Known("ssdlite_mobilenetv3small", "standard", parts=_V3),
    "ssdlite_mobilenetv3large_pt": Known("ssdlite_mobilenetv3large", "standard", parts=_V3),
    "st_yololcv1": Known("st_yolo_lc_v1", "rescaled"),
    "st_yolo_lc_v1": Known("st_yolo_lc_v1", "rescaled"),
    "st_yoloxn": Known("st_yolo_x_nano", "rescaled"),
    "st_yolo_x": Known("st_yolo_x_nano", "rescaled"),
    "yolov2t": Known("yolov2_tiny", "rescaled", _YOLOV2T),
    "tiny_yolo_v2": Known("yolov2_tiny", "rescaled", _YOLOV2T),
}
"""By `model_name`, else by `model_type` (STMicroelectronics/stm32ai-modelzoo@645aae15, object_detection)."""

_SCALES = re.compile(r"_d(\d{3})_w(\d{3})")


def find(name: str | None, kind: str | None) -> Known | None:
    """The model called `name`, with or without its scales, else the family `kind`; None where the library has none."""
    for word in (name, _SCALES.sub("", name or ""), kind):
        if word in MODELS:
            return MODELS[word]
    return None


def scales(name: str) -> tuple[float, float] | None:
    """Depth and width in a name such as st_yoloxn_d033_w025: (0.33, 0.25)."""
    found = _SCALES.search(name)
    return (int(found[1]) / 100, int(found[2]) / 100) if found else None
