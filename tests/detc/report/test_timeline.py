"""The memory of a net step by step, for the terminal and as a drawing."""

from __future__ import annotations

from xml.etree import ElementTree

from detc.compilation import compile_spec
from detc.library import library_folder
from detc.report.ansi import Terminal
from detc.report.html import report_html
from detc.report.timeline import Piece, Timeline, timeline_svg, timeline_text

TIMELINE = Timeline(
    (("a", 1536), ("<b>\x1b[1m", 2048), ("c", 512)),
    (("axi", 2048), ("slow", 0)),
    (
        Piece("frame", "axi", 512, 1024, -1, 0, "map"),
        Piece("a", "axi", 0, 1024, 0, 1, "map"),
        Piece("<b>\x1b[1m", "axi", 1024, 1024, 1, 3, "map"),
        Piece("a", "axi", 1024, 256, 1, 1, "rows"),
    ),
)

TEXT = """\
  memory, step by step   needed
  a                     1.5 KiB  ########################........
  <b>?[1m               2.0 KiB  ################################  peak
  c                       512 B  ########........................
  alive at the peak: `<b>?[1m` 1.0 KiB, `a` 1.0 KiB, `a` 256 B of rows; 256 B of the output lie over its input"""


def test_the_text_marks_the_fullest_step_and_says_what_is_alive_there() -> None:
    assert timeline_text(TIMELINE, Terminal(unicode=False)).replace("␛", "?") == TEXT
    assert timeline_text(None, Terminal()) == timeline_text(Timeline((), (), ()), Terminal()) == ""


def test_the_drawing_shows_every_piece_at_its_address_and_escapes_names() -> None:
    svg = timeline_svg(TIMELINE)
    assert "<b>" not in svg and timeline_svg(None) == ""
    root = ElementTree.fromstring(svg)
    pieces = [rect for rect in root.iter("rect") if "piece" in rect.get("class", "")]
    assert len(pieces) == 4 and len([rect for rect in root.iter("rect") if rect.get("class") == "peak"]) == 1
    bottoms = [float(rect.get("y", 0)) + float(rect.get("height", 0)) for rect in pieces]
    assert bottoms[0] < bottoms[1] and bottoms[2] == bottoms[3]


def test_the_page_of_a_microcontroller_has_a_timeline_and_that_of_a_chip_has_none() -> None:
    library = library_folder()
    page = report_html(compile_spec(library / "st_yolo_lc_v1.det", "stm32h747i_disco"))
    assert "Memory step by step" in page and page.count('class="piece') > 20
    assert "Memory step by step" not in report_html(compile_spec(library / "gnetdet224.det", "gti5801"))
