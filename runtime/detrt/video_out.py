"""A video that is written frame by frame: whole under its name when it is closed, as pictures where there is no codec."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import cv2

from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.files import write_png

CODEC = "mp4v"


class VideoOut:
    """Writes `folder`/`stem`.mp4, or `folder`/`stem`/0000000.png and so on where OpenCV cannot. Frames are of one size.

    Until `close` nothing lies under the video's name; `discard` leaves nothing of it.
    """

    def __init__(self, folder: Path, stem: str, rate: float) -> None:
        self.folder, self.stem, self.rate = folder, stem, rate
        self.frames = 0
        self._writer: cv2.VideoWriter | None = None
        self._temporary: Path | None = None

    @property
    def as_pictures(self) -> bool:
        """True where this OpenCV could not begin a video."""
        return self.frames > 0 and self._writer is None

    def write(self, frame: Image) -> None:
        """The next frame, BGR. Raises DetrtError where the folder cannot be written."""
        if not self.frames:
            self._begin(frame)
        if self._writer is not None:
            self._writer.write(frame)
        else:
            write_png(self.folder / self.stem / f"{self.frames:07d}.png", frame)
        self.frames += 1

    def close(self) -> list[Path]:
        """The files that there are now. Raises DetrtError if the disk has no room."""
        if self._writer is None or self._temporary is None:
            return [self.folder / self.stem] if self.frames else []
        self._writer.release()
        if not self._temporary.stat().st_size:
            raise DetrtError("cannot write the video: is the disk full?", self.folder)
        target = self.folder / f"{self.stem}.mp4"
        os.chmod(self._temporary, 0o644)
        os.replace(self._temporary, target)
        return [target]

    def discard(self) -> None:
        """Lets go of a video that was not closed."""
        if self._writer is not None:
            self._writer.release()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def _begin(self, frame: Image) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".video.", suffix=".mp4")
        except OSError as error:
            raise DetrtError(f"cannot write: {error.strerror or error}", self.folder) from error
        os.close(handle)
        self._temporary = Path(name)
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*CODEC), self.rate, (frame.shape[1], frame.shape[0]))
        if writer.isOpened():
            self._writer = writer
        else:
            self.discard()
            self._temporary = None
