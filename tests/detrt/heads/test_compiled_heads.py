"""What the compiler writes of a head is what the runtime reads: options, loss keys, and the shapes of the outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("lark")

from detc.semantics.elaborate import elaborate
from detc.semantics.schema.heads import HEADS
from detrt.heads import KINDS, build_decoder, build_head

SPECS = Path(__file__).parents[3] / "specs"
LIBRARY = {
    "gnetdet224": "gnetdet",
    "yolov1_tiny": "yolo_v1",
    "yolov2_tiny": "yolo_v2",
    "st_yolo_x_nano": "yolo_v2",
    "yolov3_tiny": "yolo_v3",
    "yolo_kp_dual_head": "yolo_sdnn",
    "ssdlite_mobilenetv2": "ssd",
    "yolox_nano": "yolox",
    "nanodet_plus_m": "nanodet",
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_runtime_takes_what_a_spec_says(name: str) -> None:
    program = elaborate(SPECS / f"{name}.det", {}, None)
    (model,) = program.models.values()
    (head,) = model.heads
    assert head.kind == LIBRARY[name]
    entry = {"kind": head.kind, "on": list(head.on), "options": head.options}
    learner = build_head(entry, {key.name.removeprefix("loss."): key.default for key in HEADS[head.kind].loss})

    generator = torch.Generator().manual_seed(0)
    outputs = {
        output: [torch.rand(2, *model.graph[node].type.shape, generator=generator) * 0.1 for node in nodes]
        for output, nodes in model.graph.outputs.items()
    }
    boxes = np.array([[0.2, 0.3, 0.6, 0.8], [0.55, 0.1, 0.7, 0.3]], np.float32)
    targets = torch.stack([learner.targets(boxes, np.array([1, 0]))] * 2)
    terms = learner.loss(outputs, targets)
    assert terms and all(torch.isfinite(value) for value in terms.values())
    decode = build_decoder(entry)
    single = {output: [map[0].numpy() for map in maps] for output, maps in outputs.items()}
    found, again = decode(single), learner.decode(outputs)[0]
    assert np.array_equal(found.boxes, again.boxes) and np.array_equal(found.scores, again.scores)


def test_every_detector_of_the_language_has_a_head() -> None:
    assert HEADS.keys() - {"softmax"} <= KINDS.keys()
