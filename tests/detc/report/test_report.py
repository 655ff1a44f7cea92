"""The report in its three forms: what a reader sees first, what a machine may rely on, what a customer is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import detc.report
from detc.compilation import compile_spec
from detc.library import library_folder
from detc.report.ansi import Terminal, table, terminal_of
from detc.report.figures import amount, count, short, size
from detc.report.html import report_html
from detc.report.json_report import report_json
from detc.report.resolved import resolved_text
from detc.report.subject import Compilation
from detc.report.text import report_text

Golden = Callable[[str, str], None]

WRONG = """\
## A net that the chip cannot run, three times over.
param classes: int = 20
block unit(x, c) = x |> conv(c, k = 5x5, weights = masked(3 bits)) |> relu(cap = 31)

model mine extends detector {
  input frame: u8[3, 224, 224] = camera(order = bgr)
  let body = frame |> unit(16) |> maxpool(2x2) |> unit(32) |> maxpool(2x2)
  output grid = body |> conv(10 + classes, weights = masked(8 bits)) |> sigmoid
}
"""


@pytest.fixture(scope="module")
def good() -> Compilation:
    return compile_spec(library_folder() / "gnetdet448.det", "gti5801")


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compilation:
    (tmp_path / "mine.det").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    return compile_spec(Path("mine.det"), "gti5801")


def neutral(text: str) -> str:
    """Paths of this machine out of a golden text."""
    return text.replace(str(library_folder()), "specs")


def test_the_report_of_gnetdet448(good: Compilation, golden: Golden) -> None:
    golden("report/gnetdet448.txt", neutral(report_text(good, Terminal())))


def test_the_report_of_a_net_that_does_not_fit(wrong: Compilation, golden: Golden) -> None:
    golden("report/does_not_fit.txt", report_text(wrong, Terminal(), tables=False))


def test_the_resolved_spec(good: Compilation, golden: Golden) -> None:
    golden("report/gnetdet448.resolved.txt", neutral(resolved_text(good, Terminal())))


def test_the_verdict_comes_first_then_the_bars(good: Compilation, wrong: Compilation) -> None:
    assert report_text(good, Terminal()).splitlines()[0].startswith("✓ gnetdet448 fits gti5801")
    assert report_text(wrong, Terminal()).splitlines()[0].startswith("✗ mine does not fit gti5801  (")
    assert "major layers" in report_text(good, Terminal()).splitlines()[2]


def test_equal_findings_are_told_once(wrong: Compilation) -> None:
    text = report_text(wrong, Terminal())
    assert text.count("error[GTI101]") == 1 and "and 1 more" in text


def test_colours_and_unicode_are_only_for_who_can_show_them(good: Compilation) -> None:
    assert "\x1b[" not in report_text(good, Terminal(color=False))
    assert "\x1b[" in report_text(good, Terminal(color=True))
    assert report_text(good, Terminal(unicode=False), tables=False).splitlines()[0].isascii()
    bars = report_text(good, Terminal(unicode=False)).splitlines()[2:8]
    assert all(line.isascii() and "#" in line for line in bars)


def test_no_color_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal_of(io.StringIO()).color
    monkeypatch.setenv("NO_COLOR", "")
    assert not terminal_of(io.StringIO()).color


def test_a_bar_over_its_limit_is_full_and_red(good: Compilation) -> None:
    from dataclasses import replace

    bar = {"name": "memory", "used": 300, "limit": 100, "unit": "B"}
    text = report_text(replace(good, limits=[bar]), Terminal(color=True), tables=False)
    assert "\x1b[31m████████████████████████" in text and "300%" in text


def test_tables_line_up() -> None:
    lines = table(["a", "number"], [["x", "1"], ["longer", "22"]], [False, True], Terminal())
    assert lines == ["  a       number", "  x            1", "  longer      22"]


def test_numbers() -> None:
    assert (count(6525278), short(11574097920), size(6899348), size(100)) == (
        "6,525,278",
        "11.57 G",
        "6.58 MiB",
        "100 B",
    )
    assert (amount(7, ""), amount(1536, "B"), short(9999), short(12000)) == ("7", "1.5 KiB", "9,999", "12.00 k")


SCHEMA = json.loads((Path(detc.report.__file__).parent / "report.schema.json").read_text())


def test_json_keeps_its_schema(good: Compilation, wrong: Compilation, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    (tmp_path / "broken.det").write_text("model (")
    for compilation in (good, wrong, compile_spec(tmp_path / "broken.det"), compile_spec(tmp_path / "absent.det")):
        report = json.loads(json.dumps(report_json(compilation)))
        jsonschema.Draft202012Validator(SCHEMA).validate(report)
        assert report["fits"] is not any(f["level"] == "error" for f in report["findings"])


def test_json_has_the_promised_rows(good: Compilation) -> None:
    report = report_json(good)
    assert list(report)[:2] == ["schema", "spec"]
    conv = next(row for row in report["layers"] if row["op"] == "conv")
    assert conv["name"] == "p4.convs1.layer1.conv1" and conv["params"] == 1792 and conv["macs"] == 346_816_512
    assert (conv["kernel"], conv["padding"], conv["groups"], conv["bias"]) == ([3, 3], [1, 1], 1, True)
    assert (conv["major"], conv["sublayer"], conv["bits"]) == (1, 1, 3)
    assert sum(row["params"] for row in report["layers"]) == report["metrics"]["params"]
    assert sum(row["macs"] for row in report["layers"]) == report["metrics"]["macs"]
    assert all({"name", "used", "limit", "unit"} <= bar.keys() for bar in report["limits"])


def test_schema_md_shows_every_key() -> None:
    page = (Path(detc.report.__file__).parent / "schema.md").read_text()
    for key in SCHEMA["required"]:
        assert f'"{key}"' in page


class Page(HTMLParser):
    """Collects tags, and what they point at."""

    VOID = ("meta", "link", "img", "br", "line", "rect", "input", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.points: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.points += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open and self.open.pop() == tag, tag


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


def test_the_page_needs_nothing_else(good: Compilation, wrong: Compilation) -> None:
    for compilation in (good, wrong):
        page = read_page(report_html(compilation))
        assert page.points == [] and page.scripts == 0
        assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", report_html(compilation))


def test_the_page_shows_verdict_bars_picture_findings_and_layers(good: Compilation, wrong: Compilation) -> None:
    text = report_html(good)
    for part in ("fits gti5801", "How full the chip is", "<svg", "grid.conv1", "6.58 MiB", "GTI151", "no source yet"):
        assert part in text, part
    assert "does not fit gti5801" in report_html(wrong) and "GTI101" in report_html(wrong)


def test_the_picture_has_a_column_for_each_conv(good: Compilation) -> None:
    assert report_html(good).count('class="layer bits') == 16
    assert report_html(good).count('class="part-name"') == 7


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    evil = "</pre><script>alert(1)</script>"
    (tmp_path / "evil.det").write_text(
        f'## {evil}\nparam a: int = 1\nmodel m extends detector {{ let x = "{evil}" |> conv(3) }}\n'
    )
    text = report_html(compile_spec(tmp_path / "evil.det", "gti5801"))
    assert "<script>" not in text
    assert read_page(text).scripts == 0
