"""Random specs that are legal: chains, residuals, concats, repetitions, blocks with parameters, shared layers, lists,
several outputs. `random_spec(seed)` is always the same text for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

BLOCKS = """
block cbr(x, c, k = 3x3, s = 1, groups = 1) =
  x |> conv(c, k = k, s = s, pad = same, groups = groups, bias = false) |> bn |> act
block dw(x, c, s = 1) = x |> cbr(x.channels, s = s, groups = x.channels) |> cbr(c, k = 1x1)
block plain(x, n, c) = x |> (conv(c, k = 3x3) |> relu(cap = 31)) * n
block linear3(x, r, c, s = 1) = x |> conv(r, k = 1x1, bias = false) |> conv(r, s = s) |> conv(c, k = 1x1)
block inverted(x, c, s = 1, t = 2, hidden = x.channels * t) {
  let wide = if hidden == x.channels then x else x |> cbr(hidden, k = 1x1)
  let y    = wide |> cbr(hidden, s = s, groups = hidden) |> conv(c, k = 1x1, bias = false) |> bn
  output z = if s == 1 and x.channels == y.channels then x + y else y
}
block stage(x, c, n, s) = x |> inverted(c, s = s) |> inverted(c) * (n - 1)
block csp(x, c, n = 1) {
  let a = x |> cbr(c // 2, k = 1x1) |> (cbr(c // 2, k = 1x1) |> dw(c // 2)) * n
  let b = x |> cbr(c // 2, k = 1x1)
  output y = concat(a, b) |> cbr(c, k = 1x1)
}
block basic(x, first, second, down = identity) {
  let y = x |> first |> bn |> relu |> second |> bn
  output z = (y + (x |> down)) |> relu
}
block gate(x, r) {
  let s = x |> avgpool(global = true) |> conv(x.channels // r, k = 1x1) |> relu |> conv(x.channels, k = 1x1) |> hsigmoid
  output y = x * s
}
block fork(x, c, d) {
  let stem = x |> cbr(c, k = 1x1)
  output left  = stem |> dw(c) |> conv(d, k = 1x1, init = bias(-4.5))
  output right = stem |> cbr(c) * 2
}
block halves(x) {
  let kept = x |> channels(0, x.channels // 2 - 1)
  let done = x |> channels(x.channels // 2, x.channels - 1) |> cbr(x.channels // 2)
  output y = concat(kept, done) |> shuffle(2)
}
block sd(x, c, k = 3x3, s = 1, gain = 1) = x
  |> conv(c, k = k, s = s, bias = false, weight_norm = true, gain = gain)
  |> neuron.sigma_delta(threshold = 0.2, activation = relu, norm = mean_only_batch)
block join(a, b) = concat(a |> cbr(a.channels, k = 1x1), b) |> conv(b.channels, k = 3x3)
"""


@dataclass(slots=True)
class Tensor:
    name: str
    channels: int
    size: int


@dataclass
class Writer:
    """Writes the body of a model, let by let."""

    rng: random.Random
    lines: list[str] = field(default_factory=list)
    live: list[Tensor] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def write(self) -> str:
        size = self.rng.choice((16, 24, 32))
        self.live = [Tensor("frame", 3, size)]
        self.lines = [f"  input frame: u8[3, {size}, {size}] = camera(order = bgr)"]
        self.pipe(self.live[0], 2)
        for _ in range(self.rng.randint(2, 6)):
            move = self.rng.choice(
                (
                    self.chain,
                    self.chain,
                    self.chain,
                    self.residual,
                    self.concat,
                    self.fork,
                    self.list,
                    self.shared,
                    self.join,
                )
            )
            move()
        self.end()
        return "\n".join(self.lines)

    def new(self, text: str, channels: int, size: int) -> Tensor:
        made = Tensor(f"t{len(self.lines)}", channels, size)
        self.lines.append(f"  let {made.name} = {text}")
        self.live.append(made)
        return made

    def pick(self) -> Tensor:
        return self.rng.choice([t for t in self.live if t.channels > 3] or self.live)

    def even(self, low: int = 4, high: int = 16) -> int:
        return 2 * self.rng.randint(low // 2, high // 2)

    def stage(self, channels: int, size: int) -> tuple[str, int, int]:
        """A stage of a pipeline for such a tensor, and what comes out."""
        c, n = self.even(), self.rng.randint(1, 3)
        s = self.rng.choice((1, 1, 2)) if size > 4 else 1
        down = -(-size // s)
        small = c // 2
        choices = [
            (f"cbr({c}, s = {s})", c, down),
            (f"dw({c}, s = {s})", c, down),
            (f"plain({n}, {c})", c, size),
            (f"linear3({small}, {c}, s = {s})", c, down),
            (f"inverted({c}, s = {s}, t = {self.rng.choice((1, 2, 3))})", c, down),
            (f"stage({c}, {n}, {s})", c, down),
            (f"inverted({channels}) * {n}", channels, size),
            (f"csp({c}, n = {n})", c, size),
            (f"conv({c}, k = 1x1)", c, size),
            ("relu", channels, size),
            (f"sd({c}, s = {s})", c, down),
            (f"sd({c}, k = 1x1, gain = 3) |> neuron.encode |> conv({c}, k = 1x1) |> neuron.sigma", c, size),
            ("dropout(0.1)", channels, size),
            (f"conv({c}, s = {s}, pad = same_upper)", c, down),
            (f"pad([0, 2, 1, 0]) |> conv({c}, k = 2x3, pad = valid)", c, size),
            ("maxpool(2x2, s = 1, pad = same)", channels, size),
            (f"maxpool(2x2, s = {s}, ceil = true, pad = same)", channels, down),
            (f"basic(cbr({channels}), linear3({small}, {channels}))", channels, size),
            (f"basic(conv({c}, s = {s}), cbr({c}), down = conv({c}, k = 1x1, s = {s}))", c, down),
        ]
        choices += [("halves", channels, size), ("gate(2)", channels, size)] if channels % 2 == 0 else []
        choices += (
            [
                ("maxpool(2x2)", channels, size // 2),
                ("samplepool(2x2)", channels, size // 2),
                ("space_to_depth(2, order = columns)", 4 * channels, size // 2),
                (f"space_to_depth |> cbr({c}) |> unpool(2) |> neuron.sigma_delta", c, size),
            ]
            if size % 2 == 0
            else []
        )
        return self.rng.choice(choices)

    def pipe(self, source: Tensor, stages: int) -> Tensor:
        texts, channels, size = [source.name], source.channels, source.size
        for _ in range(stages):
            text, channels, size = self.stage(channels, size)
            texts.append(text)
        return self.new(" |> ".join(texts), channels, size)

    def chain(self) -> None:
        self.pipe(self.pick(), self.rng.randint(1, 4))

    def residual(self) -> None:
        x = self.pick()
        self.new(f"({x.name} |> cbr({x.channels})) + {x.name}", x.channels, x.size)

    def concat(self) -> None:
        a = self.pick()
        mates = [t for t in self.live if t.size == a.size and t is not a] or [a]
        b = self.rng.choice(mates)
        c = self.even()
        texts = (
            [a.name, f"{b.name} |> cbr({c})"]
            if self.rng.random() < 0.5
            else [f"{a.name} |> conv({c}, k = 1x1)", b.name]
        )
        channels = c + (a.channels if texts[0] == a.name else b.channels)
        if self.rng.random() < 0.5:
            self.new(f"concat({', '.join(texts)})", channels, a.size)
        else:
            self.new(f"concat({', '.join(texts)}) |> upsample(2) |> maxpool(2x2) |> csp({c})", c, a.size)

    def fork(self) -> None:
        x, c, d = self.pick(), self.even(), self.even()
        made = self.new(f"{x.name} |> fork({c}, {d})", d, x.size)
        self.live.pop()
        self.live += [Tensor(f"{made.name}.left", d, x.size), Tensor(f"{made.name}.right", c, x.size)]
        if self.rng.random() < 0.4:
            self.live.append(Tensor(f"{made.name}.stem", c, x.size))

    def list(self) -> None:
        xs = [self.pick() for _ in range(self.rng.randint(2, 3))]
        c = self.even()
        stage = self.rng.choice((f"cbr({c})", f"conv({c}, k = 1x1)", f"cbr({c}) |> conv({c})", f"dw({c}) * 2"))
        made = self.new(f"[f |> {stage} for f in [{', '.join(x.name for x in xs)}]]", c, 0)
        self.live.pop()
        self.live += [Tensor(f"{made.name}[{i}]", c, x.size) for i, x in enumerate(xs)]
        if self.rng.random() < 0.5:
            self.outputs.append(made.name)

    def shared(self) -> None:
        a = self.pick()
        mates = [t for t in self.live if t.channels == a.channels]
        b, c = self.rng.choice(mates), self.even()
        stage = self.rng.choice((f"conv({c})", f"cbr({c})", f"cbr({c}) * 2", f"inverted({c}, t = 2)"))
        name = f"f{len(self.lines)}"
        self.lines.append(f"  let {name} = {stage}")
        for x in (a, b):
            self.new(f"{x.name} |> {name}" + self.rng.choice(("", " |> relu")), c, x.size)

    def join(self) -> None:
        a = self.pick()
        b = self.rng.choice([t for t in self.live if t.size == a.size])
        self.new(f"join({a.name}, {b.name})", b.channels, a.size)

    def end(self) -> None:
        last = self.live[-1]
        if self.rng.random() < 0.3:
            self.lines.append(
                f"  output vector = {last.name} |> avgpool(global = true) |> flatten |> linear({self.even()})"
            )
        else:
            self.lines.append(f"  output grid = {last.name} |> conv({self.even()}, k = 1x1)")
        text = "\n".join(self.lines)
        unread = [t.name for t in self.live if text.count(t.name) == ("[" not in t.name and "." not in t.name)]
        kept = [name for name in unread if self.rng.random() < 0.9]
        for number, name in enumerate(dict.fromkeys(self.outputs + kept)):
            behind = " |> relu" if name in kept and self.rng.random() < 0.3 else ""
            self.lines.append(f"  output more{number} = {name}{behind}")


def random_spec(seed: int) -> str:
    """The text of a spec with one model, without data or training."""
    rng = random.Random(seed)
    act = rng.choice(("relu", "silu", "leaky(0.1)", "relu6", "hswish"))
    head = f"## Random net {seed}.\nparam act = {act}\ndefault bn {{ eps = 1e-3  momentum = 0.03 }}\n{BLOCKS}\n"
    return f"{head}model net extends detector {{\n{Writer(rng).write()}\n}}\n"
