"""The canonical layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detc.syntax.format import format_file

MESSY = """\ufeff## A detector   


use   std.data   as data
param classes:int=20
param width :float= 1.0 # how wide
param image: int = 448    where image in [224,448]



data pictures=data.voc(root=path("data/pictures"),classes=["car","bus"],train="train",val="val",test="test")
#no space
block convs(x,n,channels,bits=3bits)=x|>(conv(divisible(channels*width,4),k=3x3,pad=1,weights=masked(bits))|>relu(cap=31))*n

model gnetdet extends detector { input frame:u8[3,image,image]=camera( order=bgr )

    let p4=frame
      |>convs(1,64)|>maxpool(2x2)  # 448 -> 224
      |>convs(2,128) |> maxpool(2x2)   # 224 -> 112
      # a thought
      |> relu

    let p5 = if image==448 and width>=1.0 then p4|>convs(3,256)|>maxpool(2x2) else p4|>convs(3,256)|>maxpool(2x2)|>identity
    output grid=p5|>conv(2*5+classes)
    head gnetdet on grid {boxes=2 classes=classes}   # the head
}
train steps on gnetdet {
batch=16
optimizer=sgd(lr=1e-3,momentum=0.9)

stage float{epochs=600 schedule=step(every=400 epochs,gamma=0.1)}
stage weights { start=float.best quantize weights=masks lr=1e-4 epochs=800 }
stage measure { start=weights.best calibrate caps=percentile(99) images=500 }
stage chip { start=weights.best lr=1e-5 epochs=500
require drop(map50,since=float)<=10% else "the chip stage lost too much: try more" }
}
let priors = [
  {grid:19,step:16,min:60},
  {grid:5,step: 100,min:150},
]
@source("a book") memory a { size=3MiB unit=2KiB } @placeholder
memory bigger { size = 0x1000 }   ## in bytes
if classes>20 { x = -1 }
else if classes > 10 { x = [1,-2][0 .. 1] } else { x=not true }
# the end
"""


def test_a_messy_file(golden: Callable[[str, str], None]) -> None:
    formatted, findings = format_file(MESSY)
    assert not findings
    golden("syntax/formatted.det", formatted)
    assert format_file(formatted)[0] == formatted
    assert max(map(len, formatted.splitlines())) <= 100


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("", ""),
        ("\n\n\n", ""),
        ("# only a comment", "# only a comment\n"),
        ("x=1\r\ny=2\r\n", "x = 1\ny = 2\n"),
        ("x=1\n\n\n\n\ny=2", "x = 1\n\ny = 2\n"),
        ("a=1\nlonger=2", "a      = 1\nlonger = 2\n"),
        ("a=1  # one\nb = 22 # two", "a = 1   # one\nb = 22  # two\n"),
        ("m{\n\n\nx=1\n\n}", "m {\n  x = 1\n}\n"),
        ("m { x=1 y=2 }", "m { x = 1  y = 2 }\n"),
        ("m { x=1\ny=2 }", "m {\n  x = 1\n  y = 2\n}\n"),
        ("m { # why\nx=1 }", "m {  # why\n  x = 1\n}\n"),
        ("m {}", "m {}\n"),
        ("x = f ( a , b ) [ 0 .. 2 ] . c", "x = f(a, b)[0 .. 2].c\n"),
        ("x = a-b * -c", "x = a - b * -c\n"),
        ("x = 10% + 3bits", "x = 10 % + 3 bits\n"),
        ("x = 5 s .y", "x = 5 s .y\n"),
        ("##doc\nx=1", "## doc\nx = 1\n"),
        ("x = [\n1,\n2\n]", "x = [\n  1,\n  2\n]\n"),
        ("x =\n\n a", "x =\n  a\n"),
    ],
)
def test_small_texts(text: str, formatted: str) -> None:
    assert format_file(text) == (formatted, ())
    assert format_file(formatted) == (formatted, ())


def test_a_file_with_mistakes_is_left_alone() -> None:
    text = "x  =  = 3\n"
    formatted, findings = format_file(text, "a.det")
    assert formatted == text
    assert [finding.code for finding in findings] == ["SYN124"]


def test_a_long_string_stays_whole() -> None:
    text = f'require a <= 3 else "{"word " * 30}"\n'
    formatted, _ = format_file(text)
    assert formatted == f'require a <= 3\n  else "{"word " * 30}"\n'


ROOT = Path(__file__).parents[3]
FOLDERS = ("specs", "compiler/detc/std", "examples")
SHIPPED = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.det"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_shipped_is_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_file(text) == (text, ())
