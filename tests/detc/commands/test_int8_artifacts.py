"""Artifacts of an int8 net: what is in the folder, that it computes what the trained net does, and what a broken one says."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")

from detc.cli import main  # noqa: E402
from detrt.data.encode import Encoding  # noqa: E402
from detrt.devices.errors import ArtifactError  # noqa: E402
from detrt.devices.stm32 import exporting  # noqa: E402
from detrt.devices.stm32.artifacts import load_artifacts  # noqa: E402
from detrt.devices.stm32.calibration import measure_ranges  # noqa: E402
from detrt.devices.stm32.stages import prepare  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402
from detrt.heads import build_decoder  # noqa: E402
from detrt.lock import read_lock  # noqa: E402
from detrt.predictor import model_classes, open_artifacts  # noqa: E402

BOARD = "stm32h747i_disco"
SPEC = """\
data shapes = data.synthetic(train = 8 images, val = 4 images, size = [48, 48])

model pocket extends detector {
  input frame: u8[3, 48, 32] = camera(order = bgr, scale = 255)
  let body = frame |> conv(8, s = 2) |> bn |> relu |> depthwise(3x3) |> bn |> relu |> conv(16, k = 1x1) |> silu |> maxpool(2x2)
  let more = body + (body |> conv(16) |> bn |> relu)
  output grid = more |> conv(3 * 8, k = 1x1)
  head yolo_v2 on grid { classes = 3  anchors = [[1.5, 1.5], [3, 3], [5, 5]]  score = 0.01 }
}

