"""A checkpoint belongs to a model, not to the version of the lock that described it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from detc.cli import main
from detrt.lock import read_lock

# of examples/bccd-gti5801 as the first version of the lock described it; its recorded checkpoints carry it
FIRST = "3a1a243c85827e1f86a7a42b6be136fd2181a7e893b885a061eea8864b11c7eb"
SPEC = Path(__file__).parents[3] / "examples" / "bccd-gti5801" / "bccd.det"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    assert main(["build", str(SPEC), "--build", str(folder), "-q"]) == 0
    return folder / "spec.lock.json"


def test_new_keys_that_say_nothing_leave_the_identity_as_it_was(built: Path) -> None:
    assert read_lock(built).model_sha256("bloodnet") == FIRST


@pytest.mark.parametrize("change", ["weight_norm", "end", "resize", "names"])
def test_a_model_that_computes_otherwise_has_another_identity(change: str, built: Path) -> None:
    raw = copy.deepcopy(json.loads(built.read_text()))
    nodes = raw["model"]["nodes"]
    if change == "weight_norm":
        next(node for node in nodes if node["op"] == "conv")["attributes"]["weight_norm"] = True
    elif change == "end":
        next(node for node in nodes if node["op"] == "maxpool")["attributes"]["end"] = [1, 1]
    elif change == "resize":
        raw["model"]["input"]["resize"]["mode"] = "letterbox"
    else:
        raw["model"]["heads"][0]["options"]["boxes"] = 3
    built.with_name("other.lock.json").write_text(json.dumps(raw))
    assert read_lock(built.with_name("other.lock.json")).model_sha256("bloodnet") != FIRST
