"""A pruned net computes what the whole net computes with the dropped channels' contributions zeroed, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detc.codegen.model import model_source
from detc.semantics.elaborate import elaborate
from detc.semantics.lock import lock_of
from detc.semantics.program import Model, Program
from detrt.lock import Derived
from detrt.train.channels import _Units, cut
from random_nets import BLOCKS, random_spec

LIBRARY = Path(__file__).parents[3] / "specs"
EXTRA = """
block unit(x) {
  let y = x |> channels(x.channels // 2, x.channels - 1) |> cbr(x.channels // 2, k = 1x1) |> dw(x.channels // 2)
  output z = concat(x |> channels(0, x.channels // 2 - 1), y) |> shuffle(2)
}
"""
NETS = {
    "residual": """
  let a = frame |> cbr(16, s = 2)
  let b = a |> basic(cbr(16), linear3(8, 16)) |> basic(conv(24, s = 2), cbr(24), down = conv(24, k = 1x1, s = 2))
  output y = b |> stage(24, 2, 1) |> conv(7, k = 1x1)""",
    "depthwise": """
  let a = frame |> cbr(12) |> dw(24, s = 2) |> inverted(16) * 2
  let b = a |> conv(32, groups = 16) |> bn |> relu |> gate(4)
  output y = b |> dw(10) |> conv(9, k = 1x1)""",
    "concat": """
  let a = frame |> cbr(10)
  let b = a |> conv(6)
  let c = concat(a, b, a |> maxpool(3x3, s = 1, pad = 1)) |> csp(16)
  let d = concat(c |> upsample(2), frame |> conv(4) |> upsample(2)) |> bn |> conv(12, k = 1x1)
  output y = concat(d, b |> upsample(2)) |> conv(5)
  output z = c |> conv(3)""",
    "shuffle": """
  let a = frame |> cbr(20) |> unit * 3
  let b = concat(a, frame |> conv(12)) |> unit * 2
  output y = concat(b |> conv(6), a) |> conv(8)""",
    "halves": """
  let a = frame |> cbr(16)
  let b = (a |> channels(0, 7)) + (a |> channels(8, 15))
  let c = a |> channels(3, 12) |> conv(10)
  output y = concat(b |> conv(8), c |> channels(2, 5) |> conv(4), a |> halves |> conv(3))""",
    "vector": """
  let a = frame |> cbr(12, s = 2) |> cbr(8, s = 2)
  let b = a |> flatten |> linear(20) |> relu |> dropout(0.5)
  let c = concat(a |> flatten, a |> avgpool(global = true) |> flatten, b) |> linear(16) |> reshape([16, 1, 1])
  output y = c |> conv(9, k = 1x1) |> flatten |> linear(10)""",
    "grouped": """
  let a = frame |> cbr(16)
  let b = a |> conv(24, groups = 4, bias = false) |> bn |> relu
  output y = concat(b, a) |> conv(20, groups = 2) |> conv(8)""",
    "shared": """
  let f = cbr(12)
  let g = cbr(8) |> conv(12)
  let a = frame |> conv(12)
  let b = frame |> conv(12) |> maxpool(2x2)
  output y = [a |> f |> g |> f |> conv(5), b |> f |> g |> conv(5)]
  output z = a |> conv(4) |> softmax""",
    "neurons": """
  let a = frame |> neuron.encode |> kp(16) |> kp(32, s = 2) |> kp(24)
  let b = concat(a |> kp(12) |> unpool(2), frame |> kp(10))
  output y = b |> kp(16, groups = 2) |> conv(6, k = 1x1, bias = false) |> neuron.sigma""",
}
KP = """
block kp(x, c, s = 1, groups = 1) = x
  |> conv(c, s = s, groups = groups, bias = false, weight_norm = true, gain = 3)
  |> neuron.sigma_delta(threshold = 0.1, activation = relu, norm = mean_only_batch)
"""


def program_of(folder: Path, text: str, share: str, rest: str = "") -> Program:
    path = folder / "net.det"
    path.write_text(f"{text}\nmodel small = prune(net, channels = {share}{rest})\n", encoding="utf-8")
    program = elaborate(path)
    assert not [f for f in program.findings if f.level == "error"], program.findings
    return program


def spec(body: str) -> str:
    head = f"param act = relu\ndefault bn {{ eps = 1e-3 }}\n{BLOCKS}{EXTRA}{KP}"
    return f"{head}model net extends detector {{\n  input frame: u8[3, 16, 16]\n{body}\n}}\n"


def module(model: Model) -> nn.Module:
    scope: dict[str, Any] = {}
    exec(compile(model_source(model, "Net"), "model.py", "exec"), scope)
    made: nn.Module = scope["Net"]().double().eval()
    return made


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics as of a trained net: none is zero, no variance is tiny."""
    torch.manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(("threshold", "decay")):
            if name.endswith(("var", "weight_g")):
                tensor.copy_(torch.rand_like(tensor) + 0.5)
            else:  # of a size that keeps the net's numbers where they are, layer after layer
                tensor.copy_(torch.randn_like(tensor) / max(1, tensor[0].numel()) ** 0.5)
    return net


def masked(weights: dict[str, Tensor], plan: Derived, kept: list[list[int]]) -> dict[str, Tensor]:
    """The whole net's weights with zeros wherever a layer reads a dropped channel."""
    units = _Units(weights, plan)
    result = {name: tensor.clone() for name, tensor in weights.items()}
    for axis in plan.axes:
        if axis.axis != 1:
            continue
        tensor = result[axis.tensor]
        used = set(units.sources(axis, kept))
        wide = tensor.shape[1]
        whole = tensor.flatten(1).norm(dim=1)
        for place in range(wide * axis.groups):
            if place not in used:
                group, column = divmod(place, wide)
                rows = tensor.chunk(axis.groups)[group]
                rows[:, column] = 0
        if axis.tensor.endswith("weight_v"):
            result[axis.tensor.replace("weight_v", "weight_g")] *= (tensor.flatten(1).norm(dim=1) / whole)[
                :, None, None, None
            ]
    return result


def tensors(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return [tensor for value in values for tensor in tensors(value)]


def check(program: Program, origin: str = "net", criterion: str = "l2", batch: int = 2) -> None:
    whole, small = program.models[origin], program.models["small"]
    raw = lock_of(program, small, small.graph, None, None)["model"]["derived"]
    plan = Derived.model_validate(raw)
    big, narrow = randomised(module(whole)), module(small)
    x = torch.rand(batch, *whole.graph.inputs[0].type.shape, dtype=torch.float64)
    weights = big.state_dict()
    result = cut(weights, plan, criterion)
    own = narrow.state_dict()
    narrow.load_state_dict({name: tensor for name, tensor in result.weights.items() if name in own})
    with torch.no_grad():
        big.load_state_dict(masked(weights, plan, result.kept))
        pairs = list(zip(tensors(big(x)), tensors(narrow(x)), strict=True))
    assert any(expected.abs().max() > 1e-6 for expected, _ in pairs)
    for expected, found in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))


@pytest.mark.parametrize("share", ["0.3", "0.5"])
@pytest.mark.parametrize("name", NETS)
def test_a_pruned_net_is_the_masked_whole_net(tmp_path: Path, name: str, share: str) -> None:
    program = program_of(tmp_path, spec(NETS[name]), share)
    whole, small = program.models["net"].graph, program.models["small"].graph
    assert small.params() < 0.9 * whole.params()
    check(program)


@pytest.mark.parametrize("share", ["0.3", "0.5"])
def test_copies_of_a_channel_keep_their_order_through_a_shuffle(tmp_path: Path, share: str) -> None:
    """Both outputs read t: halves deals the four copies of each of its channels out among new ones."""
    body = """
  let t = frame |> conv(4)
  output y = t |> space_to_depth(2) |> halves |> conv(5)
  output z = t"""
    check(program_of(tmp_path, spec(body), share))


@pytest.mark.parametrize(("seed", "share"), [(seed, share) for seed in range(12) for share in ("0.4",)])
def test_random_nets(tmp_path: Path, seed: int, share: str) -> None:
    check(program_of(tmp_path, random_spec(seed), share), criterion=("l1", "l2", "random")[seed % 3])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_many_random_nets(tmp_path: Path, seed: int) -> None:
    check(program_of(tmp_path, random_spec(seed), ("0.3", "0.5", "0.8")[seed % 3], f", multiple = {1 + seed % 4}"))


def library(folder: Path, name: str, share: str, sets: dict[str, str]) -> tuple[Program, str]:
    """A library spec with its pruned model beside it."""
    text = (LIBRARY / f"{name}.det").read_text(encoding="utf-8")
    model = text.partition("\nmodel ")[2].split()[0]
    path = folder / f"{name}.det"
    path.write_text(f"{text}\nmodel small = prune({model}, channels = {share})\n", encoding="utf-8")
    return elaborate(path, sets), model


@pytest.mark.long
@pytest.mark.parametrize("share", ["0.3", "0.5"])
@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("st_yolodv2milli", {"image": "64"}),
        ("yolo_kp", {}),
        ("yolo_kp_dual_head", {}),
        ("nanodet_plus_m", {"image": "64"}),
        ("ssdlite_mobilenetv2", {}),
        ("ssdlite_mobilenetv3small", {}),
        ("yolov1_tiny", {}),
        ("yolov3_tiny", {"image": "64"}),
        ("gnetdet224", {"image": "64", "bn": "true"}),
        ("yolox_nano", {"image": "64"}),
    ],
)
def test_the_library_prunes(tmp_path: Path, name: str, sets: dict[str, str], share: str) -> None:
    program, model = library(tmp_path, name, share, sets)
    assert not [f for f in program.findings if f.level != "note"], program.findings
    check(program, model, batch=1)


def test_half_of_yolo_kp_is_yolo_kp4(tmp_path: Path) -> None:
    """The net of the public pruning script, channel for channel: 3.86 times fewer parameters, 3.83 times fewer MACs."""
    program, model = library(tmp_path, "yolo_kp", "1 / 2", {})
    whole, small = program.models[model].graph, program.models["small"].graph
    published = next(iter(elaborate(LIBRARY / "yolo_kp4.det").models.values())).graph
    assert [(n.op, n.type) for n in small] == [(n.op, n.type) for n in published]
    assert (small.params(), small.macs()) == (934_500, 275_717_120)
    assert (whole.params(), whole.macs()) == (3_604_916, 1_055_602_688)
