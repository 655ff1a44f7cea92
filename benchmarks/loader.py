"""Feeding pictures at 416x416 with a flip and HSV factors, on one core: against decoding alone, and against PyTorch's own way.

`decode` is `cv2.imread` of every picture and nothing else; `fed` is what the loader's threads do to a picture: read, decode,
resize, flip, HSV. `loader` is this project's loader with batches, boxes and float tensors; `torch` is a
`DataLoader` over PIL with the same steps. All four take turns on the same few JPEGs, made by code (640 x 427 and 150 kB, as
in COCO); the best round of each counts.

    python benchmarks/loader.py [--rounds 40] [--pictures 16]
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import torch
from PIL import Image as PilImage

from detrt.data.augment import Recipe
from detrt.data.encode import Encoding
from detrt.data.loader import augmented, train_loader
from detrt.data.picture import read_image
from detrt.data.sample import Annotation, DataSet, Picture
from detrt.heads.base import ground_truth
from detrt.train.memory import keep_freed_memory

SIDE, BATCH = 416, 16
WIDTH, HEIGHT = 640, 427
STEPS: list[dict[str, Any]] = [{"name": "flip", "p": 0.5}, {"name": "hsv", "p": 1.0, "range": [0.5, 1.5]}]
ENCODING = Encoding(SIDE, SIDE, "bgr", "affine", 255.0, (0.0,) * 3, (1.0,) * 3)


def made_up(folder: Path, count: int) -> DataSet:
    """JPEGs of blurred colours, discs and grain, with the boxes of the discs."""
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        colours = rng.uniform(0, 255, (6, 8, 3)).astype(np.float32)
        image = cv2.resize(colours, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        boxes = []
        for _ in range(6):
            radius = int(rng.integers(12, 90))
            x, y = int(rng.integers(radius, WIDTH - radius)), int(rng.integers(radius, HEIGHT - radius))
            cv2.circle(image, (x, y), radius, rng.uniform(0, 255, 3).tolist(), -1)
            boxes.append([x - radius, y - radius, x + radius, y + radius])
        grain = cv2.GaussianBlur(rng.normal(0, 80, image.shape).astype(np.float32), (3, 3), 0)
        path = folder / f"{number:03}.jpg"
        cv2.imwrite(str(path), np.clip(image + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
        pictures.append(Picture(path.stem, path, WIDTH, HEIGHT, Annotation.of(boxes, [0] * len(boxes))))
    return DataSet("made up", "train", ("disc",), tuple(pictures), read_image)


class PilPictures(torch.utils.data.Dataset[torch.Tensor]):
    """The same steps as a plain PyTorch programme has them."""

    def __init__(self, dataset: DataSet) -> None:
        self.dataset, self.rng = dataset, np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = PilImage.open(self.dataset.pictures[index].path).convert("RGB")
        image = image.resize((SIDE, SIDE), PilImage.Resampling.BILINEAR)
        if self.rng.random() < 0.5:
            image = image.transpose(PilImage.Transpose.FLIP_LEFT_RIGHT)
        hue, saturation, value = self.rng.uniform(0.5, 1.5, 3)
        levels = np.arange(256)
        table = np.concatenate(
            [levels * hue % 256, np.minimum(levels * saturation, 255), np.minimum(levels * value, 255)]
        )
        image = image.convert("HSV").point(table.astype(np.uint8).tolist()).convert("RGB")
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=16)
    found = parser.parse_args()
    keep_freed_memory()  # as training does; all four gain from it
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        dataset = made_up(Path(temporary), found.pictures)
        kilobytes = sum(picture.path.stat().st_size for picture in dataset) / len(dataset) / 1000
        recipe = Recipe.of(STEPS)

        def decode() -> None:
            for picture in dataset:
                cv2.imread(str(picture.path))

        def fed() -> None:
            for index in range(len(dataset)):
                ENCODING.bytes_of(augmented(dataset, index, ENCODING, recipe, 0, 0).image)

        def ours() -> None:
            from detrt.data.cache import PictureCache

            loader = train_loader(
                dataset, ENCODING, ground_truth, batch=BATCH, augment=STEPS, workers=0, cache=PictureCache(dataset, 0)
            )
            for batch in loader:
                assert batch.inputs.shape[2:] == (SIDE, SIDE)

        def theirs() -> None:
            for batch in torch.utils.data.DataLoader(PilPictures(dataset), BATCH, shuffle=True, drop_last=True):
                assert batch.shape[2:] == (SIDE, SIDE)

        whole = len(dataset) // BATCH * BATCH
        runs: dict[str, tuple[Callable[[], None], int]] = {
            "decode": (decode, len(dataset)), "fed": (fed, len(dataset)), "loader": (ours, whole), "torch": (theirs, whole),
        }  # fmt: skip
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(found.rounds):
            for name, (run, pictures) in runs.items():
                start = time.process_time()
                run()
                rates[name].append(pictures / (time.process_time() - start))
    best = {name: max(samples) for name, samples in rates.items()}
    print(
        json.dumps(
            {
                "pictures_a_cpu_second": {name: round(rate, 1) for name, rate in best.items()},
                "fed_over_decode": round(best["fed"] / best["decode"], 2),
                "loader_over_torch": round(best["loader"] / best["torch"], 2),
                "samples": {name: [round(rate, 1) for rate in samples] for name, samples in rates.items()},
                "kilobytes_a_picture": round(kilobytes, 1),
                "versions": {
                    "python": platform.python_version(), "opencv": cv2.__version__, "numpy": np.__version__,
                    "torch": torch.__version__, "pillow": PIL.__version__,
                },
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
