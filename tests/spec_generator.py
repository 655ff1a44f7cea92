"""Specs by chance, for property tests and `make fuzz`: whole detectors that make sense, and two ways to spoil them.

Everything is drawn from a `random.Random`, so a failing case is named by its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from detc.diagnostics import Source
from detc.syntax import tree
from detc.syntax.parser import parse
from detc.syntax.source_text import file_text

_SPICE = (
    b"(", b")", b"[", b"]", b"{", b"}", b'"', b"'", b"#", b"##", b"@", b"|>", b"..", b"=", b"==", b",", b";", b"\\", b"\n",
    b"\r\n", b"\t", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", "\u202e".encode(), "\u00e9".encode(), "\U0001f600".encode(),
    b"0x", b"1e999", b"9" * 60, b" KiB",
    b" bitz", b"3x", b"-", b"not ", b"if ", b"then ", b"else ", b"for ", b"in ", b"use ", b"where ", b"extends ", b"none",
)  # fmt: skip


def spec(rng: Random) -> str:
    """A detector of a few pipeline stages, most of them legal for a small chip, with data and training now and then."""
    lines = [f"param classes: int = {rng.randint(1, 40)}", f"param width: float = {rng.choice(['1.0', '0.5', '0.25'])}"]
    bits = rng.choice([1, 3, 8])
    lines += [
        "",
        f"block layer(x, c, bits = {bits} bits) =",
        "  x |> conv(c, k = 3x3, pad = 1, weights = masked(bits)) |> relu(cap = 31)",
    ]
    lines += [
        "",
        "block stage(x, n, c) {",
        "  let wide = x |> layer(c) * n",
        "  output y = wide |> maxpool(2x2)",
        "}",
        "",
    ]
    side = rng.choice([224, 448, 448, 112])
    lines += [
        "model net extends detector {",
        f"  input frame: u8[3, {side}, {side}] = camera(order = {rng.choice(['bgr', 'rgb'])})",
    ]
    source, boxes = "frame", rng.randint(1, 3)
    for number in range(1, rng.randint(2, 6)):
        channels = rng.choice([16, 32, 64, 128])
        stage = rng.choice(
            [f"stage({rng.randint(1, 3)}, {channels})", f"layer({channels})", f"layer({channels}) |> maxpool(2x2)"]
        )
        name = f"p{number}"
        lines.append(f"  let {name} = {source} |> {stage}")
        if rng.random() < 0.2:
            lines.append(f"  let q{number} = if {name}.channels == {channels} then {name} else {source}")
        source = name
    lines += [
        f"  output grid = {source} |> layer({boxes} * 5 + classes, bits = 8 bits)",
        f"  head gnetdet on grid {{ boxes = {boxes}  classes = classes }}",
        "}",
    ]
    if rng.random() < 0.7:
        lines += [
            "",
            'data pictures = data.voc(root = path("pictures"), classes = ["car", "bus"], train = "train", val = "val")',
        ]
        lines += [
            "",
            "train steps on net {",
            "  data = pictures  batch = 16  optimizer = sgd(lr = 1e-3, momentum = 0.9)",
        ]
        lines += [f"  stage float {{ epochs = {rng.randint(1, 50)}  schedule = step(every = 10 epochs, gamma = 0.1) }}"]
        lines += ["  stage weights { start = float.best  quantize weights = masks  lr = 1e-4  epochs = 5 }", "}"]
    if rng.random() < 0.3:
        lines += _timed(rng)
    if rng.random() < 0.5:
        lines += ["", f"deploy stick on gti5801 {{ model = net  require weight_bytes <= {rng.randint(1, 9)} MiB }}"]
    return "\n".join(lines) + "\n"


def _timed(rng: Random) -> list[str]:
    """A net of sigma-delta neurons, and stages of it that run in time."""
    neuron = f"neuron.sigma_delta(activation = relu, norm = mean_only_batch, delay = {rng.randint(0, 3)} steps)"
    return [
        "",
        "model kp extends detector {",
        f"  input clip: u8[3, 32, 32] = frames(steps = {rng.randint(1, 8)})",
        "  let seen = clip |> neuron.encode(trainable = true, message = 16 bits)",
        f"    |> conv({rng.choice([2, 4])}, s = 2, weights = fixed(8 bits, scale = 64), weight_norm = true) |> {neuron}",
        "  output p = [seen |> conv(14, k = 1x1, bias = false) |> neuron.sigma for k in 1 .. 2]",
        "  head yolo_sdnn on p { anchors = [(0.3, 0.2), (0.9, 0.8)]  classes = 2 }",
        "}",
        'data road = data.bdd100k_track(root = path("road"), classes = ["car", "bus"], steps = 4)',
        "train in_time on kp {",
        "  data = road  batch = 4  regularize events = sparsity(weight = 0.1, rate = 1 %)",
        "  stage rest { epochs = 2  heads = [0, 1] }",
        f"  stage tune {{ start = rest.best  epochs = 2  steps = {rng.randint(1, 4)}  quantize events = sigma_delta",
        '    require event_rate <= 12 % and events < 1e6 else "too chatty" }',
        "}",
    ]


def mutate_bytes(rng: Random, data: bytes, times: int | None = None) -> bytes:
    """`data` after some deletions, doublings, swaps, bit flips and insertions."""
    for _ in range(times or rng.choice([1, 1, 2, 3, 8])):
        a = rng.randint(0, len(data))
        b = min(len(data), a + rng.choice([1, 1, 2, 5, 20, 80]))
        way = rng.randrange(5)
        if way == 0:
            data = data[:a] + data[b:]
        elif way == 1:
            data = data[:b] + data[a:]
        elif way == 2:
            data = data[:a] + rng.choice(_SPICE) + data[a:]
        elif way == 3 and a < len(data):
            data = data[:a] + bytes([data[a] ^ (1 << rng.randrange(8))]) + data[a + 1 :]
        else:
            c = rng.randint(0, len(data))
            data = data[:c] + data[a:b] + data[c:]
    return data


def mutate_tree(rng: Random, text: str, times: int | None = None) -> str:
    """`text` with some of its nodes changed, dropped, doubled or exchanged for another of their kind; still text of the language,
    though a name may now be given twice."""
    file, findings = parse(Source("mutated.det", text))
    assert not findings, findings
    for _ in range(times or rng.choice([1, 1, 2, 4])):
        nodes = [node for node in walk(file) if node is not file]
        if not nodes:
            break
        target = rng.choice(nodes)
        file = _rewritten(file, target, _change(rng, target, nodes))
    return file_text(file)


def walk(node: tree.Node) -> Iterator[tree.Node]:
    """The node and all below it."""
    yield node
    for name in _fields(node):
        value = getattr(node, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, tree.Node):
                yield from walk(part)


def _fields(node: tree.Node) -> tuple[str, ...]:
    return type(node).__match_args__


_EXPRS: tuple[type, ...] = tree.Expr.__args__
_ITEMS: tuple[type, ...] = tree.AnyItem.__args__
Change = Callable[[tree.Node], tuple[tree.Node, ...]]


def _change(rng: Random, target: tree.Node, nodes: list[tree.Node]) -> Change:
    """What to put in the place of `target`: nothing, itself twice, another node of its kind, or itself with another value."""
    narrow = isinstance(target, tree.Name | tree.String)  # these also stand where no other expression can
    kinds = (_EXPRS, _ITEMS) if not narrow else ()
    kind = next((kinds_ for kinds_ in kinds if isinstance(target, kinds_)), (type(target),))
    likes = [node for node in nodes if isinstance(node, kind)]
    way = rng.randrange(6)
    if way == 0:
        return lambda node: ()
    if way == 1:
        return lambda node: (node, node)
    if way in (2, 3):
        other = rng.choice(likes)
        return lambda node: (other,)
    return lambda node: (_altered(rng, node),)


def _altered(rng: Random, node: tree.Node) -> tree.Node:
    match node:
        case tree.Number(value=value):
            new = rng.choice([0, 1, 2, 7, 1000, 10**9, 0.5, value * 2, value + 1])
            return replace(node, value=new, text=repr(new))
        case tree.Quantity(value=value):
            unit = rng.choice(["bits", "epochs", "KiB", "ms", "%", "points", "images"])
            return replace(node, unit=unit, text=f"{value} {unit}")
        case tree.Dims():
            return replace(node, values=tuple(rng.choice([1, 2, 3, 5, 7]) for _ in range(rng.randint(2, 3))))
        case tree.String():
            return replace(
                node, value=rng.choice(["", 'a"b', "line\nend", "\u202e\u00e9", "x" * 200, "../../etc", "'; import os"])
            )
        case tree.Name():
            return replace(
                node, id=rng.choice(["frame", "net", "x", "conv", "relu", "nonsense", "p1", "classes", "_", "forward"])
            )
        case tree.Binary():
            return replace(node, op=rng.choice(["+", "-", "*", "/", "//", "|>", "..", "==", "and"]))
        case tree.Constant():
            return replace(node, value=rng.choice([True, False, None]))
    return node


def _rewritten(file: tree.File, target: tree.Node, change: Change) -> tree.File:
    """The file with `target` (by identity) changed wherever a list of nodes or a field of its type can take the outcome."""
    return _rewrite(file, target, change)  # type: ignore[no-any-return]


def _rewrite(node: Any, target: tree.Node, change: Change) -> Any:
    changes: dict[str, Any] = {}
    for name in _fields(node):
        value = getattr(node, name)
        if isinstance(value, tuple):
            parts: list[Any] = []
            for part in value:
                parts.extend(
                    change(part)
                    if part is target
                    else [_rewrite(part, target, change) if isinstance(part, tree.Node) else part]
                )
            new: Any = tuple(parts) if parts or not _needs_one(node, name) else value
        elif value is target:
            outcome = change(value)
            new = outcome[0] if outcome else value
        elif isinstance(value, tree.Node):
            new = _rewrite(value, target, change)
        else:
            continue
        if new is not value and new != value:
            changes[name] = new
    return replace(node, **changes) if changes else node


def _needs_one(node: tree.Node, name: str) -> bool:
    """Fields that the grammar never leaves empty."""
    return name in ("path", "names") or isinstance(node, tree.Tuple)
