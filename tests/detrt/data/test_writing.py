"""From format to format and back: the same pictures, boxes, classes and flags."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import format_makers as make
import numpy as np
import pytest

from detrt.data import Annotation, DataSet, open_dataset
from detrt.data.check import check_labels
from detrt.data.sample import Picture
from detrt.data.select import joined, only_classes, parted, some
from detrt.data.stats import stats_of
from detrt.data.stats_page import write_stats
from detrt.data.writing import FORMS, write_set
from detrt.errors import DetrtError


def block(form: str, root: Path, classes: list[str]) -> dict[str, object]:
    where: dict[str, object] = {
        "voc": {"split": "train"},
        "coco": {"images": "train", "annotations": "annotations/instances_train.json"},
        "yolo": {"images": "images/train"},
        "gnetdet": {"list": "train.txt", "images": "JPEGImages"},
    }[form]
    names = {"yolo": "data.yaml", "gnetdet": "classes.txt"}.get(form)
    numbered = form in ("yolo", "gnetdet")
    return {
        "format": form,
        "root": str(root),
        "classes": None if numbered else classes,
        "train": where,
        "options": {"names": names, "crowd": True, "difficult": True},
    }


def odd_set(folder: Path) -> DataSet:
    """Fractions, flags, no boxes, a name with blanks, and class names that need quoting."""
    rng, pictures = np.random.default_rng(3), []
    for n in range(6):
        path = make.picture(folder / f"p {n}.png", (37 + n, 29))
        count = n % 4
        corners = rng.uniform(0, 12, (count, 2)).astype(np.float32)
        boxes = np.hstack([corners, corners + rng.uniform(1, 14, (count, 2)).astype(np.float32)])
        note = Annotation.of(
            boxes.tolist(), [k % 3 for k in range(count)], [False] * count, [k == 1 for k in range(count)]
        )
        pictures.append(Picture(f"p {n}", path, 37 + n, 29, note))
    names = ('a "b": c', "größe & <x>", "it's, [so]")
    return DataSet(
        "odd", "train", names, tuple(pictures), open_dataset(make.voc(folder / "v"), "train", folder).read_image
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("back", FORMS)
def test_there_and_back(form: str, back: str, tmp_path: Path) -> None:
    dataset = odd_set(tmp_path / "set")
    write_set(tmp_path / "there", {"train": dataset}, form)
    there = open_dataset(block(form, tmp_path / "there", list(dataset.classes)), "train", tmp_path)
    write_set(tmp_path / "back", {"train": there}, back, pictures="link")
    usable, report = check_labels(
        open_dataset(block(back, tmp_path / "back", list(dataset.classes)), "train", tmp_path)
    )
    assert usable.classes == dataset.classes
    assert not report.notices
    assert [p.path.name for p in usable] == [f"p_{n}.png" for n in range(6)]
    for old, new in zip(dataset, usable, strict=True):
        np.testing.assert_allclose(new.annotation.boxes, old.annotation.boxes, atol=2e-5)
        assert new.annotation.labels.tolist() == old.annotation.labels.tolist()
        if {form, back} <= {"voc", "coco"}:
            assert new.annotation.difficult.tolist() == old.annotation.difficult.tolist()
    assert os.stat(usable.pictures[0].path).st_nlink == 2


def test_whole_pixels_come_back_exactly_and_lost_flags_are_told(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)
    hard = replace(dataset.pictures[0].annotation, difficult=np.array([True, False]))
    dataset = replace(dataset, pictures=(replace(dataset.pictures[0], annotation=hard), dataset.pictures[1]))
    done = write_set(tmp_path / "list", {"train": dataset}, "gnetdet")
    assert (done.pictures, done.boxes, done.lost) == (2, 3, {"difficult": 1})
    assert (tmp_path / "list/train.txt").read_text() == "a.jpg 1 1 40 30 1 5 7 12 16 0\nb.jpg 11 6 30 25 0\n"
    assert write_set(tmp_path / "voc", {"train": dataset}, "voc").lost == {}


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("detrt.data.writing.tree.shutil.copyfile", full)
    with pytest.raises(DetrtError, match="No space left on device"):
        write_set(tmp_path / "new", {"train": dataset}, "coco")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    with pytest.raises(DetrtError, match="not empty"):
        write_set(tmp_path / "full", {"train": dataset}, "coco")


def test_frames_and_synthetic_pictures_are_written_as_files(tmp_path: Path) -> None:
    data = {"format": "synthetic", "train": {"images": 3, "seed": 1}, "options": {"size": [64, 48]}}
    dataset = open_dataset(data, "train", tmp_path)
    write_set(tmp_path / "out", {"train": dataset}, "yolo")
    usable, report = check_labels(open_dataset(block("yolo", tmp_path / "out", []), "train", tmp_path))
    assert (len(usable), report.boxes) == (3, dataset.box_count())
    assert np.array_equal(usable.load(1).image, dataset.load(1).image)


def test_classes_are_chosen_and_numbered_anew(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path), "train", tmp_path)
    dogs = only_classes(dataset, ["dog"], drop_empty=True)
    assert [(p.id, p.annotation.labels.tolist()) for p in dogs] == [("a", [0])]
    with pytest.raises(DetrtError, match="did you mean `dog`"):
        only_classes(dataset, ["dgo"])


def counted(labels: list[list[int]]) -> DataSet:
    pictures = tuple(
        Picture(f"p{n:03d}", Path(f"p{n:03d}.jpg"), 10, 10, Annotation.of([[0, 0, 5, 5]] * len(row), row))
        for n, row in enumerate(labels)
    )
    return DataSet("d", "train", ("x", "y", "z"), pictures, lambda p: np.zeros((10, 10, 3), np.uint8), on_disk=False)


def test_a_balanced_subset_holds_the_rare_class() -> None:
    dataset = counted([[0, 0, 0]] * 90 + [[1]] * 8 + [[2]] * 2)
    chosen = some(dataset, 6, seed=1)
    assert len(chosen) == 6 and {n for p in chosen for n in p.annotation.labels.tolist()} == {0, 1, 2}
    assert [p.id for p in some(dataset, 6, seed=1)] == [p.id for p in chosen]
    assert len(some(dataset, 500)) == 100 and len(some(dataset, 7, balanced=False)) == 7


def test_splits_have_their_shares_and_share_nothing() -> None:
    dataset = counted([[0]] * 100)
    parts = parted(dataset, {"train": 70, "val": 20, "test": 10}, seed=2)
    assert {name: len(part) for name, part in parts.items()} == {"train": 70, "val": 20, "test": 10}
    assert len({p.id for part in parts.values() for p in part}) == 100
    again = joined([parts["train"], parts["train"]])
    assert len({p.id for p in again}) == 70 and again.pictures[0].id.startswith("train/")
    with pytest.raises(DetrtError, match="`test` would be empty"):
        parted(counted([[0]] * 3), {"train": 98, "test": 1})


def test_counts_of_blood_cells_and_tiny_coco(shared: Path, tmp_path: Path) -> None:
    where = {"images": "train2017", "annotations": "annotations/instances_train2017.json"}
    data = {"format": "coco", "root": "data/coco_mini", "train": where, "options": {"crowd": True}}
    stats = stats_of(check_labels(open_dataset(data, "train", shared))[0])
    assert (stats.pictures, stats.boxes) == (13, 74)
    assert stats.small + stats.medium + stats.large == 74 == sum(n for _, n in stats.charts[1].rows)
    assert sum(boxes for _, boxes, _ in stats.per_class) == 74
    assert sum(n for _, n in stats.charts[3].rows) == 13
    assert any("width / height" in line for line in stats.lines())
    for suffix in ("html", "png", "json"):
        write_stats(tmp_path / f"s.{suffix}", [stats], "coco mini")
        assert (tmp_path / f"s.{suffix}").stat().st_size > 1000
    with pytest.raises(DetrtError, match=r"no way to write counts as `.doc`"):
        write_stats(tmp_path / "s.doc", [stats], "x")
