"""Every library spec from its text to a module that runs, and its outputs as the reference gives them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detc.ir.text import parse_graph, print_graph
from detc.ir.types import TensorType
from detc.library import library_folder, library_names
from generated_nets import compiled, torch_counts

Outputs = dict[str, list[TensorType]]


QUICK = ("gnetdet224", "yolov1", "extraction", "yolov2_tiny", "ssdlite_mobilenetv2", "yolox_nano", "yolo_kp")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in library_names()]
)
def test_it_runs_and_reads_back(name: str) -> None:
    """On torch's meta device: shapes, parameters and multiplications without their values."""
    model = compiled(library_folder() / f"{name}.det")
    assert torch_counts(model) == (model.graph.params(), model.graph.macs())
    text = print_graph(model.graph)
    assert print_graph(parse_graph(text)) == text
    assert model.heads, "a detector says how its outputs are read"


# ---- outputs in the form of the reference, batch in front


def rows(maps: list[TensorType], columns: int) -> list[int]:
    """Maps one behind the other with a row for each prior: [batch, priors, columns]."""
    return [1, sum(m.elements for m in maps) // columns, columns]


def ssd(outputs: Outputs) -> object:
    return [rows(outputs["conf"], 81), rows(outputs["loc"], 4)]


def cells(outputs: Outputs) -> object:
    """All that is said of a cell in one row."""
    columns = sum(maps[0].channels for maps in outputs.values())
    return [1, sum(m.height * m.width for m in next(iter(outputs.values()))), columns]


def raw(outputs: Outputs) -> object:
    return [[1, *m.shape] for maps in outputs.values() for m in maps]


def logits(outputs: Outputs) -> object:
    return [1, *outputs["logits"][0].shape, 1, 1]


def keras(outputs: Outputs) -> object:
    return [[None, m.height, m.width, m.channels] for maps in outputs.values() for m in maps]


def grid(outputs: Outputs) -> object:
    (m,) = outputs["grid"]
    return [1, m.height, m.width, m.channels]


def sdnn(outputs: Outputs) -> object:
    """A row for each anchor of a cell, and time behind all."""
    return [*rows(outputs["p"], 85), 1]


FORMS: dict[str, tuple[str, Callable[[Outputs], object]]] = {
    "st_yolodv2milli": ("st_yolodv2milli_actrelu_pt_nc80_640", cells),
    "st_yolodv2tiny": ("st_yolodv2tiny_actrelu_pt_nc80_640", cells),
    "ssd_mobilenetv1": ("ssd_mobilenetv1_pt_nc81", ssd),
    "ssdlite_mobilenetv1": ("ssdlite_mobilenetv1_pt_nc81", ssd),
    "ssd_mobilenetv2": ("ssd_mobilenetv2_pt_nc81", ssd),
    "ssdlite_mobilenetv2": ("ssdlite_mobilenetv2_pt_nc81", ssd),
    "ssdlite_mobilenetv3small": ("ssdlite_mobilenetv3small_pt_nc81", ssd),
    "ssdlite_mobilenetv3large": ("ssdlite_mobilenetv3large_pt_nc81", ssd),
    "gnetdet224": ("gnetdet224_nc20", grid),
    "gnetdet448": ("gnetdet448_nc20", grid),
    "yolov1": ("yolov1_fc_paper_8fd18add", raw),
    "yolov1_tiny": ("yolov1_tiny_darknet_head", raw),
    "extraction": ("extraction_imagenet", logits),
    "yolov2_tiny": ("yolov2_tiny_coco", raw),
    "yolov3_tiny": ("yolov3_tiny_coco", raw),
    "st_yolo_lc_v1": ("st_yolo_lc_v1_nc80_256", keras),
    "st_yolo_x_nano": ("st_yolo_x_nano_nc80_416", keras),
    "yolox_nano": ("yolox_nano_nc80", cells),
    "nanodet_plus_m": ("nanodet_plus_m_416", cells),
    "yolo_kp": ("lava_yolo_kp_nc80", sdnn),
    "yolo_kp4": ("lava_short_single_head_KP_nc80", sdnn),
    "yolo_kp_events": ("lava_yolo_kp_events_nc80", sdnn),
    "yolo_kp_dual_head": ("lava_dual_head_nc80", sdnn),
}
"""The row of facts/counts.csv, and how its outputs are written."""


def test_inputs_and_outputs_are_those_of_the_facts(shared: Path) -> None:
    with (shared / "facts" / "counts.csv").open(newline="") as file:
        facts = {row["model"]: row for row in csv.DictReader(file)}
    for name, (row, form) in FORMS.items():
        graph = compiled(library_folder() / f"{name}.det").graph
        (frame,) = graph.inputs
        channels, height, width = frame.type.shape
        last = "x1" if row.startswith("lava") else ""
        sizes = (f"1x{channels}x{height}x{width}{last}", f"Nonex{height}x{width}x{channels}")
        assert facts[row]["input"] in sizes, name
        outputs = {key: [graph[node].type for node in nodes] for key, nodes in graph.outputs.items()}
        assert form(outputs) == json.loads(facts[row]["outputs"]), name
