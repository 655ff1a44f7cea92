"""Library specs with other classes, sizes, widths and depths: torch counts on the generated module what detc counts."""

from __future__ import annotations

import random

import pytest

from detc.compilation import compile_spec
from detc.library import library_folder
from generated_nets import compiled, torch_counts

ACTIVATIONS = ("relu", "silu", "hswish", "leaky(0.2)", "relu6")
SPECS = (
    "st_yolodv2milli", "st_yolodv2tiny", "yolox_nano", "yolox_tiny", "st_yolo_x_nano", "nanodet_plus_m", "yolo_kp", "yolo_kp4",
    "yolo_kp_events", "yolo_kp_dual_head", "yolo_kp_multi_head", "yolov1", "yolov1_small", "yolov1_tiny", "extraction",
    "yolov2_tiny", "yolov3_tiny", "st_yolo_lc_v1", "ssd_mobilenetv1", "ssdlite_mobilenetv1", "ssd_mobilenetv2",
    "ssdlite_mobilenetv2", "ssdlite_mobilenetv3small", "ssdlite_mobilenetv3large",
)  # fmt: skip


def altered(name: str, rng: random.Random) -> dict[str, str]:
    """Values for the params that the spec has."""
    sets = {"classes": str(rng.randint(1, 120)), "image": str(32 * rng.randint(2, 10))}
    if name.startswith(("st_yolod", "st_yolo_x", "yolox", "nanodet")):
        sets["act"] = rng.choice(ACTIVATIONS)
    if name.startswith(("yolox", "st_yolo_x")):
        sets |= {
            "width": str(rng.choice((0.125, 0.25, 0.3, 0.5, 0.75))),
            "depth": str(rng.choice((0.1, 0.5, 0.67, 1.0))),
        }
    if name == "nanodet_plus_m":
        widths = [2 * rng.randint(8, 60) for _ in range(3)]
        sets |= {"widths": str(widths), "features": str(2 * rng.randint(8, 60))}
    if name.startswith(("yolov", "extraction", "ssd")):
        sets["width"] = str(rng.choice((0.1, 0.25, 0.35, 0.5, 0.75, 1.4)))
    if name.startswith("ssd"):
        sets["image"] = "300"  # priors are those of one size
    if name in ("yolov1", "yolov1_small", "extraction"):
        sets["norm"] = rng.choice(("true", "false"))
    if name.startswith("yolov1"):
        sets["boxes"] = str(rng.randint(1, 4))
    if name == "yolov2_tiny":
        sets["last"] = str(rng.randint(1, 1024))
    if name.startswith("yolo_kp"):
        sets["delta"] = "0.2"
    if name == "yolo_kp_multi_head":
        sets["heads"] = str(rng.randint(1, 3))
    return sets


def check_altered(name: str, seed: int) -> None:
    sets = altered(name, random.Random(seed))
    model = compiled(library_folder() / f"{name}.det", **sets)
    assert torch_counts(model) == (model.graph.params(), model.graph.macs()), (name, sets)


@pytest.mark.parametrize("name", ("nanodet_plus_m", "yolo_kp_dual_head", "yolov1", "ssdlite_mobilenetv1"))
def test_altered(name: str) -> None:
    check_altered(name, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("name", SPECS)
def test_altered_more(name: str) -> None:
    for seed in range(2, 6):
        check_altered(name, seed)


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("yolox_nano", {"width": "0.01"}),
        ("yolox_nano", {"width": "-1"}),
        ("yolox_nano", {"width": "1e9"}),
        ("yolox_nano", {"depth": "1e9"}),
        ("yolox_nano", {"depth": "none"}),
        ("yolox_nano", {"image": "33"}),
        ("yolox_tiny", {"classes": "0"}),
        ("yolox_tiny", {"classes": "1e30"}),
        ("st_yolo_x_nano", {"width": "0.001", "depth": "0.001"}),
        ("st_yolodv2milli", {"image": "0"}),
        ("st_yolodv2tiny", {"image": "50"}),
        ("nanodet_plus_m", {"widths": "[1, 2, 3]"}),
        ("nanodet_plus_m", {"widths": "[116]"}),
        ("nanodet_plus_m", {"features": "1"}),
        ("nanodet_plus_m", {"image": "50"}),
        ("ssdlite_mobilenetv2", {"image": "320"}),
        ("ssd_mobilenetv1", {"image": "299"}),
        ("ssdlite_mobilenetv3small", {"width": "0"}),
        ("ssd_mobilenetv2", {"width": "0.01"}),
        ("yolov1", {"width": "0.01"}),
        ("yolov1", {"boxes": "0"}),
        ("yolov1_tiny", {"image": "0"}),
        ("yolov1_tiny", {"image": "100000"}),
        ("yolov2_tiny", {"last": "0"}),
        ("yolov3_tiny", {"image": "48"}),
        ("extraction", {"classes": "0"}),
        ("yolo_kp", {"delta": "0"}),
        ("yolo_kp", {"image": "1000000"}),
        ("yolo_kp_multi_head", {"heads": "0"}),
        ("yolo_kp_multi_head", {"heads": "1000000"}),
        ("yolo_kp_dual_head", {"image": "40"}),
    ],
)
def test_what_cannot_be_is_a_finding(name: str, sets: dict[str, str]) -> None:
    done = compile_spec(library_folder() / f"{name}.det", None, sets)
    assert not done.fits
    assert all(f.message and f.span for f in done.findings if f.level == "error")
