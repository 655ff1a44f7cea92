"""What the integer post-processing of a head is made of: whole numbers only. numpy runs it, the C code is printed from it."""

from __future__ import annotations

from dataclasses import dataclass

from detrt.devices.stm32.arithmetic import Int32

CANDIDATES = 512
"""Best boxes of a picture that compete, at most; or as many as may be found, if that is more."""
ENTRY_BYTES = 24
"""One box in the C code: four coordinates, score and label, 4 bytes each."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a kind of numbers lies: the first of box b of cell c is number first + c * cell + b * box of tensor `output`.

    Cells count row by row. `output` counts the tensors that the head reads, in their order.
    """

    output: int
    first: int
    cell: int
    box: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Map:
    """The boxes of one map: `boxes` of them in each of rows x columns cells.

    A box [x1, y1, x2, y2] in 1/65536 of the canvas is centre - half, centre + half, from its numbers q[0 .. 3] at `place`:

        centre x = x[column] + ((offset[q[0] + 128] * units[box][0] + 2^23) >> 24)     held to -2^20 .. 2^20
        half width = (size[q[2] + 128] * units[box][2] + 2^23) >> 24                   held to -2^20 .. 2^20

    and so y and the height with q[1], units[1], q[3], units[3]. With `bins` > 0, four times `bins` numbers at `place` are the
    distances of the left, top, right and bottom side from (x[column], y[row]); each is a mean of 0, 1, .. bins - 1 weighted
    by size[largest - q], 65536 a unit, halves up, times units[box][0 or 1] as above; the box is held to 0 .. 65536.

    `x` int32 [columns], `y` int32 [rows], `units` int32 [boxes, 4] in 1/2^24, the tables int32 [256].
    """

    rows: int
    columns: int
    boxes: int
    place: Field
    classes: Field
    confidence: Field | None
    x: Int32
    y: Int32
    units: Int32
    offset: Int32
    size: Int32
    sure: Int32 | None
    chance: Int32
    least: int = -128
    """A box whose int8 confidence is below it is none: 128 leaves no box."""

    @property
    def cells(self) -> int:
        return self.rows * self.columns


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Detector:
    """A head that finds boxes. Scores are in 1/2^24.

    The chance of a class is chance[q + 128], or with `softmax` its share (chance[largest - q] * 2^24 + sum / 2) / sum of all
    classes, where both divisions round down; `background`: the first of these is no find. A score is the chance, or, where
    there is a confidence, (sure[confidence + 128] * chance + 2^23) >> 24. Every class of a box competes, or, if `best`, the
    one of the largest number, the first of equals. With `loudest` the boxes of a map's largest confidence count whatever
    `least` says.

    What exceeds `score` is a candidate, number (box number * classes + class). Boxes count map by map, in a map cell by cell
    and in a cell box by box, or, if `boxes_first`, box by box and then cell by cell. The candidate of the greater score comes
    first, of equal ones that of the lower number; the first `candidates` stay. A box then goes if a better one that stays,
    of its class or, if `agnostic`, of any, has intersection * 65536 > nms * union with it and a union above 0;
    `detections` stay at most.
    """

    maps: tuple[Map, ...]
    classes: int
    softmax: bool = False
    background: bool = False
    best: bool = False
    loudest: bool = False
    boxes_first: bool = False
    bins: int = 0
    score: int
    nms: int
    agnostic: bool
    candidates: int
    detections: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Classifier:
    """A head that names the whole picture: the `top` classes of the greatest numbers, of equal ones the lower class, with
    their share (chance[largest - q] * 2^24 + sum / 2) / sum.
    """

    classes: int
    top: int
    chance: Int32


Form = Detector | Classifier
