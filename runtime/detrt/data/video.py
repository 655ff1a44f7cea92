"""Video files as sets of pictures without labels: every frame, or each nth, for calibration and prediction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from detrt.data.notice import Notice
from detrt.data.root import require_beneath
from detrt.data.sample import Annotation, DataSet, Image, Picture
from detrt.data.scan import files_below
from detrt.errors import DetrtError

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
LARGEST = 2**27
"""Pixels of a frame above which a video is refused."""
MOST = 10_000_000
"""Frames that are used of one file."""
_BEHIND = 64
"""Decoded frames that are kept, for threads that do not ask in order."""


def open_video(
    name: str, split: str, root: Path, where: dict[str, Any], classes: Sequence[str] | None, every: int = 1
) -> DataSet:
    """The frames of `where["videos"]`, a file or a folder of files, only each `every`th. Raises DetrtError."""
    path = require_beneath(root, str(where["videos"]), "the video")
    files, notices = files_below(path, root, SUFFIXES) if path.is_dir() else ([path], [])
    if not files or not files[0].is_file():
        raise DetrtError("there is no video", path, f"known formats: {', '.join(SUFFIXES)}")
    nothing = Annotation.of([], [])
    pictures: list[Picture] = []
    for file in files:
        try:
            count, width, height = measure(file)
        except DetrtError as error:
            notices.append(Notice("broken image", file.name, error.message, "left out the video"))
            continue
        stem = file.relative_to(path).with_suffix("").as_posix() if path.is_dir() else file.stem
        pictures += [
            Picture(f"{stem}/{number:07d}", file, width, height, nothing, stem, number)
            for number in range(0, count, max(1, every))
        ]
    if not pictures:
        raise DetrtError("no video can be read: " + "; ".join(n.detail for n in notices)[:200], path)
    return DataSet(
        name,
        split,
        tuple(classes or ()),
        tuple(pictures),
        Frames(),
        tuple(notices),
        labelled=False,
        every=max(1, every),
    )


def measure(path: Path) -> tuple[int, int, int]:
    """(frames, width, height) of a video file; frames are counted, since headers are often wrong. Raises DetrtError."""
    capture = _open(path)
    try:
        width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > LARGEST:
            raise DetrtError(f"frames of {width}x{height} pixels are too large", path)
        count = 0
        while count < MOST and capture.grab():
            count += 1
        if not count:
            raise DetrtError("no frame of the video can be decoded", path)
        return count, width, height
    finally:
        capture.release()


def _open(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise DetrtError("the file is no video that can be decoded", path, f"known formats: {', '.join(SUFFIXES)}")
    return capture


class Frames:
    """Reads frames by going forward through one file at a time: what a seek lands on differs between decoders."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._path: Path | None = None
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        self._kept: OrderedDict[tuple[Path, int], Image] = OrderedDict()

    def __call__(self, picture: Picture) -> Image:
        """uint8 [height, width, 3] BGR. Raises DetrtError for a frame that is not there."""
        with self._lock:
            kept = self._kept.get((picture.path, picture.frame))
            return kept if kept is not None else self._read(picture.path, picture.frame)

    def _read(self, path: Path, frame: int) -> Image:
        if self._capture is None or path != self._path or frame < self._next:
            if self._capture is not None:
                self._capture.release()
            self._capture, self._path, self._next = _open(path), path, 0
        image = None
        while self._next <= frame:
            image = self._step(path, self._capture, frame)
        assert image is not None
        return image

    def _step(self, path: Path, capture: cv2.VideoCapture, frame: int) -> Image | None:
        number = self._next
        self._next += 1
        if not capture.grab():
            self._path = None
            raise DetrtError(f"the video has no frame {frame}", path)
        if number < frame - _BEHIND:
            return None
        done, image = capture.retrieve()
        if not done or image is None or image.ndim != 3:
            raise DetrtError(f"cannot decode frame {number}", path)
        kept = np.asarray(image, np.uint8)
        self._kept[(path, number)] = kept
        while len(self._kept) > _BEHIND:
            self._kept.popitem(last=False)
        return kept
