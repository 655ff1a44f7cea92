"""`detc data`: what it prints, writes and refuses, on a small set made by code."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from detc.cli import main

pytest.importorskip("torch")

SPEC = """
data cells = data.voc(root = path("cells"), classes = ["cat", "dog"], val = none, validation_split = 25 %)

model tiny extends detector {
  input frame: u8[3, 32, 48] = camera(order = rgb, mean = [10, 20, 30], std = [50, 60, 70], scale = 1)
  let p3 = frame |> conv(8, s = 2) |> maxpool(2x2) |> maxpool(2x2)
  output grid = p3 |> conv(2 * 7)
  head yolo_v2 on grid { anchors = [(1, 1), (2, 2)]  classes = 2 }
}
model grids extends detector {
  input frame: u8[3, 28, 28] = camera(order = bgr)
  let p4 = frame |> conv(8) |> relu(cap = 31) |> maxpool(2x2)
  output grid = p4 |> conv(10 + 2) |> relu(cap = 31)
  head gnetdet on grid { boxes = 2  classes = 2 }
}
train steps on grids { data = cells  batch = 2  augment = [flip(p = 1.0)]  stage one { epochs = 1 } }
"""


def box(name: str, x1: int, y1: int, x2: int, y2: int) -> str:
    corners = f"<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
    return f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mine.det with a VOC set of 8 pictures of 60 x 40: a cat at the left of each, a dog on every fourth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    root = tmp_path / "cells"
    for part in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / part).mkdir(parents=True)
    for n in range(8):
        image = np.full((40, 60, 3), 100, np.uint8)
        image[10:30, 3:15] = (0, 0, 200 + n)  # red: the order of the colours can be seen
        cv2.imwrite(str(root / f"JPEGImages/p{n}.png"), image)
        objects = box("cat", 4, 11, 15, 30) + (box("dog", 31, 1, 60, 20) if n % 4 == 0 else "")
        text = f"<annotation><size><width>60</width><height>40</height></size>{objects}</annotation>"
        (root / f"Annotations/p{n}.xml").write_text(text)
    (root / "ImageSets/Main/train.txt").write_text("".join(f"p{n}\n" for n in range(8)))
    (tmp_path / "mine.det").write_text(SPEC)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Standard output, or what is said on stderr of a command that fails; a traceback never."""
    done = main(["data", *words])
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert done == code, text
    assert "Traceback" not in text and "detc itself failed" not in text
    return text


def test_check_counts_and_groups(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "check", "mine.det")
    assert "cells.train: 6 pictures" in out and "cells.val: 2 pictures" in out and "problem" in out
    (folder / "cells/JPEGImages/p3.png").write_bytes(b"")
    (folder / "cells/Annotations/p5.xml").write_text("<annotation>" + box("horse", 1, 1, 9, 9) + "</annotation>")
    out = run(
        capsys, "check", "--format", "voc", "--root", "cells", "--set", 'classes=["cat", "dog"]', "-o", "found.json"
    )
    assert "broken image" in out and "unknown class" in out and "2 problems in 1 split" in out
    found = json.loads((folder / "found.json").read_text())
    assert {p["kind"] for p in found["splits"][0]["problems"]} == {"broken image", "unknown class"}
    run(capsys, "check", "mine.det", "--strict", code=1)
    (folder / "cells/ImageSets/Main/train.txt").write_text("")
    assert "lists no picture" in run(capsys, "check", "mine.det", code=1)


def test_check_tells_of_pictures_in_two_splits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cells/ImageSets/Main/test.txt").write_text("p1\np2\n")
    out = run(capsys, "check", "mine.det", "--set", "data.cells.test=test")
    assert "pictures of test are in" in out


def test_stats_are_printed_or_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "stats", "mine.det", "--split", "train")
    assert "boxes a class" in out and "60x40" in out
    run(capsys, "stats", "mine.det", "-o", "stats.html")
    assert "<svg" in (folder / "stats.html").read_text()
    assert "no way to write counts" in run(capsys, "stats", "mine.det", "-o", "stats.doc", code=1)


def test_a_set_goes_through_all_formats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "convert", "mine.det", "--to", "yolo", "-o", "y", "--pictures", "link")
    assert (
        'data mine = data.yolo(root = path("y"), train = "images/train", val = "images/val", names = "data.yaml")'
        in out
    )
    named = ("--set", "names=data.yaml")
    run(capsys, "convert", "--format", "yolo", "--root", "y", *named, "--to", "gnetdet", "-o", "g")
    listed = ("--set", "images=JPEGImages", "--set", "names=classes.txt", "--set", "val=val.txt")
    run(capsys, "convert", "--format", "gnetdet", "--root", "g", *listed, "--to", "coco", "-o", "c")
    years = ("--set", "train=train", "--set", "val=val")
    run(capsys, "convert", "--format", "coco", "--root", "c", *years, "--to", "voc", "-o", "v")
    for n in (0, 3):
        text = (folder / f"v/Annotations/p{n}.xml").read_text()
        assert "<xmin>4</xmin><ymin>11</ymin><xmax>15</xmax><ymax>30</ymax>" in text
    assert "not empty" in run(capsys, "convert", "mine.det", "--to", "yolo", "-o", "y", code=1)
    assert sorted(p.name for p in folder.iterdir()) == ["c", "cells", "g", "mine.det", "v", "y"]


