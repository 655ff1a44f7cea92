"""YOLOv1 on Pascal VOC, pretrained on ImageNet.

python examples/voc-yolov1/run.py --data /folder/that/holds/imagenet/and/VOCdevkit
python examples/voc-yolov1/run.py --smoke
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402

SPEC = HERE / "voc.det"


def main() -> int:
    found = smoke.options(__doc__ or "", "voc-yolov1")
    changes: list[str] = []
    data: Path = found.data
    if found.smoke:
        data = smoke.fresh(found.out)
        smoke.shapes_as_folders(data / "imagenet", 64)
        smoke.shapes_as_voc(data / "VOCdevkit" / "VOC2007", 128)
        changes = smoke.sets(
            image=128,
            width=0.0625,
            kinds=3,
            data__pascal__classes='["disc", "square", "triangle"]',
            data__pascal__train='"VOC2007/train"',
            data__pascal__val='"VOC2007/val"',
            train__pretrain__batch=8,
            train__pretrain__lr=0.02,
            train__pretrain__classify__epochs=2,
            train__pretrain__classify__schedule="cosine()",
            train__voc__batch=8,
            train__voc__lr="1e-3",
            train__voc__detect__epochs=2,
            train__voc__detect__for_epochs=1,
            train__voc__detect__schedule="cosine()",
        )
    build = found.out / "project"
    smoke.detc("check", SPEC, *changes)
    smoke.detc("train", SPEC, "--build", build, "--data-root", data, "--name", "run", *changes)
    best = build / "runs" / "run" / "detect" / "best.safetensors"
    smoke.detc(
        "eval", best, "--data-root", data, "--split", "val", "--rule", "voc2007", "--report", found.out / "report"
    )
    pictures = data / "VOCdevkit" / "VOC2007" / "JPEGImages"
    smoke.detc("run", best, smoke.pictures_of(pictures, found.out / "pictures", 4), "-o", found.out / "detections")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
