"""What is said about mistakes: each case is a few lines with a mistake and all that is reported, side by side in a golden
file. One mistake gives one finding; what uses something broken stays silent."""

# ruff: noqa: E501  (a case reads best on one line)

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from elaborating import lines, model, run

CBR = "block cbr(x, c, k = 3x3) = x |> conv(c, k = k) |> relu"

NAMES = {
    "an unknown op": ("output y = frame |> conw(3)", ""),
    "an unknown name": ("let width = 8\noutput y = frame |> conv(widht)", ""),
    "an unknown argument": ("output y = frame |> conv(3, stride = 2, kernel = 3)", ""),
    "an unknown argument of a block": ("output y = frame |> cbr(3, kk = 1x1)", CBR),
    "an unknown member": ("let i = inner(frame)\noutput y = [i.wid, i.wide]", "block inner(x) {\n  let wide = x |> conv(3)\n  output z = wide |> relu\n}"),
    "an unknown attribute": ("output y = frame |> conv(frame.chanels)", ""),
    "an unknown word": ("output y = frame |> conv(3, pad = sam) |> upsample(2, mode = bilinaer)", ""),
    "an unknown scheme": ("output y = frame |> conv(3, weights = maskd(3 bits))", ""),
    "an unknown item": ("lte a = frame\noutput y = frame |> relu", ""),
    "an unknown base": ("output y = frame |> relu", "model other extends detektor { input frame: u8[3, 8, 8] output y = frame |> relu }"),
    "an output that a head does not find": ("output grid = frame |> conv(15)\nhead gnetdet on gird { boxes = 1 classes = 10 }", ""),
    "defined twice": ("let a = frame |> relu\nlet a = frame\noutput y = a", ""),
    "defined twice, once as an output": ("let y = frame |> relu\noutput y = frame |> conv(2)", ""),
    "a parameter twice": ("output y = frame |> f(2)", "block f(x, x) = x |> relu"),
    "used before it is defined": ("let a = b |> relu\nlet b = frame\noutput y = a", ""),
    "an attribute's name": ("let width = 3\noutput y = frame |> f(width)", "block f(x, n) {\n  let channels = n\n  output width = x |> relu\n}"),
    "an input's dtype and axes": ("output y = frame |> relu", "model a extends detector { input f: u9[3, 8, 8] output y = f |> relu }\nmodel b extends detector { input f: u8[3, 8] output y = f |> relu }\nmodel c extends detector { input f: u8[3, 8, -8] output y = f |> relu }"),
    "how pictures come in": ("output y = frame |> relu", "model a extends detector { input f: u8[1, 8, 8] = camera(order = bgr, interpolation = lanczos, resize = fit) output y = f |> relu }\nmodel b extends detector { input f: u8[1, 8, 8] = camera(order = bgr, pad = 3) output y = f |> relu }\nmodel c extends detector { input f: u8[1, 8, 8] = camera(pad = 300, place = middle, offset = x) output y = f |> relu }\nmodel d extends detector { input f: u8[1, 8, 8] = camera(pad = 30, resize = crop) output y = f |> relu }"),
    "an input's options": ("output y = frame |> relu", "model a extends detector { input f: u8[3, 8, 8] = camera(order = grb, men = 3, std = [1, 2]) output y = f |> relu }\nmodel b extends detector { input f: u8[3, 8, 8] = camra(order = bgr) output y = f |> relu }"),
    "no input, no output": ("output y = frame |> relu", "model a extends detector { let z = 1 }"),
}  # fmt: skip

CALLS = {
    "a missing argument": ("let a = frame |> conv\nlet b = frame |> conv()\noutput y = [a, b]", ""),
    "a missing argument of a block": ("output y = frame |> cbr", CBR),
    "too many arguments": ("output y = frame |> conv(3, 3x3, 2)", ""),
    "too many arguments of a block": ("output y = frame |> cbr(3, 3x3, 2)", CBR),
    "an argument twice": ("output y = frame |> conv(3, channels = 4) |> cbr(3, c = 3) |> relu(cap = 1, cap = 2)", CBR),
    "a wrong kind": ('output y = frame |> conv("3") |> conv(3.5) |> conv(3, bias = 1) |> conv(3, k = [1, 2, 3])', ""),
    "a call of no function": ("let a = 3\noutput y = frame |> relu |> a(3)", ""),
    "a pipe into no function": ("let a = frame |> relu\noutput y = [frame |> 3, frame |> a]", ""),
    "a pipe from no tensor": ("output y = [3 |> relu, [] |> concat]", ""),
    "a layer where a tensor is needed": ("output y = relu + frame\noutput z = conv(3)", ""),
    "an instance without output": ("output y = frame |> f", "block f(x) { let a = x |> relu }"),
    "a block that applies itself": ("output y = frame |> f", "block f(x) = x |> relu |> g\nblock g(x) = x |> f"),
    "a block that applies itself through an argument": ("output y = frame |> f(f)", "block f(x, g) = x |> g(g)"),
    "a missing unit": ("output y = frame |> conv(3, weights = masked(3))", ""),
    "a wrong unit": ("output y = frame |> conv(3, weights = masked(3 KiB))", ""),
    "wrong numbers of values": ("output y = frame |> conv(divisible(3)) |> conv(max()) |> conv(len(3))", ""),
    "a shared layer on other channels": ("let c = conv(4)\nlet a = frame |> c\noutput y = a |> c", ""),
    "a default of no op": ("output y = frame |> relu", "default bm { eps = 1 }\ndefault bn { ep = 1 }\ndefault bn { eps = true }\ndefault sigma_dleta { threshold = 1 }"),
    "host of no layer": ("output y = frame |> host(3)", ""),
}  # fmt: skip

