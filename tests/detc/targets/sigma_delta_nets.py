"""Sigma-delta nets by hand, their judgement, and what Intel's compiler printed of two nets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gti_nets import codes, load_target

from detc.diagnostics import Span
from detc.ir.graph import Graph, Node
from detc.ir.op import Op, Problem
from detc.ir.ops.combine import Flatten
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.neuron import Encode, Sigma, SigmaDelta
from detc.ir.ops.source import Input
from detc.ir.types import TensorType
from detc.passes.context import Context
from detc.passes.pipeline import FRONT, LOWERING, run
from detc.semantics.program import Model, Target
from detc.targets import backend_of
from detc.targets.backend import Judgement

WEIGHTS = ("fixed", 8, 64)

YOLO_KP = [
    # channels out, kernel, stride, cores (lava-dl tutorials, netx/yolo_kp/run.ipynb, `Per core utilization`)
    (16, 3, 2, 224), (32, 3, 2, 112), (64, 3, 2, 56), (128, 3, 2, 28), (256, 3, 1, 56), (256, 3, 2, 16), (512, 3, 1, 32),
    (256, 1, 1, 14), (512, 3, 1, 32), (48, 1, 1, 4),
]  # fmt: skip
MNIST = [(128, 3), (64, 1), (10, 1)]
"""Outputs and cores of the dense net of 784 inputs (lava-dl tutorials, netx/mnist/run.ipynb)."""


SPEC = """use std.sdnn as sdnn

param image: int = 448

model kp extends detector {
  input clip: u8[3, image, image] = frames(steps = 32, order = rgb, mean = imagenet.mean, std = imagenet.std)
  output p = clip |> sdnn.single_head(16, 11)
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 11 }
}
"""
"""yolo_kp with the classes of BDD100K, for which cores are published."""


def spec_of(folder: Path, more: str = "") -> Path:
    """The file kp.det with SPEC and `more`."""
    path = folder / "kp.det"
    path.write_text(SPEC + more, encoding="utf-8")
    return path


class Chain:
    """A net under construction: `chain.encode().layer(16).head(10)`; names are e1, c1, n1, d1, f1, s1 .. in order."""

    def __init__(self, height: int = 14, width: int = 0, channels: int = 3, **fields: Any) -> None:
        self.graph = Graph("net")
        shape = fields.pop("shape", (channels, height, width or height))
        op = Input(**{"shape": shape, "steps": 8, "scale": 255.0, **fields})
        self.graph.add(Node("clip", op, (), TensorType(shape, op.dtype), Span("net.det", 1, 1, 1, 9)))
        self.last = "clip"
        self.counts: dict[str, int] = {}

    def put(self, letter: str, op: Op, *inputs: str) -> Chain:
        self.counts[letter] = self.counts.get(letter, 0) + 1
        names = inputs or (self.last,)
        type = op.infer([self.graph[n].type for n in names])
        assert isinstance(type, TensorType) and not isinstance(type, Problem), type
        name = f"{letter}{self.counts[letter]}"
        self.graph.add(Node(name, op, names, type, Span("net.det", len(self.graph) + 1, 1, len(self.graph) + 1, 9)))
        self.last = name
        return self

    def encode(self, threshold: float = 0.125, **fields: Any) -> Chain:
        return self.put("e", Encode(threshold, **fields))

    def neurons(self, **fields: Any) -> Chain:
        return self.put("n", SigmaDelta(**{"threshold": 0.125, "activation": "relu", **fields}))

    def conv(self, channels: int, k: int = 3, s: int = 1, **fields: Any) -> Chain:
        given = {"k": (k, k), "stride": (s, s), "pad": (k // 2, k // 2), "bias": False, "weights": WEIGHTS} | fields
        return self.put("c", Conv(channels, **given))

    def layer(self, channels: int, k: int = 3, s: int = 1, **fields: Any) -> Chain:
        """A conv and its neurons."""
        return self.conv(channels, k, s, **fields).neurons()

    def linear(self, features: int, **fields: Any) -> Chain:
        return self.put("d", Linear(features, **{"bias": False, "weights": WEIGHTS, **fields}))

    def dense(self, features: int) -> Chain:
        return self.linear(features).neurons()

    def flatten(self) -> Chain:
        return self.put("f", Flatten())

    def put_from(self, name: str) -> Chain:
        """The same net, to go on from that node."""
        self.last = name
        return self

    def sigma(self) -> Chain:
        return self.put("s", Sigma())

    def head(self, channels: int) -> Chain:
        """A 1x1 conv, or a dense layer, that is read out."""
        is_map = self.graph[self.last].type.is_map
        return (self.conv(channels, 1) if is_map else self.linear(channels)).sigma()

    def done(self) -> Graph:
        if not self.graph.outputs:
            self.graph.outputs["p"] = (self.last,)
        return self.graph


def small() -> Chain:
    return Chain().encode().layer(8).head(4)


def yolo_kp(size: int = 448) -> Chain:
    chain = Chain(size).encode()
    for channels, k, s, _ in YOLO_KP[:-1]:
        chain.layer(channels, k, s)
    return chain.head(YOLO_KP[-1][0])


def mnist() -> Chain:
    chain = Chain(28, channels=1).encode().flatten()
    for features, _ in MNIST[:-1]:
        chain.dense(features)
    return chain.head(MNIST[-1][0])


def judge(chain: Chain | Graph, target: Target, host: frozenset[str] = frozenset()) -> Judgement:
    graph = chain.done() if isinstance(chain, Chain) else chain
    lowered, _ = run(graph, (*FRONT, *LOWERING), Context(target, host))
    known = backend_of((*target.lineage, "loihi2"))
    assert known is not None
    return known.judge(lowered, Model("net", "detector", graph, [], host=host), target)


def cores(judgement: Judgement) -> list[int]:
    """The cores of each layer of the only net."""
    assert judgement.plan is not None
    (net,) = judgement.plan["nets"]
    return [layer["cores"] for layer in net["layers"] if "cores" in layer]


def found(judgement: Judgement, code: str) -> Any:
    return next(finding for finding in judgement.findings if finding.code == code)


__all__: Sequence[str] = ("Chain", "codes", "cores", "found", "judge", "load_target", "mnist", "small", "yolo_kp")
