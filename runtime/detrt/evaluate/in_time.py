"""What a net in time finds in the videos of a split, and the events that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detrt.data.clips import has_videos, runs_of
from detrt.data.sample import DataSet
from detrt.errors import DetrtError
from detrt.events_panel import EventRecord
from detrt.heads.detections import Detections
from detrt.stream import stream_of, watch


def watches(predictor: Any, dataset: DataSet) -> bool:
    """Whether the pictures are frames of videos, and the predictor sees them in time."""
    return getattr(predictor, "stream", None) is not None and has_videos(dataset)


def watch_all(
    predictor: Any, dataset: DataSet, tick: Callable[[int], None] | None = None
) -> tuple[list[Detections], EventRecord]:
    """Detections of every frame, in the set's order, and the events of all. Each video is seen from its beginning to its
    end, from new states on; `tick` gets the count of frames done.

    Raises DetrtError where the set has no videos, or a frame cannot be read.
    """
    found: dict[int, Detections] = {}
    record: EventRecord | None = None
    for run in runs_of(dataset):
        stream = stream_of(predictor)
        if stream is None:
            raise DetrtError(f"{predictor.name} does not see pictures in time", f"data.{dataset.name}")
        record = record or EventRecord(stream.neurons)
        for moment in watch(stream, (dataset.load(index).image for index in run)):
            found[run[moment.number]] = moment.found
            record.add(moment.events)
            if tick is not None:
                tick(len(found))
    assert record is not None  # a set of videos has a run
    return [found[index] for index in range(len(dataset))], record
