"""The estimate of ST's RAM and flash: the rules by hand, the published figures, and how far they are off on families that they
were not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from stm32_nets import Ops, rules_of, st_model

from detc.targets.stm32.ram_st import estimate
from detc.targets.stm32.st_ops import StModel
from detc.targets.stm32.weights import weight_bytes

KIB = 1024


def needs(model: StModel, tool: str = "8.1.0", optimization: str = "balanced") -> list[tuple[int, int, int]]:
    """(combined, scratch, all) of each operator."""
    done = estimate(model, rules_of(tool, optimization))
    return [(need.combined, need.scratch, need.bytes) for need in done.needs]


def pair(kind: str, before: tuple[int, ...], after: tuple[int, ...], later: str = "", **fields: Any) -> StModel:
    """One operator from `x` to `y`; `later` is read again behind it."""
    ops = Ops("x").tensor("x", *before).tensor("y", *after).tensor("z", 1)
    ops.op(kind, "x", "y", **fields)
    return ops.op("other", f"y {later}".strip(), "z").done()


SAME3: dict[str, Any] = {"kernel": (3, 3), "padding": (2, 2)}


@pytest.mark.parametrize(
    ("kind", "before", "after", "fields", "expected"),
    [
        ("conv", (128, 128, 3), (64, 64, 16), SAME3, (66_563, 1_196, 67_759)),
        ("depthwise", (64, 64, 16), (64, 64, 16), SAME3, (70_720, 593, 71_313)),
        ("conv", (64, 64, 16), (64, 64, 8), {}, (66_048, 144, 66_192)),
        ("conv", (64, 64, 8), (64, 64, 48), {}, (229_376, 512, 229_888)),
        ("conv", (112, 112, 8), (112, 112, 16), {}, (202_496, 192, 202_688)),
        ("conv", (96, 96, 16), (48, 48, 32), SAME3, (155_200, 6_144, 161_344)),
        ("conv", (128, 128, 16), (64, 64, 32), SAME3, (272_448, 6_144, 278_592)),
        ("other", (4, 4, 1280), (1280,), {}, (21_760, 0, 21_760)),
        ("dense", (1280,), (5,), {}, (1_285, 2_610, 3_895)),
        ("softmax", (5,), (5,), {}, (5, 496, 501)),
        ("pool", (8, 8, 4), (4, 4, 4), {"kernel": (2, 2)}, (256 + 16, 0, 272)),
        ("pad", (28, 28, 64), (32, 32, 64), {}, (65_536, 0, 65_536)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_operator_by_hand(
    kind: str, before: tuple[int, ...], after: tuple[int, ...], fields: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    assert needs(pair(kind, before, after, **fields))[0] == expected


def test_operators_whose_input_is_read_later_take_more() -> None:
    pointwise = needs(pair("conv", (8, 8, 4), (8, 8, 4), "x"))[0][0]
    assert pointwise == 256 + 256
    depthwise = needs(pair("depthwise", (8, 8, 4), (8, 8, 4), "x", **SAME3))[0][0]
    assert depthwise == 256 + min(max(10 * 10 * 4, 256) + 32, 10 * 10 * 4 + 256)
    assert needs(pair("pool", (8, 8, 4), (4, 4, 4), "x", kernel=(2, 2)))[0][0] == 256 + 64
    assert needs(pair("pad", (8, 8, 4), (9, 9, 4), "x"))[0][0] == 256 + 324


def test_a_sum_is_in_place_only_where_an_input_dies() -> None:
    ops = Ops("a", "b").tensor("a", 8_192).tensor("b", 8_192).tensor("c", 8_192).tensor("d", 1)
    assert needs(ops.op("elementwise", "a b", "c").op("other", "c", "d").done())[0][0] == 16_384
    kept = Ops("a", "b").tensor("a", 64).tensor("b", 64).tensor("c", 64).tensor("d", 1)
    assert needs(kept.op("elementwise", "a b", "c").op("other", "a b c", "d").done())[0][0] == 192


def test_a_pad_becomes_part_of_the_window_behind_it() -> None:
    ops = Ops("x").tensor("x", 112, 112, 16).tensor("p", 113, 113, 16).tensor("y", 56, 56, 16)
    ops.op("pad", "x", "p").op("depthwise", "p", "y", kernel=(3, 3))
    assert needs(ops.done()) == [(204_304 + 1_792, 593, 206_689)]
    skip = Ops("x").tensor("x", 28, 28, 64).tensor("p", 29, 29, 64).tensor("y", 14, 14, 64).tensor("z", 1)
    skip.op("pad", "x", "p").op("depthwise", "p", "y", kernel=(3, 3)).op("other", "x y", "z")
    assert needs(skip.done())[0] == (50_176 + 53_824 + 1_792, 2_369, 108_161)


def test_a_pool_and_an_activation_become_part_of_the_conv_before_them() -> None:
    ops = Ops("x").tensor("x", 12, 12, 256).tensor("y", 12, 12, 256).tensor("a", 12, 12, 256).tensor("z", 12, 12, 256)
    ops.op("conv", "x", "y").op("activation", "y", "a").op("pool", "a", "z", kernel=(2, 2))
    assert needs(ops.done()) == [(39_936, 3_584 + 2 * 12 * 256, 49_664)]


def test_constants_and_views_take_no_room_and_constant_outputs_do() -> None:
    ops = Ops("x").tensor("x", 8, 8, 4).tensor("flat", 256).tensor("shape", 2, element=4).tensor("y", 4)
    ops.tensor("priors", 100, 4, constant=True).tensor("boxes", 100, 4, element=4)
    ops.op("alias", "x", "flat").op("constant", "x", "shape").op("dense", "flat", "y").op(
        "dequantize", "priors", "boxes"
    )
    done = estimate(ops.done("y", "boxes"), rules_of())
    assert [need.op.kind for need in done.needs] == ["dense"]
    assert done.constant_outputs == round(1.5 * 4 * 400)
    assert weight_bytes(ops.done("y", "boxes"), rules_of()) == 400


def test_what_waits_beside_an_operator_is_counted_and_named() -> None:
    ops = Ops("x").tensor("x", 4).tensor("skip", 8_192).tensor("y", 32, 32, 48).tensor("w", 32, 32, 48).tensor("z", 1)
    ops.op("other", "x", "skip").op("other", "x", "y").op("depthwise", "y", "w", **SAME3).op("other", "w skip", "z")
    need = estimate(ops.done(), rules_of()).needs[2]
    assert [tensor.name for tensor in need.alive] == ["skip"]
    assert (need.combined, need.scratch, need.bytes) == (57_024, 1_777, 66_993)


def test_other_optimisations_share_other_buffers() -> None:
    window = pair("conv", (64, 64, 16), (64, 64, 16), **SAME3)
    depthwise = pair("depthwise", (64, 64, 16), (64, 64, 16), **SAME3)
    pointwise = pair("conv", (64, 64, 16), (64, 64, 16))
    models = (window, depthwise, pointwise)
    balanced, ram, time = (
        [needs(model, "8.1.0", word)[0][0] for model in models] for word in ("balanced", "ram", "time")
    )
    assert ram[0] < balanced[0] and ram[1] == 65_536 + 2 * 1_024 + 2 * 16 and ram[2] == balanced[2]
    assert time[1] == 66 * 66 * 16 + 65_536 and time[2] == 2 * 65_536


# ---- figures ----------------------------------------------------------------------------------------------------------

RAM: list[tuple[str, str, int, str, float]] = [
    # family, spec, image, tool, KiB of activations that ST publishes (model zoo, one class)
    ("yolo_lc", "st_yolo_lc_v1", 192, "8.1.0", 158.73),
    ("yolo_lc", "st_yolo_lc_v1", 224, "8.1.0", 210.81),
    ("yolo_lc", "st_yolo_lc_v1", 256, "8.1.0", 272.06),
    ("tiny_yolo_v2", "yolov2_tiny", 224, "8.1.0", 217.81),
    ("tiny_yolo_v2", "yolov2_tiny", 416, "8.1.0", 713.02),
    ("yolo_lc", "st_yolo_lc_v1", 192, "10.0.0", 166.29),
    ("yolo_lc", "st_yolo_lc_v1", 224, "10.0.0", 217.29),
    ("yolo_lc", "st_yolo_lc_v1", 256, "10.0.0", 278.29),
    ("yolo_lc", "st_yolo_lc_v1", 192, "3.0.0", 166.29),
    ("yolo_lc", "st_yolo_lc_v1", 224, "3.0.0", 217.29),
    ("yolo_lc", "st_yolo_lc_v1", 256, "3.0.0", 278.29),
    ("yolo_x", "st_yolo_x_nano", 192, "10.0.0", 162.42),
    ("yolo_x", "st_yolo_x_nano", 256, "10.0.0", 284.92),
    ("yolo_x", "st_yolo_x_nano", 320, "10.0.0", 442.42),
    ("yolo_x", "st_yolo_x_nano", 192, "3.0.0", 184.92),
    ("yolo_x", "st_yolo_x_nano", 256, "3.0.0", 324.92),
    ("yolo_x", "st_yolo_x_nano", 320, "3.0.0", 504.92),
    ("yolo_x", "st_yolo_x_nano", 416, "3.0.0", 849.92),
    ("tiny_yolo_v2", "yolov2_tiny", 192, "10.0.0", 220.6),
    ("tiny_yolo_v2", "yolov2_tiny", 224, "10.0.0", 249.35),
    ("tiny_yolo_v2", "yolov2_tiny", 416, "10.0.0", 1263.07),
]
UNEXPLAINED = "tiny_yolo_v2"
"""Since version 10 its figures follow no rule: 6.1, 5.1 and 7.5 bytes a pixel at 192, 224 and 416."""


EXPLAINED = [row for row in RAM if row[0] != UNEXPLAINED or row[3] == "8.1.0"]


@lru_cache
def ram(spec: str, image: int, tool: str) -> int:
    return estimate(st_model(spec, classes=1, image=image), rules_of(tool)).bytes


@pytest.mark.parametrize(("spec", "image", "tool", "kib"), [row[1:] for row in EXPLAINED])
def test_published_ram_lies_within_the_stated_error(spec: str, image: int, tool: str, kib: float) -> None:
    off = ram(spec, image, tool) / (kib * KIB) - 1
    assert abs(off) < 0.05
    assert abs(off) < rules_of(tool).margin


@pytest.mark.parametrize(("tool", "slope"), [("10.0.0", 4.375), ("3.0.0", 5.0)])
def test_the_laws_of_st_yolo_x_hold(tool: str, slope: float) -> None:
    """RAM = slope * pixels + 5038 bytes, exact on all published sizes: the slope is exact, the constant fitted."""
    sizes = {image: ram("st_yolo_x_nano", image, tool) for image in (192, 256, 320, 416)}
    constants = {bytes - slope * image**2 for image, bytes in sizes.items()}
    assert len(constants) == 1 and abs(constants.pop() - 5038) < 2 * KIB


@pytest.mark.parametrize(
    ("spec", "kib"), [("st_yolo_lc_v1", 276.73), ("st_yolo_x_nano", 891.18), ("yolov2_tiny", 10775.98)]
)
def test_weights_are_exact(spec: str, kib: float) -> None:
    assert (
        round(weight_bytes(st_model(spec, classes=1, image=224 if spec == "yolov2_tiny" else 192), rules_of()) / KIB, 2)
        == kib
    )


FILES = [
    ("mobilenet_v2_0.35_128_fft_int8", 225.17, 406.86, 229_888),
    ("st_ssd_mobilenet_v1_025_224_int8", 366.15, 595.66, 370_489),
    ("st_yolo_lc_v1_192_int8", 158.73, 276.72, 161_344),
    ("st_yolo_lc_v1_256_int8", 272.06, 276.72, 278_592),
]


@pytest.mark.parametrize(("name", "kib", "flash", "ours"), FILES, ids=[f[0] for f in FILES])
def test_files_of_the_model_zoo(name: str, kib: float, flash: float, ours: int, shared: Path) -> None:
    from detc.importers.tflite.reader import read_tflite
    from detc.targets.stm32.st_foreign import of_foreign

    model = of_foreign(read_tflite((shared / "data" / "models" / f"{name}.tflite").read_bytes()))
    done = estimate(model, rules_of())
    assert done.bytes == ours  # as worked by hand
    assert abs(done.bytes / (kib * KIB) - 1) < 0.05
    assert abs(weight_bytes(model, rules_of()) / (flash * KIB) - 1) < 0.001


def test_report_of_errors_with_each_family_left_out(golden: Callable[[str, str], None]) -> None:
    """What the fit to the other families says of one: the fixed part of versions since 10 is all that is fitted to these nets."""
    lines = [
        "ram_st on the figures that ST publishes, error of the estimate; `left out`: fitted without the family",
        "",
    ]
    lines.append(f"{'spec':<16}{'image':>6}  {'tool':<8}{'KiB':>9}{'ours':>9}{'error':>8}{'left out':>10}")
    for family, spec, image, tool, kib in RAM:
        bare = ram(spec, image, tool) - rules_of(tool).fixed
        others = [
            k * KIB - (ram(s, i, t) - rules_of(t).fixed)
            for f, s, i, t, k in RAM
            if f not in (family, UNEXPLAINED) and t != "8.1.0"
        ]
        fixed = 0.0 if tool == "8.1.0" else mean(others)
        ours = bare + rules_of(tool).fixed
        off, out = ours / (kib * KIB) - 1, (bare + fixed) / (kib * KIB) - 1
        lines.append(f"{spec:<16}{image:>6}  {tool:<8}{kib:>9.2f}{ours / KIB:>9.2f}{off:>+8.1%}{out:>+10.1%}")
    golden("stm32/ram_st_errors.txt", "\n".join(lines))
