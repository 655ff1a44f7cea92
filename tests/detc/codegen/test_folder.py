"""The build folder: whole or untouched, deterministic, and never over what the user changed."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detc.codegen import manifest
from detc.codegen.folder import plan_changes, summary, write

FACTS: dict[str, Any] = {"spec": {"name": "net", "sha256": "00"}, "tools": {"detc": "0.1.0"}, "seeds": {}}
FILES = {"model.py": "one\ntwo\n", "train.py": "train\n", "report/page.html": "<p>é</p>\n"}


def listing(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def actions(out: Path, files: dict[str, str], force: bool = False) -> dict[str, str]:
    return {c.path: c.action for c in plan_changes(out, files, force)}


def test_two_builds_are_equal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert not write(tmp_path / name, FILES, FACTS).findings
    assert listing(tmp_path / "a") == listing(tmp_path / "b")
    before = listing(tmp_path / "a")
    assert {c.action for c in write(tmp_path / "a", FILES, FACTS).changes} == {"unchanged"}
    assert listing(tmp_path / "a") == before


def test_plan_writes_nothing(tmp_path: Path) -> None:
    assert actions(tmp_path / "new", FILES) == dict.fromkeys(FILES, "create")
    assert not (tmp_path / "new").exists()
    assert summary(plan_changes(tmp_path / "new", FILES)) == "3 to create"


def test_untouched_files_are_updated_with_a_diff(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    (change,) = [c for c in plan_changes(tmp_path, {**FILES, "model.py": "one\nthree\n"}) if c.action != "unchanged"]
    assert (change.path, change.action) == ("model.py", "update")
    assert change.diff.splitlines()[1:] == [" one", "-two", "+three"]
    write(tmp_path, {**FILES, "model.py": "one\nthree\n"}, FACTS)
    assert (tmp_path / "model.py").read_text() == "one\nthree\n"


def test_an_edited_file_is_kept_and_the_new_version_put_beside_it(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    edited, new = tmp_path / "model.py", tmp_path / "model.py.new"
    edited.write_text("mine\n")
    assert actions(tmp_path, FILES)["model.py"] == "kept"
    outcome = write(tmp_path, FILES, FACTS)
    assert not outcome.findings and edited.read_text() == "mine\n" and not new.exists()

    later = {**FILES, "model.py": "newer\n"}
    assert actions(tmp_path, later)["model.py"] == "edited"
    outcome = write(tmp_path, later, FACTS)
    assert [f.code for f in outcome.findings] == ["BLD101"]
    assert outcome.findings[0].level == "warning" and "model.py.new" in outcome.findings[0].message
    assert edited.read_text() == "mine\n" and new.read_text() == "newer\n"

    write(tmp_path, later, FACTS)
    assert new.exists(), "the offer stays until it is taken"
    edited.write_text("newer\n")
    assert not write(tmp_path, later, FACTS).findings
    assert not new.exists(), "taken over: the offer goes away"


def test_force_takes_the_new_version(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    (tmp_path / "model.py").write_text("mine\n")
    assert actions(tmp_path, FILES, force=True)["model.py"] == "update"
    assert not write(tmp_path, FILES, FACTS, force=True).findings
    assert (tmp_path / "model.py").read_text() == FILES["model.py"]


def test_an_edited_offer_is_not_removed(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    (tmp_path / "model.py").write_text("mine\n")
    write(tmp_path, {**FILES, "model.py": "newer\n"}, FACTS)
    (tmp_path / "model.py.new").write_text("mine too\n")
    write(tmp_path, {**FILES, "model.py": "newer\n"}, FACTS, force=True)
    assert (tmp_path / "model.py.new").read_text() == "mine too\n"


def test_a_strange_folder_is_not_written_over(tmp_path: Path) -> None:
    """Files of the same names that detc never wrote are the user's."""
    (tmp_path / "train.py").write_text("my own\n")
    outcome = write(tmp_path, FILES, FACTS)
    assert [f.code for f in outcome.findings] == ["BLD101"]
    assert (tmp_path / "train.py").read_text() == "my own\n"


def test_files_that_are_no_longer_made_go_unless_edited(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "export.py": "x\n", "old.py": "y\n"}, FACTS)
    (tmp_path / "old.py").write_text("mine\n")
    assert actions(tmp_path, FILES) == {**dict.fromkeys(FILES, "unchanged"), "export.py": "delete"}
    write(tmp_path, FILES, FACTS)
    assert not (tmp_path / "export.py").exists() and (tmp_path / "old.py").read_text() == "mine\n"


