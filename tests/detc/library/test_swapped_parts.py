"""A backbone, a neck and a level of three families fit together: parts agree on tensors, not on names."""

from __future__ import annotations

from pathlib import Path

import pytest

from detc.compilation import compile_spec
from generated_nets import compiled, torch_counts

HEAD = """
use std.blocks as blocks
use std.darknet as darknet
use std.mobilenet as mobilenet
use std.shufflenet as shufflenet
use std.stresnet as st
use std.yolox as yolox
param act = relu
block layer(x, c, k = 3x3, s = 1) = x |> blocks.conv_bn(c // 8, k = k, s = s, act = leaky)
model net extends detector {
  input frame: u8[3, 64, 64] = camera(order = bgr)
  let stem = frame |> blocks.conv_bn(8, s = 2, act = act)
"""
BACKBONES = {
    "yolox": "  let b = stem |> yolox.darknet(8, 1, blocks.conv_bn, act)\n  let maps = [b.c3, b.c4, b.c5]\n",
    "shufflenet": """  let s3 = stem |> maxpool(3x3, s = 2, pad = 1) |> shufflenet.stage(16, 2, act)
  let s4 = s3 |> shufflenet.stage(24, 3, act)
  let s5 = s4 |> shufflenet.stage(32, 1, act)
  let maps = [s3, s4, s5]
""",
    "stresnet": """  let d3 = stem |> maxpool(2x2) |> st.basic(st.plain(16, s = 2), st.tucker(6, 16), st.shrink(16))
  let d4 = d3 |> st.basic(st.plain(24, s = 2), st.plain(24), st.shrink(24))
  let d5 = d4 |> st.basic(st.tucker(9, 32, s = 2), st.plain(32), st.squeeze(5, 32))
  let maps = [d3, d4, d5]
""",
}
WHOLE = (
    "darknet.tiny(layer)",
    "mobilenet.v1(0.25)",
    "mobilenet.v2(0.25)",
    "mobilenet.v3_small(0.5)",
    "mobilenet.v3_large(0.5)",
)
BACKBONES |= {call: f"  let b = frame |> {call}\n  let maps = [b.c3, b.c4, b.c5]\n" for call in WHOLE}
NECKS = {
    "pafpn": """  let n = yolox.pafpn(maps[0], maps[1], maps[2], [m.channels for m in maps], 1, blocks.separable, act)
  let levels = [n.p3, n.p4, n.p5]
""",
    "ghost": """  let r = [m |> blocks.conv_bn(12, k = 1x1, act = act) for m in maps]
  let n = shufflenet.ghost_pan(r[0], r[1], r[2], act)
  let levels = [n.p3, n.p4, n.p5, n.p6]
""",
}
LEVELS = (
    "  let l = [f |> yolox.level(8, 3, blocks.conv_bn, act) for f in levels]\n  output box = [x.box for x in l]\n",
    "  output maps_out = [f |> shufflenet.level(3, 8, act) for f in levels]\n",
)


QUICK = ("yolox", "shufflenet", "mobilenet.v1(0.25)")


@pytest.mark.parametrize("backbone", [b if b in QUICK else pytest.param(b, marks=pytest.mark.long) for b in BACKBONES])
def test_any_backbone_under_any_neck(backbone: str, tmp_path: Path) -> None:
    for neck, level in zip(NECKS.values(), LEVELS, strict=True):
        spec = tmp_path / "net.det"
        spec.write_text(f"{HEAD}{BACKBONES[backbone]}{neck}{level}}}\n")
        model = compiled(spec)
        assert torch_counts(model) == (model.graph.params(), model.graph.macs())


@pytest.mark.parametrize(
    ("name", "backbone"), [("shuffle_yolox", ""), ("mobile_yolox", ""), ("mobile_yolox", "mobilenet.v3_small")]
)
def test_the_example_counts_as_its_page_says(name: str, backbone: str) -> None:
    folder = Path(__file__).parents[3] / "examples" / "swapped-backbone"
    model = compiled(folder / f"{name}.det", **({"backbone": backbone} if backbone else {}))
    assert f"{model.graph.params():,} parameters" in (folder / "README.md").read_text(encoding="utf-8")
    assert torch_counts(model) == (model.graph.params(), model.graph.macs())


@pytest.mark.parametrize("backbone", ["mobilenet.v9", "mobilenet", "relu", "blocks.conv_bn", "7"])
def test_what_is_no_backbone_is_a_finding(backbone: str) -> None:
    folder = Path(__file__).parents[3] / "examples" / "swapped-backbone"
    done = compile_spec(folder / "mobile_yolox.det", None, {"backbone": backbone})
    assert not done.fits
    assert all(f.message and f.span for f in done.findings if f.level == "error")
