"""A detector over the frames of a video: an annotated video, a row of JSON a frame, and of a net in time the events beside.

Nothing is held of a video but the frames that are still in the net, so it may be of any length; Ctrl-C ends it early, with
files that are whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np

from detrt.data.picture import read_picture
from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.events_panel import EventRecord, beside, csv_head, csv_row
from detrt.files import TextOut
from detrt.prediction import RESULTS, Outcome, Tick, about, drawn, row_of
from detrt.predictor import Predictor
from detrt.stopping import stopping
from detrt.stream import Moment, Stream, stream_of, watch
from detrt.video_out import VideoOut

RATE = 25.0
"""Frames a second of a video that does not say, or of pictures."""


@dataclass(slots=True)
class Frames:
    """BGR frames of one size from `source`, `total` of them (0 if unknown); `refused` fills up with what cannot be read."""

    source: Path
    rate: float
    total: int
    images: Callable[[], Iterator[Image]]
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Image]:
        """Raises DetrtError for a frame of another size."""
        size: tuple[int, ...] | None = None
        for number, image in enumerate(self.images()):
            if size is not None and image.shape != size:
                raise DetrtError(
                    f"frame {number} has {image.shape[1]}x{image.shape[0]} pixels, those before {size[1]}x{size[0]}",
                    self.source,
                    "frames of one video are of one size; with --still each picture is taken for itself",
                )
            size = image.shape
            yield image


def video_frames(path: Path) -> Frames:
    """The frames of a video file."""

    def images() -> Iterator[Image]:
        reader = cv2.VideoCapture(str(path))
        try:
            while True:
                read, image = reader.read()
                if not read:
                    return
                yield np.asarray(image, np.uint8)
        finally:
            reader.release()

    reader = cv2.VideoCapture(str(path))
    total, rate = max(0, int(reader.get(cv2.CAP_PROP_FRAME_COUNT))), reader.get(cv2.CAP_PROP_FPS) or RATE
    reader.release()
    return Frames(path, rate, total, images)


def frames_in_order(folder: Path, files: Sequence[Path]) -> Frames:
    """Pictures of a folder as frames, numbers in their names in the order of their values."""
    ordered = sorted(files, key=lambda path: _by_numbers(path.relative_to(folder).as_posix()))

    def images() -> Iterator[Image]:
        for path in ordered:
            try:
                image = read_picture(path)
            except DetrtError as error:
                frames.refused.append((str(path.relative_to(folder)), error.message))
                continue
            yield image

    frames = Frames(folder, RATE, len(ordered), images)
    return frames


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """`frame9` before `frame10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d{1,18})", name)]


def predict_frames(
    predictor: Predictor, frames: Frames, out: Path, tick: Tick | None, least: float, still: bool = False
) -> Outcome:
    """Writes STEM.mp4 and detections.json into `out`; of a net in time, unless `still`, also events.csv, .json and .png.

    Raises DetrtError if no frame can be read or the disk is full; then nothing is left but what was there before.
    """
    stream = None if still else stream_of(predictor)
    outcome, video = Outcome(out / RESULTS), VideoOut(out, frames.source.stem, frames.rate)
    record = EventRecord(stream.neurons) if stream is not None else None
    with ExitStack() as stack:
        stopped = stack.enter_context(stopping())
        rows, table = TextOut(out / RESULTS), TextOut(out / "events.csv") if record is not None else None
        for made in (video, rows, table):
            if made is not None:
                stack.callback(made.discard)
        rows.write(_head(predictor, frames))
        if table is not None and record is not None:
            table.write(csv_head(record.neurons))
        shown = takewhile(lambda image: not stopped(), frames)
        for moment in _moments(predictor, stream, shown):
            picture = drawn(predictor, moment.image, moment.found, least)
            row = {"frame": moment.number, **row_of(predictor, moment.image, moment.found)}
            if record is not None and table is not None:
                record.add(moment.events)
                picture = beside(picture, record, moment.number)
                row["events"] = sum(moment.events.values())
                table.write(csv_row(moment.number, moment.events, record.neurons))
            video.write(picture)
            rows.write(f"{',' if outcome.pictures else ''}\n    {json.dumps(row, ensure_ascii=False)}")
            outcome.count(moment.found, least)
            if tick is not None:
                tick(moment.number + 1, frames.total)
        outcome.stopped, outcome.refused = stopped(), frames.refused
        if not outcome.pictures and not outcome.stopped:
            raise DetrtError(
                "cannot be read as a video: not one frame could be decoded",
                frames.source,
                "if it plays elsewhere, write it again: ffmpeg -i FILE -c:v libx264 out.mp4",
            )
        rows.write("\n  ]\n}\n")
        rows.close()
        outcome.files = video.close()
        if video.as_pictures:
            outcome.notes.append("this OpenCV cannot write mp4 videos: the annotated frames are pictures")
        if record is not None and table is not None:
            table.close()
            said = {"model": predictor.name, "kind": predictor.kind, "video": frames.source.name}
            title = f"events a frame: {frames.source.name}"
            outcome.files += [out / "events.csv", *record.write(out, title, said)]
            outcome.events = record.lines()
    return outcome


def _moments(predictor: Predictor, stream: Stream | None, frames: Iterator[Image]) -> Iterator[Moment]:
    if stream is not None:
        return watch(stream, frames)
    return (Moment(number, image, predictor.detect(image), {}) for number, image in enumerate(frames))


def _head(predictor: Predictor, frames: Frames) -> str:
    said = {**about(predictor), "video": frames.source.name, "frames_per_second": frames.rate}
    return json.dumps(said, indent=2, ensure_ascii=False)[:-2] + ',\n  "frames": ['
