"""The cache on disk changes the speed only."""

from __future__ import annotations

import os
from pathlib import Path

import format_makers as make
import numpy as np
import pytest

from detrt.data import open_dataset
from detrt.data.cache import picture_cache
from detrt.data.disk_cache import default_folder
from detrt.errors import DetrtError


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)
    settings = {"name": "disk", "folder": str(tmp_path / "cache"), "size": 10**6}
    fresh = [dataset.load(index).image for index in range(2)]
    for _ in range(2):
        cache = picture_cache(dataset, settings)
        assert all(np.array_equal(cache[index], fresh[index]) for index in range(2))
    entries = sorted((tmp_path / "cache").glob("??/*.npy"))
    assert len(entries) == 2 and all(len(e.parent.name + e.stem) == 64 for e in entries)
    for entry in entries:
        entry.write_bytes(b"\x93NUMPY\x01\0garbage")
    assert np.array_equal(picture_cache(dataset, settings)[1], fresh[1])


def test_a_changed_picture_is_read_anew(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)
    settings = {"name": "disk", "folder": str(tmp_path / "cache"), "size": None}
    before = picture_cache(dataset, settings)[0]
    path = make.picture(dataset.pictures[0].path, grey=200)
    os.utime(path, ns=(1, 1))
    assert not np.array_equal(picture_cache(dataset, settings)[0], before)


def test_the_limit_holds_over_runs(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)
    room = dataset.load(0).image.nbytes + 200
    for index in (0, 1):
        picture_cache(dataset, {"name": "disk", "folder": str(tmp_path / "cache"), "size": room})[index]
    assert len(list((tmp_path / "cache").glob("??/*.npy"))) == 1


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path / "set"), "train", tmp_path)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DetrtError, match="cannot use the cache folder"):
        picture_cache(dataset, {"name": "disk", "folder": str(tmp_path / "cache"), "size": 1})


def test_the_usual_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "detc/pictures"


def test_no_cache_keeps_nothing(tmp_path: Path) -> None:
    dataset = open_dataset(make.voc(tmp_path), "train", tmp_path)
    cache = picture_cache(dataset, None)
    assert cache[0] is not cache[0]
    kept = picture_cache(dataset, {"name": "ram", "size": None})
    assert kept[0] is kept[0]


def test_a_run_may_keep_pictures_elsewhere(tmp_path: Path) -> None:
    from detrt.lock import parse_lock
    from detrt.train.options import parse_options

    lock = {
        "schema": 1, "spec": {"name": "x"}, "data": {"d": {"format": "voc"}},
        "model": {"name": "m", "class": "M", "nodes": [], "outputs": {}, "input": {
            "name": "f", "shape": [3, 8, 8], "encoding": {"kind": "u5"}}},
    }  # fmt: skip
    for words, cache in (
        ([], None),
        (["--cache", "none"], None),
        (["--cache", "here"], "disk"),
        (["--cache", "ram"], "ram"),
    ):
        found = parse_options(words).applied(parse_lock(lock)).raw["data"]["d"].get("options", {}).get("cache")
        assert (found and found["name"]) == cache
