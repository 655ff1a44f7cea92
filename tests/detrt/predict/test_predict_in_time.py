"""`detc run` of a net in time: frames with their own detections, events beside them, files whole however it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections import deque
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from detrt import video_out
from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.events_panel import POINTS, Curve
from detrt.heads.detections import Detections
from detrt.predict import predict
from detrt.predict_video import frames_in_order
from detrt.stream import Events, watch

LATENCY = 3


class Late:
    """Finds the mean grey of a frame as the box's left side, so many steps later; sends as many events."""

    neurons: ClassVar = {"input": 300, "conv": 100}
    late: ClassVar = {"input": 0, "conv": 1}
    latency = LATENCY

    def __init__(self) -> None:
        self.seen: deque[Image] = deque(maxlen=LATENCY + 1)

    def step(self, frame: Image) -> tuple[Detections | None, Events]:
        self.seen.append(frame)
        events = {"input": round(float(frame.mean())), "conv": 2}
        if len(self.seen) <= LATENCY:
            return None, events
        box = np.array([[self.seen[0].mean() / 256, 0, 1, 1]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0])), events


class Watcher:
    name, kind, classes, whole = "watcher", "test", ("grey",), False
    stream = Late

    def detect(self, image: Image) -> Detections:
        return Detections.none()


def grey(value: int, size: tuple[int, int] = (32, 24)) -> Image:
    return np.full((size[1], size[0], 3), value, np.uint8)


def folder_of(path: Path, values: list[int]) -> Path:
    path.mkdir()
    for number, value in enumerate(values):
        cv2.imwrite(str(path / f"frame{number}.png"), grey(value))
    return path


def test_each_frame_gets_its_own_detections_and_none_is_held_longer() -> None:
    moments = list(watch(Late(), (grey(v) for v in range(20))))
    assert [m.number for m in moments] == list(range(20))
    for moment in moments:
        assert moment.image.mean() == moment.events["input"] == round(float(moment.found.boxes[0, 0]) * 256)
    assert list(watch(Late(), iter([]))) == []
    assert [m.number for m in watch(Late(), iter([grey(1)]))] == [0]


def test_events_belong_to_the_frame_that_caused_them() -> None:
    class Counting(Late):
        late: ClassVar = {"input": 0, "conv": 2}

        def step(self, frame: Image) -> tuple[Detections | None, Events]:
            before = [round(float(image.mean())) for image in self.seen]
            found, events = super().step(frame)
            return found, {**events, "conv": before[-2] if len(before) > 1 else 99}

    moments = list(watch(Counting(), (grey(v) for v in range(10))))
    assert [m.events for m in moments] == [{"input": v, "conv": v} for v in range(10)]


def test_a_folder_is_a_video_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    values = list(range(0, 120, 10))
    source = folder_of(tmp_path / "shots", values)
    (source / "frame5.png").write_bytes(b"broken")
    outcome = predict(Watcher(), source, tmp_path / "out")
    assert outcome.pictures == 11 and [name for name, _ in outcome.refused] == ["frame5.png"]
    assert sorted(os.listdir(tmp_path / "out")) == [
        "detections.json", "events.csv", "events.json", "events.png", "shots.mp4",
    ]  # fmt: skip
    rows = list(csv.reader((tmp_path / "out/events.csv").open()))
    assert rows[0] == ["frame", "all", "input", "conv"]
    expected = [v for v in values if v != 50]
    assert [int(row[2]) for row in rows[1:]] == expected and [int(row[1]) for row in rows[1:]] == [
        v + 2 for v in expected
    ]
    found = json.loads((tmp_path / "out/detections.json").read_text())
    assert [round(f["detections"][0]["box"][0] * 8) for f in found["frames"]] == expected
    summary = json.loads((tmp_path / "out/events.json").read_text())
    assert (summary["frames"], summary["dense_activations"]) == (11, 400)
    assert summary["layers"][1] == {"name": "conv", "neurons": 100, "events_per_frame": 2.0, "most": 2, "rate": 0.02}
    reader = cv2.VideoCapture(str(tmp_path / "out/shots.mp4"))
    shown = 0
    while reader.grab():
        shown += 1
    height, width = (int(reader.get(key)) for key in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
    assert shown == 11 and height == 448 and width > 597  # the annotated frame and a panel beside it
    assert any("400" in line and "dense" in outcome.events[0] for line in outcome.events)


def test_without_a_codec_the_frames_are_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_out, "CODEC", "none")
    outcome = predict(Watcher(), folder_of(tmp_path / "shots", [10, 20]), tmp_path / "out")
    assert "cannot write mp4" in outcome.notes[0]
    assert sorted(os.listdir(tmp_path / "out/shots")) == ["0000000.png", "0000001.png"]


def test_an_interrupt_leaves_whole_files(tmp_path: Path) -> None:
    def tick(done: int, total: int) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = predict(Watcher(), folder_of(tmp_path / "shots", list(range(30))), tmp_path / "out", tick)
    frames = json.loads((tmp_path / "out/detections.json").read_text())["frames"]
    assert outcome.stopped and LATENCY < len(frames) == outcome.pictures < 12
    assert len((tmp_path / "out/events.csv").read_text().splitlines()) == outcome.pictures + 1
    assert (tmp_path / "out/shots.mp4").stat().st_size and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_frames_of_another_size_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "shots", [1, 2, 3, 4, 5, 6])
    cv2.imwrite(str(source / "frame4.png"), grey(4, (64, 24)))
    with pytest.raises(DetrtError, match="frame 4 has 64x24 pixels, those before 32x24"):
        predict(Watcher(), source, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    assert predict(Watcher(), source, tmp_path / "out", still=True).pictures == 6


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    for name in ("b2", "b10", "b9", "a100", "b9x"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), grey(1))
    frames = frames_in_order(tmp_path, sorted(tmp_path.iterdir()))
    assert frames.total == 5 and len(list(frames)) == 5
    by_value = {name: value for value, name in enumerate(("a100", "b2", "b9", "b9x", "b10"))}
    for name, value in by_value.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), grey(value))
    assert [int(image.mean()) for image in frames_in_order(tmp_path, sorted(tmp_path.iterdir()))] == list(range(5))


def test_a_curve_keeps_its_shape_in_few_points() -> None:
    curve = Curve()
    for value in range(5 * POINTS):
        curve.add(value)
    points = curve.points()
    assert len(points) <= POINTS and all(abs(x - y) < 8 for x, y in points)