VALUES = {
    "units that do not add up": ("let a = 3 bits + 2 KiB\nlet b = 3 KiB + 1\nlet c = 3 ms < 3\noutput y = frame |> conv(2)", ""),
    "operands": ('let a = "x" * "y"\nlet b = true + 1\nlet c = frame - frame\nlet d = frame * 2\noutput y = frame |> conv(2)', ""),
    "division by zero": ("output y = frame |> conv(3 / 0) |> conv(3 // 0) |> conv(3 / (1 - 1.0))", ""),
    "outside of its domain": ("output y = frame |> conv(log(0)) |> conv(sqrt(-1))", ""),
    "not a condition": ("let a = if 3 then 1 else 2\nlet b = not 3\nlet c = 1 and true\noutput y = frame |> relu", ""),
    "not a list": ("let a = [x for x in 3]\nlet b = [x for x in 1 .. 2.5]\nlet c = [x for x, y in [1, (2, 3)]]\noutput y = frame |> relu", ""),
    "beyond a list": ("let l = [1, 2, 3]\nlet a = l[3]\nlet b = l[1 .. 3]\nlet c = l[-1]\nlet d = l[true]\noutput y = frame |> relu", ""),
    "lists of different lengths": ("let l = zip([1], [2, 3])\noutput y = frame |> relu", ""),
    "words are not values": ("let a = fast\nlet b = if fast == slow then 1 else 2\nlet c = if 3 == fast then 1 else 2\noutput y = frame |> relu", ""),
    "a broken part is reported once": ("let a = frame |> conw(3)\nlet b = a |> conv(3)\nlet c = [b, a]\noutput y = concat(c) |> cbr(3)\noutput z = y.channels", CBR),
    "all mistakes at once": ("let a = frame |> conw(3)\nlet b = frame |> conv(widht)\nlet c = frame |> conv(3, stride = 2)\noutput y = a |> conv(3, kk = 1)", ""),
    "a mistake in a block, once": ("output y = frame |> f |> f |> f", "block f(x) = x |> conv(nothing)"),
    "a require that does not hold": ("output y = frame |> even(3)", 'block even(x, c) {\n  require c // 2 * 2 == c else "c has to be even"\n  output y = x |> conv(c)\n}'),
}  # fmt: skip

SHAPES = {
    "a window that does not fit": ("output y = frame |> maxpool(9x9)", ""),
    "maps of different sizes": ("let a = frame |> maxpool(2x2)\noutput y = [concat(a, frame), a + frame]", ""),
    "groups that do not divide": ("output y = frame |> conv(4, groups = 2)", ""),
    "a vector where a map is needed": ("output y = frame |> flatten |> conv(3)", ""),
    "a map where a vector is needed": ("output y = frame |> linear(3)", ""),
    "inside of a block": ("output y = frame |> f", "block f(x) = x |> maxpool(9x9)"),
    "far too large": ("output y = frame |> upsample(60000) |> upsample(60000)", ""),
    "height of a vector": ("let v = frame |> flatten\noutput y = v |> linear(v.height)", ""),
}


def _sections(cases: dict[str, tuple[str, str]], folder: Path) -> str:
    parts = []
    for title, (body, head) in cases.items():
        text = model(body, head)
        found = lines(run(folder, text))
        assert found, f"nothing said about {title}"
        spec = "\n".join(f"{n:3} {line}" for n, line in enumerate(text.rstrip().split("\n"), 1) if line)
        parts.append(f"== {title}\n{spec}\n{textwrap.indent(chr(10).join(found), '  ')}\n")
    return "\n".join(parts)


TOPICS = {"names": NAMES, "calls": CALLS, "values": VALUES, "shapes": SHAPES}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_mistake_gives_its_finding(topic: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    golden(f"semantics/findings_{topic}.txt", _sections(TOPICS[topic], tmp_path))


def test_an_attribute_that_nobody_knows_is_named_wherever_it_stands(tmp_path: Path) -> None:
    found = lines(run(tmp_path, model('@sorce("a", "b")\noutput y = frame |> conv(3)', "@placeholdr\nlet a = 3")))
    assert [line.split()[0] for line in found] == ["TGT110", "TGT110"]
    assert "did you mean `placeholder`?" in found[0] and "did you mean `source`?" in found[1]
    assert not lines(run(tmp_path, model('@source("a", "b")\noutput y = frame |> conv(3)')))
