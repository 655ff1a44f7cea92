"""What specs become: each case is a few lines of a model and the graph they build, side by side in a golden file."""

# ruff: noqa: E501  (a case reads best on one line)

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from elaborating import graph, model, run

CBR = "block cbr(x, c, k = 3x3, s = 1, act = relu) = x |> conv(c, k = k, s = s, bias = false) |> bn |> act"

NAMING = {
    "one stage takes the name of its let": ("let a = frame |> conv(4)\noutput y = a |> relu", ""),
    "several stages are a pipeline": ("output y = frame |> conv(4) |> relu |> conv(4) |> relu", ""),
    "an instance of a block": ("let a = frame |> cbr(4)\noutput y = a |> cbr(8) |> cbr(8)", CBR),
    "a parenthesised composition is a stage": ("output y = frame |> conv(4) |> (conv(4) |> relu) |> relu", ""),
    "a let of a parenthesised composition is its pipeline": ("output y = frame |> (conv(4) |> relu)", ""),
    "a repetition numbers from 0": ("output y = frame |> cbr(4) * 2 |> (conv(4) |> relu) * 2", CBR),
    "once is itself, never is the identity": ("output y = frame |> conv(4) * 1 |> conv(5) * 0 |> cbr(4) * 1", CBR),
    "a let inside a block": (
        "output y = frame |> inner(4)",
        "block inner(x, c) {\n  let a = x |> conv(c)\n  let b = a |> conv(c) |> relu\n  output z = a + b\n}",
    ),
    "stages inside arguments": (
        "let a = frame |> conv(4)\noutput y = concat(a |> relu, frame |> conv(2)) |> conv(4)",
        "",
    ),
    "a comprehension": ("let a = frame |> conv(4)\noutput y = [f |> conv(2) for f in [frame, a]]", ""),
    "lists add up and number on": (
        "output y = [f |> cbr(2) for f in [frame, frame]] + [frame |> conv(3)] + [frame |> conv(2) |> relu]",
        CBR,
    ),
    "lists inside of calls": ("output y = concat([frame |> conv(2), frame |> conv(3)])", ""),
    "comprehensions inside of calls": ("output y = concat([frame |> conv(c) for c in [2, 3]]) |> relu", ""),
    "names that torch or Python have taken": (
        "let train = frame |> conv(2)\nlet lambda = train |> relu\noutput forward = lambda |> conv(3)",
        "",
    ),
    "words that end in a digit": ("output y = frame |> relu6 |> c3(4) |> relu6", "block c3(x, c) = x |> conv(c)"),
    "loops": ("for c in [2, 3] {\n  let a = frame |> conv(c) |> relu\n}\noutput y = frame |> conv(4)", ""),
}

