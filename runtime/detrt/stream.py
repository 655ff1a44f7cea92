"""Detectors that see frames one after the other: what they give, and which frame it belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from detrt.data.sample import Image
from detrt.heads.detections import Detections

Events = dict[str, int]
"""Messages that each layer has sent in a step, by its name."""


class Stream(Protocol):
    """A net in time, from the beginning of a video on.

    `neurons` are the layers that send, in order, with how many neurons each has: a dense net hands on so many activations.
    What a step finds belongs to the frame `latency` steps before, and what a layer sends to that `late` steps before.
    """

    @property
    def neurons(self) -> Mapping[str, int]: ...

    @property
    def late(self) -> Mapping[str, int]: ...

    @property
    def latency(self) -> int: ...

    def step(self, frame: Image) -> tuple[Detections | None, Events]:
        """A BGR frame of any size goes in. None until the first frame has come through."""


def stream_of(predictor: Any) -> Stream | None:
    """A new stream of a predictor whose net sees pictures in time; None of any other."""
    begin: Callable[[], Stream] | None = getattr(predictor, "stream", None)
    return None if begin is None else begin()


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Frame `number` with what was found in it, and the `events` that each layer sent for it."""

    number: int
    image: Image
    found: Detections
    events: Events


def watch(stream: Stream, frames: Iterable[Image]) -> Iterator[Moment]:
    """Every frame with its detections, `latency` steps late; at the end the last frame is held until all have come through.

    What a layer sends before the first frame reaches it is no frame's. Holds no more than `latency` + 1 frames.
    """
    waiting: deque[tuple[int, Image]] = deque()
    sent: deque[Events] = deque(maxlen=stream.latency + 1)
    last: Image | None = None

    def moment(found: Detections) -> Moment:
        number, image = waiting.popleft()
        return Moment(number, image, found, {name: sent[stream.late[name]].get(name, 0) for name in stream.neurons})

    for number, image in enumerate(frames):
        found, events = stream.step(image)
        sent.append(events)
        waiting.append((number, image))
        last = image
        if found is not None:
            yield moment(found)
    while waiting and last is not None:
        found, events = stream.step(last)
        sent.append(events)
        if found is not None:
            yield moment(found)