def test_a_deleted_file_comes_back(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    (tmp_path / "train.py").unlink()
    assert actions(tmp_path, FILES)["train.py"] == "create"


def test_results_are_never_touched(tmp_path: Path) -> None:
    """Not even where a forged manifest claims them, or files outside."""
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "artifacts").mkdir()
    for path in ("runs/a", "artifacts/chip.dat"):
        (out / path).write_text("x")
    sum_ = manifest.digest(b"x")
    claimed = ["runs/a", "artifacts/chip.dat", "../outside.txt", str(outside), "runs/../runs/a", "."]
    (out / "MANIFEST.json").write_text(json.dumps({"schema": 1, "files": dict.fromkeys(claimed, sum_)}))
    assert set(actions(out, FILES).values()) == {"create"}
    write(out, FILES, FACTS)
    assert outside.exists() and (out / "runs/a").exists() and (out / "artifacts/chip.dat").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 2}', '{"schema": 1, "files": 3}', "[" * 100_000, "\xff"])
def test_a_broken_manifest_makes_every_file_the_users(tmp_path: Path, text: str) -> None:
    write(tmp_path, FILES, FACTS)
    (tmp_path / "MANIFEST.json").write_bytes(text.encode("latin-1"))
    assert actions(tmp_path, {**FILES, "model.py": "newer\n"})["model.py"] == "edited"


@pytest.mark.parametrize("link", ["model.py", "report", "MANIFEST.json", "train.py.new"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / link).symlink_to(elsewhere / "target" if link != "report" else elsewhere)
    outcome = write(out, FILES, FACTS)
    assert {f.code for f in outcome.findings} == {"BLD102"} and not outcome.changes
    assert not list(elsewhere.iterdir()) and [p.name for p in out.iterdir()] == [link]


def test_a_folder_in_the_way_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "model.py").mkdir()
    (tmp_path / "model.py" / "x").write_text("x")
    assert [f.code for f in write(tmp_path, FILES, FACTS).findings] == ["BLD101"]
    assert (tmp_path / "model.py" / "x").exists() and (tmp_path / "model.py.new").read_text() == FILES["model.py"]
    file = tmp_path / "file"
    file.write_text("x")
    assert [f.code for f in write(file, FILES, FACTS).findings] == ["BLD103"]


@pytest.mark.parametrize("failing", range(4))
def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    write(tmp_path, FILES, FACTS)
    before = listing(tmp_path)
    count = 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count > failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = write(tmp_path, {name: text + "more\n" for name, text in FILES.items()}, FACTS)
    assert [f.code for f in outcome.findings] == ["BLD103"] and "No space left" in outcome.findings[0].message
    assert listing(tmp_path) == before


def test_ctrl_c_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES, FACTS)
    before = listing(tmp_path)

    def stop(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, {"model.py": "newer\n"}, FACTS)
    assert listing(tmp_path) == before


def test_leftovers_of_a_killed_build_are_cleared(tmp_path: Path) -> None:
    write(tmp_path, FILES, FACTS)
    dead, mine = tmp_path / ".model.py.4194300.tmp", tmp_path / f".model.py.{os.getppid()}.tmp"
    dead.write_text("half")
    mine.write_text("half")
    write(tmp_path, {**FILES, "model.py": "newer\n"}, FACTS)
    assert not dead.exists() and mine.exists()


@given(st.lists(st.tuples(st.sampled_from(["edit", "build", "force", "remove"]), st.integers(0, 3)), max_size=8))
def test_an_edit_is_never_lost(tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int]]) -> None:
    """Whatever order of builds and edits: a file with the user's text keeps it until --force or until it is removed."""
    out = tmp_path_factory.mktemp("build")
    mine: str | None = None
    for move, version in moves:
        if move == "edit":
            mine = f"mine {version}\n"
            (out / "model.py").write_text(mine)
        elif move == "remove":
            mine = None
            (out / "model.py").unlink(missing_ok=True)
        else:
            write(out, {"model.py": f"version {version}\n"}, FACTS, force=move == "force")
            mine = None if move == "force" else mine
        if mine is not None:
            assert (out / "model.py").read_text() == mine