train steps on pocket { stage float { epochs = 1 } }
"""


class Build:
    """The spec built for a board, with weights and ranges that nobody trained."""

    def __init__(self, folder: Path) -> None:
        (folder / "pocket.det").write_text(SPEC)
        self.folder = folder / "build"
        assert main(["build", str(folder / "pocket.det"), "--target", BOARD, "-o", str(self.folder)]) == 0
        self.lock = read_lock(self.folder / "spec.lock.json")
        torch.manual_seed(0)
        self.model = model_classes(self.folder, self.lock)["pocket"]().eval()
        self.encoding = Encoding.of(self.lock.raw["model"]["input"])
        batch = self.encoding.tensor(torch.from_numpy(self.pictures(4)))
        self.caps = measure_ranges(self.model, self.lock.raw, [batch], [{"name": "minmax", "q": None}])[0]

    def pictures(self, count: int, seed: int = 0) -> Any:
        return np.random.default_rng(seed).integers(0, 256, (count, 48, 32, 3), dtype=np.uint8)

    def export(self, out: Path) -> dict[str, Any]:
        return exporting.export(self.lock.raw, self.model.state_dict(), self.caps, out)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return Build(tmp_path_factory.mktemp("pocket"))


@pytest.fixture(scope="module")
def exported(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts") / "a"
    build.export(folder)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_folder_holds_program_code_and_what_a_host_needs(exported: Path) -> None:
    names = set(hashes(exported))
    assert {"MANIFEST.json", "detector.json", "labels.txt", "program.json", "program.npz", "c/network.c"} <= names
    assert (exported / "labels.txt").read_text() == "disc\nsquare\ntriangle\n"
    manifest = json.loads((exported / "MANIFEST.json").read_text())
    assert manifest["target"] == BOARD and "stm32" in manifest["lineage"]
    assert set(manifest["files"]) == names - {"MANIFEST.json"}


def test_it_predicts_what_the_int8_stage_does_bit_for_bit(build: Build, exported: Path) -> None:
    import copy

    stage = {"quantize": {"int8": {"stage": "steps.int8"}}}
    int8 = prepare(copy.deepcopy(build.model), build.lock.raw, stage, build.caps).eval()
    artifact = load_artifacts(exported)
    pictures = build.pictures(3, seed=1)
    with torch.no_grad():
        wanted = int8(build.encoding.tensor(torch.from_numpy(pictures))).numpy()
    for picture, expected in zip(pictures, wanted, strict=True):
        assert np.array_equal(artifact.predict(picture), expected)
        assert len(artifact.detect(picture)) > 0


def test_its_post_processing_finds_what_the_float_decoder_does(build: Build, exported: Path) -> None:
    """Whole numbers move a score by less than a thousandth, and a box by less than a hundredth of the picture."""
    artifact = load_artifacts(exported)
    decode = build_decoder(artifact.head)
    for picture in build.pictures(3, seed=2):
        found, wanted = artifact.detect(picture), decode(artifact.predict(picture))
        assert abs(len(found) - len(wanted)) <= 1
        assert found.scores[0] == pytest.approx(wanted.scores[0], abs=1e-3)
        assert found.boxes[0] == pytest.approx(wanted.boxes[0], abs=1e-2)


def test_a_picture_of_any_size_goes_through_the_predictor(exported: Path) -> None:
    predictor = open_artifacts(exported)
    assert (predictor.kind, predictor.classes) == (f"{BOARD} artifacts", ("disc", "square", "triangle"))
    assert predictor.detect(np.full((77, 120, 3), 90, np.uint8)).boxes.shape[1] == 4


def test_exporting_twice_gives_the_same_bytes_and_keeps_what_a_user_put_there(build: Build, tmp_path: Path) -> None:
    out = tmp_path / "a"
    build.export(out)
    first = hashes(out)
    (out / "c" / "mine.c").write_text("int mine;\n")
    (out / "notes.txt").write_text("of a user\n")
    build.export(out)
    assert {name: value for name, value in hashes(out).items() if name in first} == first
    assert (out / "c" / "mine.c").read_text() == "int mine;\n" and (out / "notes.txt").is_file()
    load_artifacts(out)


@pytest.mark.parametrize("name", ["program.json", "program.npz", "detector.json", "c/network.c", "MANIFEST.json"])
@pytest.mark.parametrize("harm", ["gone", "cut", "flipped"])
def test_a_damaged_file_is_named(exported: Path, tmp_path: Path, name: str, harm: str) -> None:
    folder = tmp_path / "a"
    shutil.copytree(exported, folder)
    path = folder / name
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        middle = len(data) // 2
        path.write_bytes(
            data[:middle] if harm == "cut" else data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        )
    with pytest.raises(ArtifactError) as refused:
        load_artifacts(folder)
    assert name in refused.value.place


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "c/../../x", "c\\x"])
def test_a_manifest_that_leaves_its_folder_is_refused(exported: Path, tmp_path: Path, name: str) -> None:
    from detrt.devices.artifacts_folder import _seal

    folder = tmp_path / "a"
    shutil.copytree(exported, folder)
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    (folder / "MANIFEST.json").write_text(json.dumps({**manifest, "seal": _seal(manifest)}))
    with pytest.raises(ArtifactError, match="no file of the folder"):
        load_artifacts(folder)


def full(path: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(path: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("stop", "raised"), [(full, ArtifactError), (interrupted, KeyboardInterrupt)])
def test_a_stopped_export_leaves_the_old_folder_as_it_was(
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: Callable[[object], None],
    raised: type[BaseException],
) -> None:
    out = tmp_path / "a"
    build.export(out)
    before = hashes(out)
    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(raised):
        build.export(out)
    assert hashes(out) == before and [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        ({}, "nothing was calibrated"),
        ({"grid.low": 0.0, "grid.high": float("nan")}, "no number"),
        ({"grid": 1.0}, "no end of a range"),
    ],
)
def test_ranges_that_do_not_fit_are_refused(build: Build, tmp_path: Path, caps: dict[str, float], message: str) -> None:
    with pytest.raises(DetrtError, match=message):
        exporting.export(build.lock.raw, build.model.state_dict(), caps, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_folder_of_something_else_is_left_alone(build: Build, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not an artifacts folder"):
        build.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_weights_that_are_no_numbers_are_refused_by_layer(build: Build, tmp_path: Path) -> None:
    state = dict(build.model.state_dict())
    key = next(key for key in state if key.endswith("weight") and state[key].dim() == 4)
    state[key] = torch.full_like(state[key], float("nan"))
    with pytest.raises(DetrtError, match=key.removesuffix(".weight").split(".")[0]):
        exporting.export(build.lock.raw, state, build.caps, tmp_path / "a")
