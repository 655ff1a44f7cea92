"""Files that are no specs are refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detc.syntax.reading import MAX_BYTES, read_source


def code(path: Path) -> str:
    source, (finding,) = read_source(path)
    assert source is None and finding.level == "error"
    assert str(path) in finding.message
    return finding.code


def test_text_comes_back_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.det"
    path.write_bytes(b"\xef\xbb\xbfx = 1\r\n# \xc3\xa9\r\n")
    source, findings = read_source(path, "shown.det")
    assert not findings and source is not None
    assert (source.path, source.text) == ("shown.det", "x = 1\r\n# \u00e9\r\n")


@pytest.mark.parametrize("data", [b"x = 1\0", b"x = \xff", b"\xc3", "x = 1".encode("utf-16")])
def test_what_is_not_utf_8_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.det"
    path.write_bytes(data)
    assert code(path) == "SYN102"


def test_ten_megabytes_are_refused_by_their_first(tmp_path: Path) -> None:
    path = tmp_path / "a.det"
    with path.open("wb") as file:
        file.truncate(10_000_000)
    assert code(path) == "SYN103"
    path.write_bytes(b"#" * MAX_BYTES)
    assert read_source(path)[0] is not None


def test_no_file_a_folder_or_a_pipe(tmp_path: Path) -> None:
    assert code(tmp_path / "missing.det") == "SYN101"
    assert code(tmp_path) == "SYN101"
    os.mkfifo(tmp_path / "pipe")
    assert code(tmp_path / "pipe") == "SYN101"
    assert read_source("a\0b")[1][0].code == "SYN101"
