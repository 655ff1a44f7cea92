"""A detector over a picture, a folder or a video: annotated copies and one JSON of everything it found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detrt.data.folders import picture_files
from detrt.data.picture import SUFFIXES, read_picture
from detrt.data.sample import Image
from detrt.draw import LEAST_SCORE, draw_classes, draw_detections
from detrt.errors import DetrtError
from detrt.files import write_json, write_png
from detrt.heads.detections import Detections
from detrt.predictor import Predictor

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
RESULTS = "detections.json"

Tick = Callable[[int, int], None]
"""Called with pictures done and pictures in all (0 if unknown)."""


@dataclass(slots=True)
class Outcome:
    """What a run left: files written, pictures looked at, objects found and those of them that score enough to be drawn,
    and pictures that could not be read with the reason.
    """

    results: Path
    files: list[Path] = field(default_factory=list)
    pictures: int = 0
    objects: int = 0
    drawn: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def count(self, found: Detections, least: float) -> None:
        self.objects += len(found)
        self.drawn += int((found.scores >= least).sum())


def predict(
    predictor: Predictor, source: Path, out: Path, tick: Tick | None = None, least: float = LEAST_SCORE
) -> Outcome:
    """Runs over `source` and writes into `out`: a PNG a picture, or one video, and `detections.json`. Boxes that score
    below `least` are in the JSON but not drawn.

    A picture of a folder that cannot be read is skipped and named in the JSON. Raises DetrtError if nothing could
    be read at all.
    """
    if not source.exists():
        raise DetrtError("there is no such picture, folder or video", source)
    if out.exists() and not out.is_dir():
        raise DetrtError("exists and is no folder", out, "choose another -o")
    if source.is_dir():
        files = [path for path in picture_files(source) if not path.resolve().is_relative_to(out.resolve())]
        if not files:
            raise DetrtError("there is no picture in the folder", source, f"known formats: {', '.join(SUFFIXES)}")
        return _pictures(predictor, [(path, path.relative_to(source)) for path in files], out, tick, least)
    if source.suffix.lower() in VIDEOS:
        return _video(predictor, source, out, tick, least)
    return _pictures(predictor, [(source, Path(source.name))], out, tick, least)


def _pictures(
    predictor: Predictor, files: list[tuple[Path, Path]], out: Path, tick: Tick | None, least: float
) -> Outcome:
    outcome = Outcome(out / RESULTS)
    rows: list[dict[str, Any]] = []
    names = _distinct(relative for _, relative in files)
    for number, ((path, relative), name) in enumerate(zip(files, names, strict=True), 1):
        try:
            image = read_picture(path)
        except DetrtError as error:
            if len(files) == 1:
                raise
            outcome.refused.append((str(relative), error.message))
            rows.append({"file": str(relative), "error": error.message})
            continue
        finally:
            if tick is not None:
                tick(number, len(files))
        found = predictor.detect(image)
        write_png(out / name, _drawn(predictor, image, found, least))
        outcome.files.append(out / name)
        outcome.pictures += 1
        outcome.count(found, least)
        rows.append({"file": str(relative), "annotated": str(name), **_row(predictor, image, found)})
    if not outcome.pictures:
        raise DetrtError(
            f"none of the {len(files)} pictures can be read; the first: {outcome.refused[0][1]}", files[0][0].parent
        )
    write_json(outcome.results, {**_about(predictor), "pictures": rows})
    return outcome


def _video(predictor: Predictor, source: Path, out: Path, tick: Tick | None, least: float) -> Outcome:
    outcome = Outcome(out / RESULTS)
    rows: list[dict[str, Any]] = []
    reader = cv2.VideoCapture(str(source))
    writer: cv2.VideoWriter | None = None
    temporary = Path()
    try:
        total = max(0, int(reader.get(cv2.CAP_PROP_FRAME_COUNT)))
        rate = reader.get(cv2.CAP_PROP_FPS) or 25.0
        for number, image in enumerate(_frames(reader)):
            found = predictor.detect(image)
            annotated = _drawn(predictor, image, found, least)
            if writer is None:
                writer, temporary = _writer(out, rate, annotated)
            writer.write(annotated)
            outcome.pictures += 1
            outcome.count(found, least)
            rows.append({"frame": number, **_row(predictor, image, found)})
            if tick is not None:
                tick(number + 1, total)
        if writer is None:
            raise DetrtError("cannot be read as a video: not one frame could be decoded", source)
        writer.release()
        if not temporary.stat().st_size:
            raise DetrtError("cannot write the video: is the disk full?", out)
        target = out / f"{source.stem}.mp4"
        os.replace(temporary, target)
        outcome.files.append(target)
    finally:
        reader.release()
        if writer is not None:
            writer.release()
            temporary.unlink(missing_ok=True)
    write_json(outcome.results, {**_about(predictor), "video": source.name, "frames_per_second": rate, "frames": rows})
    return outcome


def _frames(reader: cv2.VideoCapture) -> Iterator[Image]:
    while True:
        read, image = reader.read()
        if not read:
            return
        yield np.asarray(image, np.uint8)


def _writer(out: Path, rate: float, frame: Image) -> tuple[cv2.VideoWriter, Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=out, prefix=".video.", suffix=".mp4")
    except OSError as error:
        raise DetrtError(f"cannot write: {error.strerror or error}", out) from error
    os.close(handle)
    writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"mp4v"), rate, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        Path(name).unlink(missing_ok=True)
        raise DetrtError("this OpenCV cannot write mp4 videos", out, "give it pictures instead")
    return writer, Path(name)


def _distinct(paths: Iterable[Path]) -> list[Path]:
    """A PNG name for each picture; `a.jpg` and `a.bmp` of one folder get different ones."""
    names: list[Path] = []
    taken: set[Path] = set()
    for path in paths:
        name = path.with_suffix(".png")
        if name in taken:
            name = path.with_name(f"{path.name}.png")
        taken.add(name)
        names.append(name)
    return names


def _drawn(predictor: Predictor, image: Image, found: Detections, least: float) -> Image:
    if predictor.whole:
        return draw_classes(image, found, predictor.classes)
    return draw_detections(image, found, predictor.classes, least)


def _row(predictor: Predictor, image: Image, found: Detections) -> dict[str, Any]:
    """Of one picture: its boxes, or of a classifier its most probable classes, best first."""
    classes, size = predictor.classes, {"width": image.shape[1], "height": image.shape[0]}
    if predictor.whole:
        pairs = zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        return {**size, "classes": [{"class": classes[i], "label": i, "score": round(s, 6)} for i, s in pairs]}
    boxes = found.pixels(image.shape[1], image.shape[0])
    return {
        **size,
        "detections": [
            {"class": classes[label], "label": label, "score": round(score, 6), "box": [round(v, 3) for v in box]}
            for box, label, score in zip(boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
        ],
    }


def _about(predictor: Predictor) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": predictor.name,
        "kind": predictor.kind,
        "classes": list(predictor.classes),
        **({} if predictor.whole else {"box": "x1 y1 x2 y2 in pixels of the picture; 0 0 is its top left corner"}),
    }
