"""ONNX networks as specs: what they compute is what onnxruntime computes, in every operator and in functions of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detc.importers.network.importing import Imported, import_network
from detc.importers.network.weights_file import write_weights
from detc.ir.text import print_node
from detc.ir.verify import verify
from foreign_nets import onnx_file, onnx_outputs
from generated_nets import compiled, generated

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")


def imported(path: Path, outputs: tuple[str, ...] = ()) -> Imported:
    found = import_network(path, outputs, "net")
    assert not isinstance(found, list), [finding.message for finding in found]
    return found


def rebuilt(found: Imported, folder: Path) -> Any:
    """The spec written, compiled and generated, with the weights that were written beside it."""
    from safetensors.torch import load_file

    spec, weights = folder / "net.det", folder / "net.safetensors"
    spec.write_text(found.text)
    write_weights(weights, found.weights, found.ranges)
    model = compiled(spec)
    assert sorted(map(print_node, model.graph)) == sorted(map(print_node, verify(found.graph)))
    assert {k: v for k, v in model.graph.outputs.items()} == found.graph.outputs
    module = generated(model)()
    left = module.load_state_dict(load_file(weights), strict=False)
    assert not left.unexpected_keys and not [k for k in left.missing_keys if "num_batches" not in k]
    return module.eval()


def outputs_of(module: Any, x: Any) -> list[Any]:
    with torch.no_grad():
        given = module(torch.from_numpy(x))
    flat: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            flat.append(value.numpy())
        else:
            for one in value.values() if isinstance(value, dict) else value:
                walk(one)

    walk(given)
    return flat


def same(path: Path, folder: Path, shape: tuple[int, ...] = (1, 3, 12, 16)) -> Imported:
    """What ours gives is what onnxruntime gives."""
    found = imported(path)
    x = np.random.default_rng(5).normal(0, 1, shape).astype(np.float32)
    ours, theirs = outputs_of(rebuilt(found, folder), x), onnx_outputs(path, x)
    assert len(ours) == len(theirs)
    for mine, truth in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.reshape(-1), truth.reshape(-1), rtol=1e-4, atol=1e-4)
    return found


W = {"w": (8, 3, 3, 3), "b": (8,)}
CONV = "a = Conv <pads=[1, 1, 1, 1]> (x, w, b)\n"
SE = {"s": (4, 8, 1, 1), "t": (8, 4, 1, 1)}
THREE, SIX = np.array(3, np.float32), np.array(6, np.float32)
ERF = {"root": np.array(2**0.5, np.float32), "one": np.array(1, np.float32), "half": np.array(0.5, np.float32)}
NETS: dict[str, tuple[str, dict[str, Any], str]] = {
    "conv": ("y = Conv <strides=[2, 1], pads=[1, 0, 1, 2], dilations=[1, 2]> (x, w, b)", W, "conv"),
    "pads above": ("y = Conv <pads=[2, 1, 0, 1]> (x, w)", W, "pad conv"),
    "SAME_UPPER": ('y = Conv <auto_pad="SAME_UPPER", strides=[2, 2]> (x, w, b)', W, "conv"),
    "groups": (CONV + "y = Conv <group=4> (a, v)", W | {"v": (12, 2, 3, 3)}, "conv conv"),
    "depthwise": (CONV + "y = Conv <group=8, pads=[1, 1, 1, 1]> (a, v)", W | {"v": (8, 1, 3, 3)}, "conv conv"),
    "pad and conv": (
        "p = Pad(x, pads)\ny = Conv <strides=[2, 2]> (p, w, b)",
        W | {"pads": np.array([0, 0, 0, 0, 0, 0, 1, 1])},
        "conv",
    ),
    "pad alone": ("y = Pad(x, pads)", {"pads": np.array([0, 0, 2, 1, 0, 0, 0, 3])}, "pad"),
    "shared": (
        CONV + "c = Conv <pads=[1, 1, 1, 1]> (a, v)\ny = Conv <pads=[1, 1, 1, 1]> (c, v)",
        W | {"v": (8, 8, 3, 3)},
        "conv conv conv",
    ),
    "bn": (
        CONV + "c = BatchNormalization <epsilon=0.001> (a, g, h, m, v)\ny = LeakyRelu <alpha=0.2> (c)",
        W | {"g": (8,), "h": (8,), "m": (8,), "v": np.linspace(0.5, 2, 8, dtype=np.float32)}, "conv bn leaky",
    ),
    "clips": (
        CONV + "c = Clip(a, zero, six)\nd = Clip(a, zero)\ny = Add(c, d)",
        W | {"zero": np.array(0, np.float32), "six": SIX},
        "conv relu relu add",
    ),
    "silu": (CONV + "s = Sigmoid(a)\ny = Mul(s, a)", W, "conv silu"),
    "hard swish": (CONV + "h = HardSigmoid <alpha=0.16666667> (a)\ny = Mul(a, h)", W, "conv hswish"),
    "hard swish in parts": (
        CONV + "c = Add(a, three)\nd = Clip(c, zero, six)\ne = Mul(a, d)\ny = Div(e, six)",
        W | {"three": THREE, "six": SIX, "zero": np.array(0, np.float32)}, "conv hswish",
    ),
    "hard swish in other parts": (
        CONV + "c = Add(a, three)\nd = Clip(c, zero, six)\ne = Div(d, six)\ny = Mul(a, e)",
        W | {"three": THREE, "six": SIX, "zero": np.array(0, np.float32)}, "conv hswish",
    ),
    "gelu as torch writes it": (
        CONV + "c = Div(a, root)\nd = Erf(c)\ne = Add(d, one)\nf = Mul(a, e)\ny = Mul(f, half)", W | ERF, "conv gelu"
    ),
    "gelu in other orders": (
        CONV + "c = Mul(half, a)\nd = Div(a, root)\ne = Erf(d)\nf = Add(one, e)\ng = Mul(c, f)\n"
        "h = Div(g, root)\ni = Erf(h)\nj = Add(i, one)\nk = Mul(half, j)\ny = Mul(k, g)", W | ERF, "conv gelu gelu",
    ),
    "activations": (CONV + "c = Tanh(a)\nd = HardSwish(c)\ny = Sigmoid(d)", W, "conv tanh hswish sigmoid"),
    "squeeze and excitation": (
        CONV + "g = GlobalAveragePool(a)\nc = Conv(g, s)\nd = Relu(c)\ne = Conv(d, t)\n"
        "f = HardSigmoid <alpha=0.16666667> (e)\ny = Mul(f, a)",
        W | SE, "conv avgpool conv relu conv hsigmoid mul",
    ),
    "pools": (
        CONV + "c = MaxPool <kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]> (a)\n"
        "y = AveragePool <kernel_shape=[2, 2], strides=[2, 2]> (c)", W, "conv maxpool avgpool",
    ),
    "ceil": ("y = MaxPool <kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1> (x)", {}, "maxpool"),
    "nearest": ('y = Resize <mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"> (x, , f)',
                {"f": np.array([1, 1, 2, 3], np.float32)}, "upsample"),
    "bilinear": ('y = Resize <mode="linear"> (x, , , f)', {"f": np.array([1, 3, 24, 32])}, "upsample"),
    "concat and split": (
        CONV + "p, q = Split <axis=1> (a, n)\nr = Relu(q)\ny = Concat <axis=1> (r, p, a)", W | {"n": np.array([3, 5])},
        "conv channels relu channels concat",
    ),
    "slice": (
        CONV + "y = Slice(a, i, j, k)",
        W | {"i": np.array([2]), "j": np.array([100]), "k": np.array([1])},
        "conv channels",
    ),
    "every second": (
        "y = Slice(x, i, j, k, l)",
        {"i": np.array([0, 0]), "j": np.array([99, 99]), "k": np.array([2, 3]), "l": np.array([2, 2])},
        "samplepool",
    ),
    "shuffle": (
        CONV + "c = Reshape(a, s)\nd = Transpose <perm=[0, 2, 1, 3, 4]> (c)\ny = Reshape(d, r)",
        W | {"s": np.array([1, 2, 4, 12, 16]), "r": np.array([0, 8, 12, 16])}, "conv shuffle",
    ),
    "half of a shuffle": (
        CONV + "c = Reshape(a, s)\nd = Transpose <perm=[0, 2, 1, 3, 4]> (c)\ne = Reshape(d, r)\n"
        "f, g = Split <axis=1> (e, h)\ny = Mul(f, g)",
        W | {"s": np.array([1, 2, 4, 12, 16]), "r": np.array([0, 8, 12, 16]), "h": np.array([4, 4])},
        "conv shuffle channels channels mul",
    ),
    "focus": (
        "a = Slice(x, o, e, k, t)\nb = Slice(x, p, e, k, t)\nc = Slice(x, q, e, k, t)\nd = Slice(x, r, e, k, t)\n"
        "y = Concat <axis=1> (a, b, c, d)",
        {"o": np.array([0, 0]), "p": np.array([1, 0]), "q": np.array([0, 1]), "r": np.array([1, 1]),
         "e": np.array([99, 99]), "k": np.array([2, 3]), "t": np.array([2, 2])}, "space_to_depth",
    ),
    "flat": (
        CONV + "f = Flatten(a)\ny = Gemm <transB=1, alpha=0.5, beta=2.0> (f, g, h)",
        W | {"g": (5, 1536), "h": (5,)},
        "conv flatten linear",
    ),
    "flat, channels last": (
        CONV + "t = Transpose <perm=[0, 2, 3, 1]> (a)\nf = Reshape(t, s)\ng = MatMul(f, m)\ny = Add(g, h)",
        W | {"m": (1536, 5), "h": (5,), "s": np.array([1, -1])}, "conv flatten linear",
    ),
    "mean": (
        CONV + "c = ReduceMean <axes=[2, 3], keepdims=0> (a)\ny = Gemm <transB=1> (c, g)",
        W | {"g": (5, 8)},
        "conv avgpool flatten linear",
    ),
    "unfolded norm": (CONV + "c = Mul(a, m)\nd = Add(c, n)\ny = Relu(d)", W | {"m": (1, 8, 1, 1), "n": (8, 1, 1)}, "conv relu"),
    "affine of a sum": (CONV + "c = Add(a, a)\ny = Sub(one, c)", W | {"one": np.ones(1, np.float32)}, "conv add bn"),
    "sum of three": (CONV + "c = Relu(a)\nd = Tanh(a)\ny = Sum(a, c, d)", W, "conv relu tanh add add"),
    "there and back": (
        CONV + "c = Transpose <perm=[0, 2, 3, 1]> (a)\nd = Relu(c)\ny = Transpose <perm=[0, 3, 1, 2]> (d)",
        W,
        "conv relu",
    ),
    "numbers of shapes": (
        CONV + "s = Shape(a)\ni = Constant <value_ints=[0]> ()\nn = Gather(s, i)\nl = Constant <value_ints=[-1]> ()\n"
        "j = Concat <axis=0> (n, l)\nf = Reshape(a, j)\ny = Gemm <transB=1> (f, g)", W | {"g": (2, 1536)}, "conv flatten linear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_operators(name: str, tmp_path: Path) -> None:
    body, weights, layers = NETS[name]
    found = same(onnx_file(tmp_path / "net.onnx", body, **weights), tmp_path)
    assert " ".join(node.op.name for node in found.graph if node.op.name != "input") == layers


@pytest.mark.parametrize(
    "body",
    [
        "c = Div(a, root)\nd = Erf(c)\ne = Add(d, one)\nf = Mul(a, e)\ny = Mul(f, one)",  # twice as much
        "c = Div(a, root)\nd = Erf(c)\ne = Add(d, one)\nf = Mul(a, e)\ny = Mul(f, half)\nz = Relu(d)",  # erf is read
        "c = Div(root, a)\nd = Erf(c)\ne = Add(d, one)\nf = Mul(a, e)\ny = Mul(f, half)",
        "y = Erf(a)",
    ],
)
def test_what_only_looks_like_a_gelu_is_told(body: str, tmp_path: Path) -> None:
    found = import_network(onnx_file(tmp_path / "net.onnx", CONV + body, **(W | ERF)))
    assert isinstance(found, list) and "Erf at `" in found[0].message


def test_weights_that_two_layers_share_are_stored_once(tmp_path: Path) -> None:
    body, weights, _ = NETS["shared"]
    found = imported(onnx_file(tmp_path / "net.onnx", body, **weights))
    assert [node.module for node in found.graph][2:] == ["", "c"]
    assert sorted(found.weights) == ["a.bias", "a.weight", "c.weight"]


def test_a_file_that_scales_pictures_itself(tmp_path: Path) -> None:
    """(x / 255 - mean) / std before the first layer becomes the encoding of the input."""
    body = "a = Div(x, full)\nc = Sub(a, m)\nd = Div(c, s)\ny = Conv(d, w)"
    mean, std = np.array([0.4, 0.5, 0.6], np.float32).reshape(3, 1, 1), np.full((3, 1, 1), 0.25, np.float32)
    found = imported(
        onnx_file(tmp_path / "net.onnx", body, w=(4, 3, 3, 3), m=mean, s=std, full=np.array(255, np.float32))
    )
    assert "mean = [102, 127.5, 153], std = [63.75, 63.75, 63.75]" in " ".join(found.text.split())
    assert [node.op.name for node in found.graph] == ["input", "conv"]


# ---- quantised ------------------------------------------------------------------------------------------------------


def numbers(**given: tuple[float, int]) -> dict[str, Any]:
    """Scales and zero points as constants: `x` gives xs and xz."""
    found: dict[str, Any] = {}
    for name, (scale, zero) in given.items():
        found |= {f"{name}s": np.array(scale, np.float32), f"{name}z": np.array(zero, np.int8)}
    return found


Q = np.random.default_rng(1).integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)
WS = np.linspace(0.005, 0.01, 8, dtype=np.float32)
BIAS = np.arange(-400, 400, 100, dtype=np.int32)
ACT = numbers(x=(0.03, 5), a=(0.06, -128), c=(0.12, -60), v=(0.004, 0))
QDQ = """xq = QuantizeLinear(x, xs, xz)
    xd = DequantizeLinear(xq, xs, xz)
    wd = DequantizeLinear <axis=0> (w, ws, wz)
    bd = DequantizeLinear <axis=0> (b, bs, bz)
    a = Conv <pads=[0, 0, 1, 1], strides=[2, 2]> (xd, wd, bd)
    r = Relu(a)
    rq = QuantizeLinear(r, as, az)
    rd = DequantizeLinear(rq, as, az)
    s = Sigmoid(a)
    sq = QuantizeLinear(s, cs, cz)
    sd = DequantizeLinear(sq, cs, cz)
    y = Add(rd, sd)"""
QOPERATOR = """xq = QuantizeLinear(x, xs, xz)
    aq = QLinearConv <pads=[0, 0, 1, 1], strides=[2, 2]> (xq, xs, xz, w, ws, wz, as, az, b)
    sq = com.microsoft.QLinearSigmoid(aq, as, az, cs, cz)
    mq = com.microsoft.QLinearMul(aq, as, az, sq, cs, cz, as, az)
    nq = com.microsoft.QLinearAdd(mq, as, az, aq, as, az, cs, cz)
    oq = com.microsoft.QLinearConcat <axis=1> (as, az, nq, cs, cz, aq, as, az)
    gq = com.microsoft.QLinearGlobalAveragePool(oq, as, az, cs, cz)
    g = DequantizeLinear(gq, cs, cz)
    f = Flatten(g)
    fq = QuantizeLinear(f, cs, cz)
    eq = com.microsoft.QGemm <transB=1> (fq, cs, cz, v, vs, vz, e, as, az)
    y = DequantizeLinear(eq, as, az)"""


@pytest.mark.parametrize("body", [QDQ, QOPERATOR], ids=["QDQ", "QOperator"])
def test_quantised_files_give_their_weights_and_ranges(body: str, tmp_path: Path) -> None:
    """Weights are the file's whole numbers times their scales, exactly; ranges those of its 8 bits; and what the float net
    gives is near to what the file gives."""
    gemm = {"v": Q.reshape(-1)[:64].reshape(4, 16), "e": np.arange(4, dtype=np.int32)}
    more = {"ws": WS, "wz": np.zeros(8, np.int8), "bs": WS * np.float32(0.03), "bz": np.zeros(8, np.int32)}
    path = onnx_file(tmp_path / "net.onnx", body, w=Q, b=BIAS, **more, **ACT, **gemm)
    found = imported(path)
    weight = next(lazy for name, lazy in found.weights.items() if name.endswith("weight"))()
    assert (weight == (Q.astype(np.float64) * WS.astype(np.float64)[:, None, None, None]).astype(np.float32)).all()
    assert found.ranges["frame"] == pytest.approx((-133 * 0.03, 122 * 0.03))
    low, high = (0, 255 * 0.06)
    assert (low, high) in [tuple(pytest.approx(end) for end in ends) for ends in found.ranges.values()]
    x = np.random.default_rng(5).normal(0, 1, (1, 3, 12, 16)).astype(np.float32)
    ours, theirs = outputs_of(rebuilt(found, tmp_path), x), onnx_outputs(path, x)
    assert np.abs(ours[0].reshape(-1) - theirs[0].reshape(-1)).max() < 0.5  # a few steps of 0.06


# ---- heads ----------------------------------------------------------------------------------------------------------


def levels(squash: bool) -> tuple[str, dict[str, Any]]:
    """Three maps at strides 8, 16, 32, each box (4), object (1) and 3 classes one behind the other, as YOLOX exports them."""
    lines, source = [], "x"
    for number, stride in enumerate((8, 2, 2)):
        n, k = number, f"kernel_shape=[{stride}, {stride}], strides=[{stride}, {stride}]"
        lines.append(f"m{n} = MaxPool <{k}> ({source})")
        source = f"m{n}"
        for part in ("box", "obj", "cls"):
            lines.append(f"{part}{n} = Conv({source}, w{part})")
        if squash:
            lines += [f"so{n} = Sigmoid(obj{n})", f"sc{n} = Sigmoid(cls{n})"]
        parts = f"box{n}, so{n}, sc{n}" if squash else f"box{n}, obj{n}, cls{n}"
        lines.append(f"{'o' if squash else 'y'}{n} = Concat <axis=1> ({parts})")
        if squash:
            lines.append(f"r{n} = Reshape(o{n}, rows)")
    if squash:
        lines += ["all = Concat <axis=2> (r0, r1, r2)", "y = Transpose <perm=[0, 2, 1]> (all)"]
    return "\n".join(lines), {
        "wbox": (4, 3, 1, 1), "wobj": (1, 3, 1, 1), "wcls": (3, 3, 1, 1), "rows": np.array([1, 8, -1]),
    }  # fmt: skip


def test_a_yolox_tail_becomes_its_head(tmp_path: Path) -> None:
    body, weights = levels(squash=True)
    found = imported(onnx_file(tmp_path / "net.onnx", body, (1, 3, 64, 64), **weights))
    assert {name: len(nodes) for name, nodes in found.graph.outputs.items()} == {"box": 3, "obj": 3, "cls": 3}
    assert "head yolox on box, obj, cls" in found.text and "classes = 3" in found.text
    rebuilt(found, tmp_path)
    body, weights = levels(squash=False)
    found = imported(onnx_file(tmp_path / "net.onnx", body, (1, 3, 64, 64), **weights))
    assert "head yolo_v2 on maps" in found.text and list(found.graph.outputs) == ["maps"]


def test_a_classifier_loses_its_softmax(tmp_path: Path) -> None:
    body = "a = GlobalAveragePool(x)\nb = Flatten(a)\nc = Gemm <transB=1> (b, w)\ny = Softmax(c)"
    found = imported(onnx_file(tmp_path / "net.onnx", body, w=(7, 3)))
    assert "extends classifier" in found.text and "head softmax on logits { classes = 7 }" in found.text
    assert [node.op.name for node in found.graph] == ["input", "avgpool", "flatten", "linear"]


def test_the_tail_of_an_ultralytics_export_is_told_with_where_to_cut(tmp_path: Path) -> None:
    """Boxes as distributions over 16 bins (DFL): raw maps one behind the other, then arithmetic that no net here has."""
    body = """a = MaxPool <kernel_shape=[8, 8], strides=[8, 8]> (x)
        b = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (a)
        head0 = Conv(a, w)
        head1 = Conv(b, w)
        r0 = Reshape(head0, rows)
        r1 = Reshape(head1, rows)
        all = Concat <axis=2> (r0, r1)
        box, cls = Split <axis=1> (all, n)
        bins = Reshape(box, four)
        turned = Transpose <perm=[0, 2, 1, 3]> (bins)
        soft = Softmax <axis=1> (turned)
        dist = Conv(soft, dfl)
        s = Sigmoid(cls)
        y = Concat <axis=1> (dist, s)"""
    path = onnx_file(
        tmp_path / "yolo.onnx", body, (1, 3, 64, 64), w=(66, 3, 1, 1), dfl=(1, 16, 1, 1), rows=np.array([1, 66, -1]),
        n=np.array([64, 2]), four=np.array([1, 4, 16, -1]),
    )  # fmt: skip
    found = import_network(path)
    assert isinstance(found, list) and found[0].help == "cut the net before them: `--outputs head0,head1`"
    cut = imported(path, ("head0", "head1"))
    assert [node.type.shape for name in cut.graph.output_nodes for node in [cut.graph[name]]] == [
        (66, 8, 8),
        (66, 4, 4),
    ]
    rebuilt(cut, tmp_path)
