"""Every head learns eight pictures by heart: its targets, its loss and its decoder mean the same thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from overfit import overfit

pytest.importorskip("lark")

LEVELS = "[{grid: 12, step: 8, min: 14, max: 24, ratios: [2]}, {grid: 6, step: 16, min: 24, max: 40, ratios: [2]}]"
HEADS = {
    "gnetdet": (
        "output y = p4 |> conv(13) |> relu\nhead gnetdet on y { classes = 3 }",
        {"steps": 400, "loss": "loss { noobj = 0.5  norm_init = none  detach_iou = true  sqrt_eps = 1e-3  dead = 1 }"},
    ),
    "yolo_v1": (
        "output y = p4 |> conv(8) |> flatten |> linear(36 * 13)\nhead yolo_v1 on y { grid = p4  classes = 3 }",
        {"steps": 400},
    ),
    "yolo_v2": (
        "output y = p4 |> conv(24)\nhead yolo_v2 on y { anchors = [(1, 1), (1.5, 1.5), (2.5, 2.5)]  classes = 3 }",
        {"steps": 250},
    ),
    "yolo_v2 of ST": (
        "output y = [p |> conv(8) for p in [p3, p4]]\n"
        "head yolo_v2 on y { anchors = [(0.25, 0.25)]  unit = image  classes = 3 }",
        {"steps": 250, "loss": "loss target = st"},
    ),
    "yolo_v3": (
        "output y = [p |> conv(16) for p in [p4, p3]]\n"
        "head yolo_v3 on y { anchors = [(14, 14), (20, 20), (28, 28), (38, 38)]  masks = [[2, 3], [0, 1]]  classes = 3 }",
        {"steps": 250},
    ),
    "yolo_sdnn": (
        "output y = p4 |> conv(24)\nhead yolo_sdnn on y { anchors = [(0.15, 0.15), (0.25, 0.25), (0.4, 0.4)]  classes = 3 }",
        {"steps": 300},
    ),
    "ssd": (
        f"let priors = ssd.priors(image = 96, levels = {LEVELS})\n"
        "output loc = [p |> conv(16) for p in [p3, p4]]\noutput conf = [p |> conv(16) for p in [p3, p4]]\n"
        "head ssd on loc, conf { priors = priors }",
        {"steps": 250},
    ),
    "yolox": (
        "output box = [p |> conv(4) for p in [p3, p4]]\noutput obj = [p |> conv(1) for p in [p3, p4]]\n"
        "output cls = [p |> conv(3) for p in [p3, p4]]\nhead yolox on box, obj, cls { strides = [8, 16] }",
        {"steps": 300, "no_aug": 60},
    ),
    "nanodet": (
        "output y = [p |> conv(3 + 4 * 8) for p in [p3, p4]]\nhead nanodet on y { strides = [8, 16] }",
        {"steps": 300},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", HEADS)
def test_eight_pictures_by_heart(tmp_path: Path, kind: str) -> None:
    head, options = HEADS[kind]
    assert overfit(tmp_path, head, **options) >= 0.95
