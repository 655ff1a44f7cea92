"""A detector over a picture, a folder or a video: annotated copies and one JSON of everything it found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from detrt.data.folders import picture_files
from detrt.data.picture import SUFFIXES, read_picture
from detrt.draw import LEAST_SCORE
from detrt.errors import DetrtError
from detrt.files import write_json, write_png
from detrt.predict_video import frames_in_order, predict_frames, video_frames
from detrt.prediction import RESULTS, Outcome, Tick, about, drawn, row_of
from detrt.predictor import Predictor

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


def predict(
    predictor: Predictor,
    source: Path,
    out: Path,
    tick: Tick | None = None,
    least: float = LEAST_SCORE,
    still: bool = False,
) -> Outcome:
    """Runs over `source` and writes into `out`: a PNG a picture, or one video, and `detections.json`. Boxes that score
    below `least` are in the JSON but not drawn. A net in time takes a folder as the frames of a video in the order of
    their names, and each picture for itself with `still`.

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
        if not still and getattr(predictor, "stream", None) is not None:
            return predict_frames(predictor, frames_in_order(source, files), out, tick, least)
        return _pictures(predictor, [(path, path.relative_to(source)) for path in files], out, tick, least)
    if source.suffix.lower() in VIDEOS:
        return predict_frames(predictor, video_frames(source), out, tick, least, still)
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
        write_png(out / name, drawn(predictor, image, found, least))
        outcome.files.append(out / name)
        outcome.count(found, least)
        rows.append({"file": str(relative), "annotated": str(name), **row_of(predictor, image, found)})
    if not outcome.pictures:
        raise DetrtError(
            f"none of the {len(files)} pictures can be read; the first: {outcome.refused[0][1]}", files[0][0].parent
        )
    write_json(outcome.results, {**about(predictor), "pictures": rows})
    return outcome


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
