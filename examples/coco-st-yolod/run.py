"""ST_YOLOD-v2 milli on COCO.

python examples/coco-st-yolod/run.py --data /folder/that/holds/coco
python examples/coco-st-yolod/run.py --smoke
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import smoke  # noqa: E402

SPEC = HERE / "coco.det"


def main() -> int:
    found = smoke.options(__doc__ or "", "coco-st-yolod")
    changes: list[str] = []
    data: Path = found.data
    if found.smoke:
        data = smoke.fresh(found.out)
        smoke.shapes_as_coco(data / "coco", 160)
        changes = smoke.sets(
            image=96,
            train__zoo__multiscale="sizes(64 .. 96)",
            data__coco__classes='["disc", "square", "triangle"]',
            data__coco__train='"train"',
            data__coco__val='"val"',
            train__zoo__batch=8,
            train__zoo__float__epochs=2,
            train__zoo__no_aug_epochs=1,
            train__zoo__float__schedule="cosine()",
        )
    build = found.out / "project"
    smoke.detc("check", SPEC, *changes)
    smoke.detc("train", SPEC, "--build", build, "--data-root", data, "--name", "run", *changes)
    best = build / "runs" / "run" / "float" / "best.safetensors"
    smoke.detc("eval", best, "--data-root", data, "--split", "val", "--report", found.out / "report")
    smoke.detc("run", best, smoke.pictures_of(data / "coco", found.out / "pictures", 4), "-o", found.out / "detections")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