MEANING = {
    "a tensor may come as the first argument": ("output y = cbr(conv(frame, 4), 8)", CBR),
    "blocks of several tensors": (
        "output y = two(frame, frame, 4) |> two(frame, c = 5)",
        "block two(a, b, c) = concat(a, b) |> conv(c)",
    ),
    "an instance stands for its first output": (
        "let i = split(frame)\noutput y = [i |> relu, i.b, i.inner]",
        "block split(x) {\n  let inner = x |> conv(2)\n  output a = inner |> conv(3)\n  output b = inner |> conv(4)\n}",
    ),
    "attributes of tensors": (
        "let a = frame |> conv(6, s = 2)\noutput y = a |> conv(a.channels + a.height * 10 + a.width) |> flatten |> linear(a.shape[0])",
        "",
    ),
    "attributes of instances": (
        "output y = frame |> cbr(5) |> twice",
        CBR + "\nblock twice(x) = x |> conv(x.channels * 2)",
    ),
    "a parameter may name an op": ("output y = frame |> cbr(4, act = silu) |> cbr(4)", CBR),
    "a parameter may be a layer": ("output y = frame |> wrap(conv(2) |> relu)", "block wrap(x, f) = x |> f |> f"),
    "a let of a layer shares its weights": (
        "let c = conv(3)\nlet a = frame |> c\noutput y = c(a) |> c",
        "",
    ),
    "a let of layers shares all of them": ("let f = conv(3) |> relu\nlet a = frame |> f\noutput y = a |> f", ""),
    "a let of a block shares its instance": ("let f = cbr(3)\nlet a = f(frame)\nlet b = f(a)\noutput y = b", CBR),
    "weights of a repeated let are new": ("let f = conv(3)\noutput y = frame |> f * 2 |> f", ""),
    "nothing to share in a let of relu": ("let f = relu\noutput y = frame |> f |> f", ""),
    "composition waits for its tensor": ("let f = cbr(4) |> cbr(5)\noutput y = frame |> f", CBR),
    "choices": ("output y = if frame.height == 8 then frame |> conv(1) else frame |> conv(2)", ""),
    "choices of layers": ("output y = frame |> (if frame.height == 8 then relu else silu)", ""),
    "conditional items": (
        "if frame.height == 8 {\n  let a = frame |> conv(1)\n} else {\n  let a = frame\n}\noutput y = a",
        "",
    ),
    "sums and products": ("let a = frame |> conv(3)\noutput y = a + frame * a", ""),
    "defaults": (
        "let a = frame |> bn\ndefault bn { momentum = 0.03 }\noutput y = a |> bn |> bn(eps = 1e-4)",
        "default bn { eps = 1e-3 }",
    ),
    "defaults reach into blocks": (
        "default conv { bias = true, }\noutput y = frame |> b".replace(",", ""),
        "default conv { k = 1x1 bias = false }\nblock b(x) = x |> conv(4)",
    ),
    "weight schemes and initial values": (
        "output y = frame |> conv(2, weights = masked(3 bits), init = bias(-log(99))) |> conv(2, weights = fixed(8 bits, scale = 64))",
        "",
    ),
    "padding words and pairs": (
        "output y = frame |> conv(2, k = 3x1, pad = same) |> conv(2, 3, pad = valid) |> p(1x1)",
        "block p(x, a) = x |> conv(2, k = 3x1, pad = a)",
    ),
    "widths are rounded": (
        "output y = frame |> conv(divisible(30 * 0.5, 8)) |> conv(7 // 2) |> conv(floor(7 / 2) + 0.0)",
        "",
    ),
    "several names in a loop": ("output y = [x |> conv(c) for x, c in zip([frame, frame], [2, 3]) if c > 2]", ""),
    "ranges are inclusive": ("let l = [frame |> conv(c) for c in 1 .. 4]\noutput y = l[1 .. 2]", ""),
    "blocks may stand below their use": ("output y = frame |> late(2)\nblock late(x, c) = x |> conv(c)", ""),
    "nested blocks see the model": ("let w = 5\nblock b(x) = x |> conv(w)\noutput y = frame |> b", ""),
    "plain functions as blocks": ("output y = frame |> conv(double(3))", "block double(n: int) = n * 2"),
    "op with its tensor kept": ("output y = frame |> add(frame) |> mul(frame)", ""),
    "else if": ("let k = if 1 > 2 then 1 else if 2 > 3 then 2 else 3\noutput y = frame |> conv(k)", ""),
}


def _sections(cases: dict[str, tuple[str, str]], folder: Path) -> str:
    parts = []
    for title, (body, head) in cases.items():
        text = model(body, head)
        built = graph(run(folder, text))
        spec = "\n".join(filter(None, (head, textwrap.dedent(body).strip())))
        parts.append(f"== {title}\n{textwrap.indent(spec, '    ')}\n{built}")
    return "\n".join(parts)


@pytest.mark.parametrize(("name", "cases"), [("naming", NAMING), ("meaning", MEANING)])
def test_specs_build_the_graphs_that_the_language_promises(
    name: str, cases: dict[str, tuple[str, str]], tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    golden(f"semantics/{name}.txt", _sections(cases, tmp_path))
