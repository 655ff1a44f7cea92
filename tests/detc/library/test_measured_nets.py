"""Library specs beside the nets that they describe: counts and layer rows measured on the reference's modules."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from layer_rows import in_any_order, measured, reported

from detc.compilation import compile_spec
from detc.library import library_folder
from detc.report.subject import Compilation

NETS = {
    "gnetdet224": ("gnetdet224_nc20", 6_525_278, 11_313_985_536),
    "gnetdet448": ("gnetdet448_nc20", 6_525_278, 11_574_097_920),
    "yolov1": ("yolov1_fc_paper_8fd18add", 271_703_550, 20_285_153_280),
    "yolov1_tiny": ("yolov1_tiny_darknet_head", 27_095_374, 1_608_015_360),
    "extraction": ("extraction_imagenet", 23_437_224, 4_259_340_288),
    "yolov2_tiny": ("yolov2_tiny_coco", 11_232_057, 2_703_221_248),
    "yolov3_tiny": ("yolov3_tiny_coco", 8_852_366, 2_782_480_896),
    "st_yolo_lc_v1": ("st_yolo_lc_v1_nc80_256", 381_410, 135_266_304),
    "ssd_mobilenetv1": ("ssd_mobilenetv1_pt_nc81", 18_594_996, 2_510_702_528),
    "ssdlite_mobilenetv1": ("ssdlite_mobilenetv1_pt_nc81", 5_328_308, 1_247_599_040),
    "ssd_mobilenetv2": ("ssd_mobilenetv2_pt_nc81", 19_925_108, 2_315_287_280),
    "ssdlite_mobilenetv2": ("ssdlite_mobilenetv2_pt_nc81", 4_450_228, 787_595_056),
    "ssdlite_mobilenetv3small": ("ssdlite_mobilenetv3small_pt_nc81", 1_875_872, 178_193_016),
    "ssdlite_mobilenetv3large": ("ssdlite_mobilenetv3large_pt_nc81", 3_168_056, 575_404_176),
    "st_yolodv2milli": ("st_yolodv2milli_actrelu_pt_nc80_640", 3_250_968, 9_481_804_800),
    "st_yolodv2tiny": ("st_yolodv2tiny_actrelu_pt_nc80_640", 4_899_752, 11_400_819_200),
    "yolox_nano": ("yolox_nano_nc80", 912_159, 522_553_408),
    "st_yolo_x_nano": ("st_yolo_x_nano_nc80_416", 912_252, 536_570_944),
    "nanodet_plus_m": ("nanodet_plus_m_416", 1_197_924, 762_090_840),
    "yolo_kp": ("lava_yolo_kp_nc80", 3_604_916, 1_055_602_688),
    "yolo_kp4": ("lava_short_single_head_KP_nc80", 934_500, 275_717_120),
    "yolo_kp_events": ("lava_yolo_kp_events_nc80", 3_604_770, 1_048_377_344),
    "yolo_kp_dual_head": ("lava_dual_head_nc80", 9_438_785, 2_757_371_904),
}
"""The table in facts/layers, parameters and MACs."""
SETTINGS = {"gnetdet448_bn_nc20": ("gnetdet448", {"bn": "true"})}
"""Tables of a spec that is set otherwise."""
AGAIN = {"lava_tiny_yolov3_str_nc80": "yolo_kp_dual_head"}
"""Tables of one net under another name."""
TABLES = {table: (name, dict[str, str]()) for name, (table, _, _) in NETS.items()} | SETTINGS
TABLES |= {table: (name, {}) for table, name in AGAIN.items()}
KERAS = ("st_yolo_x_nano",)


def compiled(name: str, **sets: str) -> Compilation:
    return compile_spec(library_folder() / f"{name}.det", None, sets)


@pytest.mark.parametrize("name", NETS)
def test_counts(name: str) -> None:
    metrics = compiled(name).metrics
    assert (metrics["params"], metrics["macs"]) == NETS[name][1:]


@pytest.mark.parametrize("table", TABLES)
def test_layers(table: str, shared: Path) -> None:
    name, sets = TABLES[table]
    theirs = measured(shared / "facts" / "layers" / f"{table}.csv")
    ours = reported(compiled(name, **sets).layers, theirs)
    if name in KERAS:
        assert in_any_order(ours) == in_any_order(theirs)
    else:
        assert ours == theirs


def test_every_measured_table_is_compared(shared: Path) -> None:
    assert sorted(TABLES) == sorted(path.stem for path in (shared / "facts" / "layers").glob("*.csv"))


def test_counts_are_those_of_the_facts(shared: Path) -> None:
    with (shared / "facts" / "counts.csv").open(newline="") as file:
        facts = {row["model"]: (int(row["params"]), int(row["macs"])) for row in csv.DictReader(file)}
    assert {name: facts[table] for name, (table, _, _) in NETS.items()} == {n: net[1:] for n, net in NETS.items()}


def test_heads_of_yolo_kp_stand_side_by_side() -> None:
    for heads in (1, 2, 5):
        metrics = compiled("yolo_kp_multi_head", heads=str(heads)).metrics
        assert (metrics["params"], metrics["macs"]) == (heads * 3_604_916, heads * 1_055_602_688)


def test_yolo_kp_pruned_by_two_is_yolo_kp4(tmp_path: Path) -> None:
    spec = (library_folder() / "yolo_kp.det").read_text()
    (tmp_path / "kp.det").write_text(f"{spec}\nmodel kp4 = prune(yolo_kp, channels = 1 / 2, keep = [p])\n")
    pruned = compile_spec(tmp_path / "kp.det", None).program.models["kp4"].graph
    own = compiled("yolo_kp4").program.models["yolo_kp4"].graph
    assert [(n.name, n.op, n.type) for n in pruned] == [(n.name, n.op, n.type) for n in own]
