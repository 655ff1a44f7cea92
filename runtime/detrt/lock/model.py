"""A model of the lock: its input, its nodes and its heads."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveInt

from detrt.lock.derived import Derived
from detrt.lock.part import Part


class Encoding(Part):
    """`u5`: the 8 to 5 bit step of the GTI 5801 (0..31); `affine`: (x / scale + offset - mean) / std, mean and std lists a
    channel.
    """

    kind: Literal["u5", "affine"]


class Resize(Part):
    """How a picture comes to the input's size; read by `detrt.data.resize`."""

    mode: Literal["stretch", "letterbox", "crop"] = "stretch"
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = "bilinear"
    pad: int = Field(default=114, ge=0, le=255)
    place: Literal["center", "topleft"] = "center"


class Input(Part):
    name: str
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    dtype: str = "u8"
    order: Literal["bgr", "rgb", "ycrcb", "grayscale", "rgba", "events"] = "bgr"
    steps: PositiveInt | None = None
    resize: Resize = Resize()
    encoding: Encoding


class Node(Part):
    name: str
    op: str
    attributes: dict[str, Any] = {}
    inputs: list[str] = []
    shape: Any = None
    dtype: str = ""
    module: str | None = None


class Head(Part):
    kind: str
    on: list[str]
    options: dict[str, Any] = {}


class Model(Part):
    name: str
    class_name: str = Field(alias="class")
    kind: str = "detector"
    input: Input
    nodes: list[Node]
    outputs: dict[str, list[str]]
    heads: list[Head] = []
    derived: Derived | None = None

    def classes(self) -> list[str]:
        """Class names as the first head has them."""
        for head in self.heads:
            names = head.options.get("names")
            if names:
                return [str(name) for name in names]
        return []
