"""The headers that ST's example applications read, by board family and kind of head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stm32_plans import plan_apart
from stm32_tiny import LOCK

from detrt.devices.stm32.arithmetic import Quant
from detrt.devices.stm32.c.layers import network_of
from detrt.devices.stm32.c.st_headers import st_header
from detrt.devices.stm32.program import Program, Tensor

H7, N6 = ["stm32h747i_disco", "stm32h7", "stm32"], ["stm32n6570_dk", "stm32n6", "stm32"]
YOLOX = {"kind": "yolox", "options": {"classes": 2, "strides": [8, 16, 32], "score": 0.25}}
SSD = {
    "kind": "ssd",
    "options": {
        "classes": 2,
        "priors": {"image": 64, "levels": [{"grid": 4, "step": 16, "min": 10, "max": 20, "ratios": [2]}]},
    },
}
NANODET = {"kind": "nanodet", "options": {"classes": 2, "strides": [8]}}


def header(
    head: Mapping[str, Any], shapes: list[tuple[int, int, int]], lineage: list[str], **said: Any
) -> tuple[str, str]:
    tensors = {"frame": Tensor("frame", (64, 64, 3), Quant(1 / 255, -128))}
    tensors |= {f"out{number}": Tensor(f"out{number}", shape, Quant(0.1, 0)) for number, shape in enumerate(shapes)}
    program = Program("net", tensors, (), "frame", {"map": tuple(name for name in tensors if name != "frame")})
    lock = LOCK | {"target": {"name": lineage[0], "lineage": lineage}, "model": {"input": {"order": "rgb"} | said}}
    return st_header(network_of(program, plan_apart(program), lock), lock, head, ["cell", "cat"])


def maps(*sides: int) -> list[tuple[int, int, int]]:
    return [(side, side, channels) for channels in (4, 1, 2) for side in sides]


def test_headers_by_family_and_head(golden: Callable[[str, str], None]) -> None:
    for name, head, shapes in (("yolox", YOLOX, maps(8, 4, 2)), ("ssd", SSD, [(4, 4, 16), (4, 4, 12)])):
        for family, lineage in (("h7", H7), ("n6", N6)):
            file, text = header(head, shapes, lineage)
            assert file == ("app_config.h" if family == "n6" else "ai_model_config.h")
            golden(f"devices/stm32_headers/{name}_{family}.h", text)


def test_a_head_that_sts_applications_do_not_decode_is_named() -> None:
    _, h7 = header(NANODET, [(8, 8, 34)], H7)
    _, n6 = header(NANODET, [(8, 8, 34)], N6)
    assert "which have no decoder for this head: use postprocess.c" in h7 and "which have no decoder" in n6
    assert "#define POSTPROCESS_TYPE" not in h7 and "POSTPROCESS_TYPE POSTPROCESS_CUSTOM" in n6
    _, two = header(YOLOX, maps(8, 4), H7)  # ST's st_yolo_x has three maps
    assert "which have no decoder" in two


def test_pictures_in_are_described() -> None:
    _, h7 = header(NANODET, [(8, 8, 34)], H7, order="bgr", resize={"mode": "letterbox"})
    assert "PP_COLOR_MODE BGR_FORMAT" in h7 and "ASPECT_RATIO_MODE ASPECT_RATIO_PADDING" in h7
    _, n6 = header(NANODET, [(8, 8, 34)], N6, order="bgr", resize={"mode": "letterbox"})
    assert "COLOR_MODE COLOR_BGR" in n6 and "pictures in letterbox form, which is none of these" in n6
