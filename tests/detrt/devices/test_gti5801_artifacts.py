"""From checkpoint to folder and back: complete, equal to the trained model, never half-written, and honest about damage."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chip_nets import random_net  # noqa: E402
from test_gti5801_one_arithmetic import chip_stage, pictures  # noqa: E402

from detrt.data.resize import Resize  # noqa: E402
from detrt.devices.artifacts_folder import check_manifest  # noqa: E402
from detrt.devices.gti5801 import exporting as export_module  # noqa: E402
from detrt.devices.gti5801.arithmetic import quantize_input  # noqa: E402
from detrt.devices.gti5801.artifacts import load_artifacts  # noqa: E402
from detrt.devices.gti5801.chain import read_plan  # noqa: E402
from detrt.devices.gti5801.errors import ArtifactError, DeviceError  # noqa: E402
from detrt.devices.gti5801.exporting import export  # noqa: E402
from detrt.devices.gti5801.files import labels_text, yaml_string  # noqa: E402
from detrt.heads.detections import Detections  # noqa: E402
from detrt.predictor import open_artifacts  # noqa: E402

FILES = {
    "GNetDet.yaml",
    "MANIFEST.json",
    "chip.dat",
    "dat.json",
    "detector.json",
    "labels.txt",
    "model.json",
    "out.model",
    "relu_cap.txt",
}
HOSTILE = [
    'say "hi"',
    "line\nbreak",
    "naïve 猫 😀",
    "a: [b]",
    "back\\slash",
    "\x1b[31mred",
    "$(rm -rf /)",
    "\ud800",
    "'; import os; '",
]


def trained(seed: int = 1, order: str = "bgr") -> tuple[Any, dict[str, Any], dict[str, float]]:
    """A chip-stage model, its lock and made-up caps, all 31 but the last."""
    model, lock = chip_stage(seed, order=order)
    links = read_plan(lock).links
    caps = {link.relu_node: 31.0 for link in links}
    tied = {name for names in read_plan(lock).cap_groups() if len(names) > 1 for name in names}
    if links[-1].relu_node not in tied:
        caps[links[-1].relu_node] = 1.1554409
    return model, lock, caps


def files_of(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.parametrize(("seed", "order"), [(1, "bgr"), (2, "bgr"), (3, "rgb"), (6, "ycrcb"), (10, "bgr")])
def test_artifacts_predict_what_the_trained_model_does(tmp_path: Path, seed: int, order: str) -> None:
    model, lock, caps = trained(seed, order)
    report = export(lock, model.state_dict(), caps, tmp_path / "artifacts")
    assert {p.name for p in (tmp_path / "artifacts").iterdir()} == FILES
    assert report["findings"] == [] and set(report["files"]) == FILES - {"MANIFEST.json"}
    artifact = load_artifacts(tmp_path / "artifacts")
    for pixels in pictures(lock, 2, seed):
        x = torch.from_numpy(quantize_input(pixels).astype(np.float32))[None]
        with torch.no_grad():
            expected = (model(x) * report["scale"])[0].numpy()
        image = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        if order == "rgb":
            assert artifact.order == "bgr"
            image = image[:, :, ::-1]
        found = artifact.predict(image)
        assert found.dtype == np.float32 and np.array_equal(found, expected)


def test_the_files_say_how_the_host_resizes(tmp_path: Path) -> None:
    """And a predictor that is made from them does so, taking the boxes back to the picture."""
    model, lock, caps = trained(3, "grayscale")
    export(lock, model.state_dict(), caps, tmp_path / "plain")
    way = {"mode": "letterbox", "interpolation": "area", "pad": 100, "place": "topleft"}
    lock["model"]["input"]["resize"] = way
    lock["model"]["heads"][0]["options"]["grid"] = [7, 7]
    export(lock, model.state_dict(), caps, tmp_path / "boxed")
    about = json.loads((tmp_path / "boxed/detector.json").read_text())
    assert about["resize"] == way and about["order"] == "grayscale"
    said = "# The host resizes pictures: letterbox, area, grey 100 beside the picture, at topleft.\n"
    plain, boxed = ((tmp_path / name / "GNetDet.yaml").read_text() for name in ("plain", "boxed"))
    assert boxed == plain.replace("grayscale.\n", f"grayscale.\n{said}")
    predictor = open_artifacts(tmp_path / "boxed")
    assert predictor.encoding.resize == Resize("letterbox", "area", 100, "topleft")
    whole = Detections(np.array([[0, 0, 1, 1]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    predictor.model = SimpleNamespace(detect=lambda image: whole)
    assert predictor.detect(np.zeros((20, 40, 3), np.uint8)).boxes.tolist() == [[0, 0, 1, 2]]


def test_exporting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    model, lock, caps = trained()
    for name in ("one", "two"):
        export(lock, model.state_dict(), caps, tmp_path / name, vendor_inputs=True)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert set(files_of(tmp_path / "one")) == FILES | {"filter.txt", "bias.txt"}


def test_vendor_inputs_hold_the_real_numbers(tmp_path: Path) -> None:
    model, lock, caps = trained(2)
    export(lock, model.state_dict(), caps, tmp_path / "a", vendor_inputs=True)
    network = load_artifacts(tmp_path / "a").simulator.network
    for name, values in (
        ("filter.txt", [s.weight.ravel() / 2.0**s.shift for _, _, s in network.sublayers()]),
        ("bias.txt", [s.bias / 2.0**s.shift for _, _, s in network.sublayers()]),
    ):
        text = (tmp_path / "a" / name).read_text()
        assert text.split("\n") == [f"{v:.16e}" for v in np.concatenate(values)]


def test_text_files_say_what_the_host_needs(tmp_path: Path) -> None:
    model, lock, caps = trained(PLAIN)
    lock["model"]["heads"][0]["options"] |= {"names": ["car", 'a "b"'], "conf": 0.53, "score": 0.5, "nms": 0.4}
    export(lock, model.state_dict(), caps, tmp_path / "a")
    yaml = (tmp_path / "a" / "GNetDet.yaml").read_text()
    for line in (
        "CAP: 1.1554409",
        "CONF_THRESH: 0.53",
        "PROB_THRESH: 0.5",
        "NMS_THRESH: 0.4",
        'CLASS_NAMES: ["car", "a \\"b\\""]',
    ):
        assert line in yaml
    assert (tmp_path / "a" / "labels.txt").read_text() == 'car\na "b"\n'
    assert [float(v) for v in (tmp_path / "a" / "relu_cap.txt").read_text().split()] == list(caps.values())


PLAIN = next(s for s in range(1, 99) if not any(link.skip for link in read_plan(random_net(s)[1]).links))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    model, lock, caps = trained()
    lock["model"]["heads"][0]["options"]["names"] = HOSTILE
    export(lock, model.state_dict(), caps, tmp_path / "a")
    assert load_artifacts(tmp_path / "a").classes == tuple(HOSTILE)
    lines = (tmp_path / "a" / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(HOSTILE) and not any("\x1b" in line for line in lines)
    assert labels_text(["a\nb\\n"]) == "a\\nb\\\\n\n"
    assert yaml_string('a"\n\\\u2028\U000e0001') == '"a\\"\\x0a\\\\\\u2028\\U000e0001"'


def test_old_artifacts_survive_a_failing_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, lock, caps = trained()
    folder = tmp_path / "a"
    export(lock, model.state_dict(), caps, folder)
    (folder / "notes.txt").write_text("mine")
    before = files_of(folder)

    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export_module, "numbers_text", full)
    with pytest.raises(ArtifactError, match="No space left"):
        export(lock, model.state_dict(), caps, folder, vendor_inputs=True)
    assert files_of(folder) == before
    monkeypatch.undo()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ArtifactError, match="No space left"):
        export(lock, model.state_dict(), caps, folder)
    monkeypatch.undo()
    assert files_of(folder) == before and os.listdir(tmp_path) == ["a"]
    export(lock, model.state_dict(), caps, folder, vendor_inputs=True)
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "filter.txt").exists()
    export(lock, model.state_dict(), caps, folder)
    assert not (folder / "filter.txt").exists() and os.listdir(tmp_path) == ["a"]


def test_a_strangers_folder_is_left_alone(tmp_path: Path) -> None:
    model, lock, caps = trained()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    with pytest.raises(ArtifactError, match="not an artifacts folder"):
        export(lock, model.state_dict(), caps, tmp_path / "photos")
    assert os.listdir(tmp_path / "photos") == ["cat.jpg"]


@pytest.mark.parametrize("name", sorted(FILES - {"MANIFEST.json"}))
@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
def test_damage_is_named(exported: Path, tmp_path: Path, name: str, harm: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for path in exported.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = bytearray((folder / name).read_bytes())
    if harm == "remove":
        (folder / name).unlink()
    else:
        data[len(data) // 2] ^= 4
        (folder / name).write_bytes(data if harm == "flip" else data[:-1])
    with pytest.raises(ArtifactError, match=name):
        load_artifacts(folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model, lock, caps = trained()
    folder = tmp_path_factory.mktemp("exported") / "a"
    export(lock, model.state_dict(), caps, folder)
    return folder


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 1, "files": {"../x": {}, "chip.dat": {}, "detector.json": {}}}', "[" * 9999]
)
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "MANIFEST.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"MANIFEST\.json"):
        load_artifacts(tmp_path)


def test_a_manifest_vouches_for_itself_too(exported: Path, tmp_path: Path) -> None:
    """Any one bit of it flipped is noticed, in what it says of the spec as in what it says of files."""
    folder = tmp_path / "a"
    shutil.copytree(exported, folder)
    place = folder / "MANIFEST.json"
    data = place.read_bytes()
    for at in range(0, len(data) - 1, 7):
        harmed = bytearray(data)
        harmed[at] ^= 1
        place.write_bytes(harmed)
        try:
            same = json.loads(harmed) == json.loads(data)
        except ValueError:
            same = False
        if not same:
            with pytest.raises(ArtifactError):
                check_manifest(folder, ("chip.dat",), "the 5801")


def test_pictures_of_another_shape_are_refused(exported: Path) -> None:
    artifact = load_artifacts(exported)
    channels = artifact.simulator.network.input_shape[0]
    for image in (
        np.zeros((7, 7, channels), np.uint8),
        np.zeros((artifact.size, artifact.size), np.uint8),
        np.zeros((artifact.size, artifact.size, channels), np.float32),
    ):
        with pytest.raises(DeviceError):
            artifact.predict(image)


@pytest.mark.parametrize("harm", ["missing key", "other shape", "nan"])
def test_a_checkpoint_of_another_spec_is_refused(tmp_path: Path, harm: str) -> None:
    model, lock, caps = trained()
    state = dict(model.state_dict())
    name = f"{read_plan(lock).links[0].conv}.weight"
    if harm == "missing key":
        del state[name]
    elif harm == "other shape":
        state[name] = state[name][:, :, :1]
    else:
        state[name] = state[name] * float("nan")
    with pytest.raises(DeviceError, match=read_plan(lock).links[0].conv):
        export(lock, state, caps, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_what_was_clipped_is_a_finding(tmp_path: Path) -> None:
    model, lock, caps = trained(PLAIN)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    link = (
        next(link for link in read_plan(lock).links if link.bits == 8)
        if any(link.bits == 8 for link in read_plan(lock).links)
        else read_plan(lock).links[0]
    )
    state[f"{link.conv}.weight"][0, 0] = 3000.0
    findings = export(lock, state, caps, tmp_path / "a")["findings"]
    assert [f["layer"] for f in findings] == [link.conv]
    assert findings[0]["level"] == "warning" and "3000" in findings[0]["message"]


def test_running_artifacts_loads_no_torch(exported: Path) -> None:
    program = (
        "import sys; from detrt.devices import backend; m = backend('gti5801').load_artifacts(sys.argv[1]); import numpy as np;"
        "m.predict(np.zeros((m.size, m.size, m.simulator.network.input_shape[0]), np.uint8));"
        "assert 'torch' not in sys.modules and 'detc' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(exported)], check=True)


def test_the_description_is_enough_to_run(exported: Path) -> None:
    about = json.loads((exported / "detector.json").read_text())
    assert set(about) >= {"name", "size", "order", "classes", "channels", "scale", "head", "caps", "spec"}
    assert about["head"]["kind"] == "gnetdet" and about["head"]["options"]["boxes"] == 2