def test_subset_and_split(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "subset", "mine.det", "--split", "train", "-n", "2", "-o", "few", "--to", "voc")
    assert "few: 2 pictures" in out
    out = run(capsys, "split", "mine.det", "--shares", "50,25,25", "-o", "new", "--to", "yolo", "--classes", "dog")
    assert "(train 4, val 2, test 2), 2 boxes" in out
    assert "two or three numbers" in run(capsys, "split", "mine.det", "--shares", "1", "-o", "x", code=1)
    assert "did you mean `dog`" in run(
        capsys, "convert", "mine.det", "--to", "voc", "-o", "x", "--classes", "dgo", code=1
    )


def test_the_preview_shows_what_the_loader_feeds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "preview", "mine.det", "-n", "4", "-o", "sheet.png")
    assert "4 pictures of stage steps.one" in out
    sheet = cv2.imread(str(folder / "sheet.png"))
    assert sheet is not None
    first = sheet[6 : 6 + 448, 6 : 6 + 448].astype(int)
    red = (first[..., 2] > 180) & (first[..., 1] < 80)
    assert red[:, 224:].sum() > 20 * red[:, :224].sum()  # flipped: the left one is at the right
    out = run(capsys, "preview", "mine.det", "--split", "val", "-n", "1", "-o", "val.png")
    assert "1 pictures" in out
    assert "no stage `two`" in run(capsys, "preview", "mine.det", "--stage", "two", code=1)


def test_anchors_are_printed_in_the_heads_unit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPEC[: SPEC.index("model grids")]
    (folder / "anchored.det").write_text(spec)
    out = run(capsys, "anchors", "anchored.det")
    # The net sees 48 x 32, so boxes of 12 x 20 and 30 x 20 at 60 x 40 are 9.6 x 16 and 24 x 16: in cells of 8 x 8 ..
    assert "anchors = [(1.2, 2), (3, 2)]" in out and "mean best IoU 1.000" in out and "anchors in cells" in out
    (folder / "shares.det").write_text(spec.replace("classes = 2 }", "classes = 2  unit = image }"))
    assert "anchors = [(0.2, 0.5), (0.5, 0.5)]" in run(capsys, "anchors", "shares.det")
    maps = spec.replace(
        "  output grid = p3 |> conv(2 * 7)\n  head yolo_v2 on grid { anchors = [(1, 1), (2, 2)]  classes = 2 }",
        "  output maps = [p3 |> maxpool(2x2) |> conv(7), p3 |> conv(7)]\n"
        "  head yolo_v3 on maps { anchors = [(5, 5), (9, 9)]  masks = [[1], [0]]  classes = 2 }",
    )
    (folder / "pixels.det").write_text(maps)
    assert "anchors = [(9.6, 16), (24, 16)]" in run(capsys, "anchors", "pixels.det")
    (folder / "levels.det").write_text(
        maps.replace("yolo_v3", "yolo_v2").replace(
            "anchors = [(5, 5), (9, 9)]  masks = [[1], [0]]", "anchors = [[(1, 1)], [(1, 1)]]"
        )
    )
    assert "anchors = [[(1.5, 1)], [(1.2, 2)]]" in run(
        capsys, "anchors", "levels.det"
    )  # the coarse map has the large one
    assert "cannot be made of 2 different boxes" in run(capsys, "anchors", "anchored.det", "-n", "3", code=1)
    assert "0 heads with anchors" in run(capsys, "anchors", "mine.det", code=1)


@pytest.mark.parametrize("topic", ["coco", "voc", "bdd100k", "yolo", "gnetdet", "folders"])
def test_help_tells_the_layout(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "help", topic)
    assert "in a spec:" in out and max(map(len, out.splitlines())) <= 150


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check"], "either SPEC, or --format"),
        (["check", "mine.det", "--format", "voc"], "either SPEC, or --format"),
        (["check", "--format", "voc"], "needs --root"),
        (["check", "--format", "voc", "--root", "nowhere"], "there is no data folder"),
        (["check", "--format", "voc", "--root", "cells", "--set", "tain=x"], "did you mean"),
        (["check", "--format", "yolo", "--root", "cells"], "needs its classes"),
        (["check", "--format", "voc", "--root", "cells", "--set", "train=../x"], "leaves the data's root"),
        (["check", "mine.det", "--data", "cels"], "did you mean `cells`?"),
        (["check", "mine.det", "--split", "test"], "has no split `test`"),
        (["check", "none.det"], "CMD101"),
        (["check", "mine.det", "--set", "x"], ""),
        (["check", "mine.det", "--splt", "val"], "did you mean `--split`?"),
        (["preview", "--format", "voc", "--root", "cells"], "needs a spec"),
        (["subset", "mine.det", "-n", "0", "-o", "x"], "at least 1 picture"),
        (["convert", "mine.det", "-o", "x"], "--to"),
    ],
)
def test_mistakes_are_told(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert message in run(capsys, *words, code=1)


def test_a_set_that_names_no_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bare.det").write_text("param n: int = 1\n")
    assert "has no data block" in run(capsys, "check", "bare.det", code=1)
