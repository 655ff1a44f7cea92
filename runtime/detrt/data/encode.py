"""From a BGR picture to what the net reads: size, colour order, and the input's number format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detrt.data.resize import STRETCH, Resize
from detrt.data.sample import Image
from detrt.errors import DetrtError

if TYPE_CHECKING:
    from torch import Tensor

U5 = np.minimum(31, ((np.arange(256) >> 2) + 1) >> 1).astype(np.uint8)
"""The 8 to 5 bit step of the GTI 5801 for every byte: x5 = min(31, ((x >> 2) + 1) >> 1) (measured on the vendor's
software chip).
"""

FROM_BGR = {
    "bgr": None,
    "rgb": cv2.COLOR_BGR2RGB,
    "ycrcb": cv2.COLOR_BGR2YCrCb,
    "grayscale": cv2.COLOR_BGR2GRAY,
    "rgba": cv2.COLOR_BGR2RGBA,
}
TO_BGR = {
    "bgr": None,
    "rgb": cv2.COLOR_RGB2BGR,
    "ycrcb": cv2.COLOR_YCrCb2BGR,
    "grayscale": cv2.COLOR_GRAY2BGR,
    "rgba": cv2.COLOR_RGBA2BGR,
}
CHANNELS = {"bgr": 3, "rgb": 3, "ycrcb": 3, "grayscale": 1, "rgba": 4}


@dataclass(frozen=True)
class Encoding:
    """The input of a model as `lock["model"]["input"]` states it; its page says what the words mean.

    `bytes_of` makes the uint8 part of the work, cheap and in the loader's threads: resize, colour order, for u5 the
    table of 0..31. `tensor` does the rest on the model's device: float32, for affine
    `(x / scale + offset - mean) / std`.
    """

    width: int
    height: int
    order: str
    kind: str
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    offset: float = 0.0
    resize: Resize = STRETCH

    @classmethod
    def of(cls, model_input: Mapping[str, Any]) -> Encoding:
        """From the lock. Raises DetrtError for an order, channel count, encoding or resizing that pictures cannot have."""
        channels, height, width = (int(v) for v in model_input["shape"])
        encoding = dict(model_input.get("encoding") or {"kind": "u5"})
        order, kind = str(model_input.get("order", "bgr")), str(encoding["kind"])
        if CHANNELS.get(order) != channels or kind not in ("u5", "affine"):
            raise DetrtError(
                f"no encoding of pictures to {channels} channels, order `{order}`, kind `{kind}`", "model.input"
            )
        mean, std = (tuple(float(v) for v in encoding.get(key) or ()) for key in ("mean", "std"))
        return cls(
            width, height, order, kind, float(encoding.get("scale") or 1.0), mean or (0.0,) * channels,
            std or (1.0,) * channels, float(encoding.get("offset") or 0.0), Resize.of(model_input.get("resize")),
        )  # fmt: skip

    @property
    def channels(self) -> int:
        return CHANNELS[self.order]

    def resized(self, image: Image) -> Image:
        """A BGR picture of the net's size, as the host makes it on the device (`cv2.resize`)."""
        return self.resize.resized(image, self.width, self.height)

    def unplaced(self, boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Boxes float32 [n, 4] as shares of a picture of `width` x `height`, from the decoder's shares of the net's
        input.
        """
        return self.resize.unplaced(boxes, (self.width, self.height), width, height)

    def placed(self, boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """The inverse of `unplaced`: shares of the net's input from shares of a picture of `width` x `height`."""
        return self.resize.placed(boxes, (self.width, self.height), width, height)

    def ordered(self, image: Image) -> Image:
        """uint8 [height, width, channels] in the model's colour order from a BGR picture of any size: what a camera
        hands to the device.
        """
        resized, code = self.resized(image), FROM_BGR[self.order]
        if code is None:
            return resized
        return np.asarray(cv2.cvtColor(resized, code), np.uint8).reshape(self.height, self.width, -1)

    def bytes_of(self, image: Image) -> Image:
        """As `ordered`; for u5 reduced to 0..31."""
        ordered = self.ordered(image)
        return np.asarray(cv2.LUT(ordered, U5), np.uint8).reshape(ordered.shape) if self.kind == "u5" else ordered

    def shown(self, data: Image) -> Image:
        """Back from `bytes_of` to a BGR picture to look at: what the net sees, with its 32 steps a channel for u5."""
        full = (data.astype(np.uint16) * 255 // 31).astype(np.uint8) if self.kind == "u5" else data
        back = TO_BGR[self.order]
        return full if back is None else np.asarray(cv2.cvtColor(full, back), np.uint8)

    def array(self, data: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [n, channels, height, width] from stacked `bytes_of` [n, height, width, channels], without torch."""
        floats: NDArray[np.float32] = data.astype(np.float32)
        if self.kind == "affine":
            mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
            floats = np.asarray((floats / np.float32(self.scale) + np.float32(self.offset) - mean) / std, np.float32)
        return np.ascontiguousarray(floats.transpose(0, 3, 1, 2))

    def tensor(self, data: Tensor) -> Tensor:
        """float32 [n, channels, height, width], channels last in memory, from stacked `bytes_of`
        [n, height, width, channels] on any device.
        """
        floats = data.flatten(2).float()
        if self.kind == "affine":  # in place, and nothing that changes nothing: a batch is large
            if self.scale != 1.0:
                floats.div_(self.scale)
            if self.offset:
                floats.add_(self.offset)
            # along whole rows: torch is slow on an axis as short as the channels
            if any(self.mean):
                floats.sub_(floats.new_tensor(self.mean).repeat(data.shape[2]))
            if set(self.std) != {1.0}:
                floats.div_(floats.new_tensor(self.std).repeat(data.shape[2]))
        return floats.view(data.shape).permute(0, 3, 1, 2)
