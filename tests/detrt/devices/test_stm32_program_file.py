"""A program's files: what is written is read back, and nothing that is damaged or made up gets through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from int8_nets import program

from detrt.devices.errors import ArtifactError
from detrt.devices.stm32.checking import check_program
from detrt.devices.stm32.program_file import ARRAYS, JSON, load_program, same_program, save_program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("program")
    save_program(program(0), made)
    return made


def changed(folder: Path, into: Path, content: Any) -> Path:
    """A copy of the files with other steps."""
    into.mkdir(exist_ok=True)
    (into / JSON).write_text(json.dumps(content))
    (into / ARRAYS).write_bytes((folder / ARRAYS).read_bytes())
    return into


def test_two_writings_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    save_program(program(0), tmp_path)
    assert all((tmp_path / name).read_bytes() == (folder / name).read_bytes() for name in (JSON, ARRAYS))
    assert same_program(load_program(folder), program(0)) and not same_program(program(1), program(0))


def test_damaged_files_are_refused_with_their_names(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=JSON):
        load_program(tmp_path)
    content = json.loads((folder / JSON).read_bytes())
    changed(folder, tmp_path, content)
    load_program(tmp_path)
    (tmp_path / ARRAYS).write_bytes((folder / ARRAYS).read_bytes()[:1000])
    with pytest.raises(ArtifactError, match=ARRAYS):
        load_program(tmp_path)


def test_arrays_are_no_larger_than_promised_and_never_objects(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / JSON).read_bytes())
    changed(folder, tmp_path, content)
    arrays = dict(np.load(folder / ARRAYS))
    key = next(iter(arrays))
    for other in (np.array([{}], object), np.zeros(1 << 20, arrays[key].dtype), arrays[key].astype(np.float64)):
        np.savez(tmp_path / ARRAYS, **{**arrays, key: other})
        with pytest.raises(ArtifactError, match=key.partition(".")[2]):
            load_program(tmp_path)


PLACES = st.sampled_from(["schema", "input", "outputs", "aliases", "tensors", "steps", "name"])
ODD = st.sampled_from(
    [None, -1, 0, 10**12, 1.5, float("nan"), "x", [], {}, [[1]], True, {"array": "0.weight", "shape": [10**9]}]
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), PLACES, ODD)
def test_whatever_is_put_anywhere_is_refused_or_runs(
    folder: Path, tmp_path: Path, random: Any, place: str, odd: Any
) -> None:
    content = json.loads((folder / JSON).read_bytes())
    spot: Any = content
    while True:
        keys = list(spot) if isinstance(spot, dict) else range(len(spot))
        key = place if spot is content else random.choice(list(keys))
        if not isinstance(spot[key], dict | list) or not spot[key] or random.random() < 0.15:
            break
        spot = spot[key]
    spot[key] = odd
    try:
        read = load_program(changed(folder, tmp_path, content))
    except ArtifactError:
        return
    assert not check_program(read)
