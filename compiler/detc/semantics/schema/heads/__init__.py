"""The kinds of heads, a family a file: options, loss keys, and what each asks of the tensors it reads.

A later family is one file and one line of HEADS.
"""

from __future__ import annotations

from detc.semantics.schema.heads.anchor_free import NANODET, YOLOX
from detc.semantics.schema.heads.gnetdet import GNETDET
from detc.semantics.schema.heads.kind import HeadKind
from detc.semantics.schema.heads.softmax import SOFTMAX
from detc.semantics.schema.heads.ssd import SSD
from detc.semantics.schema.heads.yolo import YOLO_SDNN, YOLO_V1, YOLO_V2, YOLO_V3

HEADS: dict[str, HeadKind] = {
    "gnetdet": GNETDET,
    "yolo_v1": YOLO_V1,
    "yolo_v2": YOLO_V2,
    "yolo_v3": YOLO_V3,
    "yolo_sdnn": YOLO_SDNN,
    "ssd": SSD,
    "yolox": YOLOX,
    "nanodet": NANODET,
    "softmax": SOFTMAX,
}
"""Heads by the word after `head`."""
