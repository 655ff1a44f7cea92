"""The artifacts folder of Loihi 2: written whole, read back, run on pictures and clips, and refused where it is damaged."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py")

from loihi2_locks import lock_and_state, pictures

from detrt.devices import backend
from detrt.devices.artifacts_folder import MANIFEST
from detrt.devices.errors import ArtifactError, DeviceError
from detrt.devices.loihi2.artifacts import ArtifactModel, load_artifacts
from detrt.devices.loihi2.exporting import export
from detrt.devices.loihi2.simulator import simulate
from detrt.errors import DetrtError


def exported(folder: Path, **given: Any) -> ArtifactModel:
    lock, state = lock_and_state(**given)
    export(lock, state, None, folder)
    return load_artifacts(folder)


@pytest.fixture(scope="module")
def model(made: Path) -> ArtifactModel:
    return load_artifacts(made)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one net."""
    folder = tmp_path_factory.mktemp("loihi2") / "artifacts"
    export(*lock_and_state(), None, folder)
    return folder


def test_the_folder_holds_what_a_user_needs(made):
    names = sorted(path.name for path in made.iterdir())
    assert names == [MANIFEST, "cores.json", "cores.txt", "detector.json", "labels.txt", "network.net", "run_netx.py"]
    assert (made / "labels.txt").read_text() == "disc\nsquare\n"
    about = json.loads((made / "detector.json").read_text())
    assert (
        about["input"]["encoding"]["mean"] == [120.0, 115.0, 100.0] and about["output_scale"] == "value = state / 2^18"
    )
    assert (
        about["nets"][0]["layers"] == ["encode1", "conv0", "conv1", "conv2"] and about["nets"][0]["latency_steps"] == 3
    )
    cores = (made / "cores.txt").read_text().splitlines()
    assert cores[0] == "network: ~3 cores on ~1 chips, 3 steps a frame"
    assert cores[2].split() == ["conv0", "tiny.det:9", "6x8x8", "8x8x6", "1"]


def test_two_exports_are_the_same_bytes(made, tmp_path):
    export(*lock_and_state(), None, tmp_path / "again")
    for path in made.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_a_picture_is_held_until_the_net_has_settled(model):
    image = pictures(1)[0]
    assert model.settling == 4
    longer = model.simulate(np.repeat(model.encode(image)[None], 12, axis=0))[0]
    assert np.array_equal(model.predict(image), (longer.outputs[-1] / 2**18).astype(np.float32))
    assert not longer.events[model.settling :].any()


def test_equals_the_stage_in_time(model):
    torch = pytest.importorskip("torch")
    from detrt.devices.loihi2.forward import forward_in_time
    from detrt.devices.loihi2.plan import read_nets

    frames = pictures(5)
    lock, state = lock_and_state()
    tensors = {name: torch.from_numpy(value) for name, value in state.items()}
    clip = torch.from_numpy(np.stack([model.encoding.array(frame[None])[0] for frame in frames], -1))
    (net,) = read_nets(lock)
    wanted = forward_in_time(net, tensors, clip[None], delay_shift=True)[0].numpy()
    held = np.stack([model.encode(frame) for frame in [*frames, *[frames[-1]] * 3]])
    found = model.simulate(held)[0].outputs[3:]
    assert np.array_equal(np.moveaxis(found / 2**18, 0, -1), wanted)
    assert np.array_equal(
        model.predict(frames[0]), forward_in_time(net, tensors, clip[None, ..., :1], delay_shift=True)[0, ..., 0]
    )


def test_a_clip_gives_detections_and_events_of_each_frame(model):
    frames = pictures(6)
    found, events = model.predict_clip(frames)
    held = np.stack([model.encode(frame) for frame in [*frames, *[frames[-1]] * 3]])
    whole = simulate(model.nets[0].network, held)
    for number in range(6):
        wanted = model.decode((whole.outputs[number + 3] / 2**18).astype(np.float32))
        assert np.array_equal(found[number].boxes, wanted.boxes)
        assert events[number] == {
            name: whole.events[number + i, i] for i, name in enumerate(["encode1", "conv0", "conv1"])
        }
    assert len(found[0].boxes) and sum(events[0].values()) > sum(events[2].values()) > 0 and not sum(events[1].values())
    assert dict(model.stream().neurons) == {"encode1": 768, "conv0": 384, "conv1": 96}


def test_several_nets_give_one_list_of_maps_of_one_frame(tmp_path):
    model, frames = exported(tmp_path / "a", nets=2, deep=(3, 1)), pictures(4)
    assert sorted(path.name for path in (tmp_path / "a").glob("*.net")) == ["p0.net", "p1.net"]
    assert model.latency == 4 and model.label(model.nets[1], 0) == "p1.encode1"
    maps = model.predict(frames[0])
    assert [m.shape for m in maps["p"]] == [(14, 2 if i == 0 else 8, 2 if i == 0 else 8) for i in range(2)] or len(
        maps["p"]
    ) == 2
    found, events = model.predict_clip(np.repeat(frames[:1], 6, axis=0))
    alone = model.detect(frames[0])
    assert np.array_equal(found[-1].boxes, alone.boxes) and np.array_equal(found[-1].scores, alone.scores)
    assert set(events[0]) == {"p0.encode1", "p0.conv0", "p0.conv1", "p0.conv2", "p1.encode1", "p1.conv0"}


def test_a_model_without_a_head_gives_numbers_only(tmp_path):
    lock, state = lock_and_state()
    lock["model"]["heads"] = []
    export(lock, state, None, tmp_path / "a")
    model = load_artifacts(tmp_path / "a")
    assert model.predict(pictures(1)[0]).shape == (14, 4, 4)
    with pytest.raises(DeviceError, match="have no head"):
        model.detect(pictures(1)[0])


def test_what_is_clipped_or_could_overflow_is_told(tmp_path):
    lock, state = lock_and_state()
    state["network.conv0.weight"] = state["network.conv0.weight"] * 40
    state["network.conv1.neuron.norm.running_mean"][:] = 9
    report = export(lock, state, None, tmp_path / "a")
    told = [f"{finding['layer']}: {finding['message']}" for finding in report["findings"]]
    assert any(line.startswith("conv0: ") and "weights (the largest" in line for line in told)
    assert any(line.startswith("conv1: 6 means (the largest +9.00) lie beyond -4 .. 3.97") for line in told)
    assert any("conv0: could leave the chip's ranges at worst: sums of a step can reach" in line for line in told)
    model = load_artifacts(tmp_path / "a")
    assert not model.warnings
    for image in (np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)):
        model.predict(image)
    assert any(line.startswith("conv0: ") and "wrapped around 24 bits" in line for line in model.warnings)


def test_every_mistake_of_a_checkpoint_is_told_at_once(tmp_path):
    lock, state = lock_and_state()
    state["network.encode.threshold"] = np.array([0.01], np.float32)
    del state["network.conv0.weight"]
    state["network.conv1.neuron.norm.running_mean"][2] = np.nan
    state["network.conv2.weight"] = np.zeros((3, 3))
    state["network.conv1.neuron.threshold"] = np.array([1e30], np.float32)
    lock["plan"]["nets"][0]["layers"][2]["neuron"]["activation"] = None
    with pytest.raises(DetrtError) as told:
        export(lock, state, None, tmp_path / "a")
    for part in (
        "network.encode.threshold: is 0.01; below 1/64",
        "network.conv0.weight: is missing",
        "network.conv1.neuron.norm.running_mean: has numbers that are not finite",
        "network.conv1.neuron.threshold: is 1e+30; the device holds thresholds up to 2047",
        "conv1: has no relu",
        "network.conv2: weights of shape (3, 3)",
    ):
        assert part in str(told.value)
    assert not (tmp_path / "a").exists()


def test_a_lock_without_a_plan(tmp_path):
    lock, state = lock_and_state()
    with pytest.raises(DetrtError, match="no plan for Loihi 2"):
        export({**lock, "plan": None}, state, None, tmp_path / "a")


def changed(made: Path, folder: Path, **values: Any) -> Path:
    """A copy of the folder whose detector.json says something else, its manifest in agreement."""
    from detrt.devices.artifacts_folder import write_folder

    def fill(new: Path) -> None:
        for path in made.iterdir():
            if path.name != MANIFEST:
                shutil.copy(path, new / path.name)
        about = json.loads((new / "detector.json").read_text())
        (new / "detector.json").write_text(json.dumps({**about, **values}))

    write_folder(folder, fill, {"target": "kapoho_point", "lineage": ["loihi2"]})
    return folder


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"spike_exp": 40}, "spike_exp 40 is out of range"),
        ({"spike_exp": "6"}, "`spike_exp` is missing or no int"),
        ({"nets": []}, "names 0 networks"),
        ({"nets": [{"file": "../../etc/passwd"}]}, "which the manifest does not list"),
        ({"nets": [{}]}, "is damaged at 'file'"),
        ({"nets": [7]}, "is damaged at"),
        ({"input": {"shape": [3, 8, 8], "order": "rgb"}}, "takes pictures of (3, 8, 8), a network another size"),
        ({"head": {"kind": "made_up"}}, "no decoder for a head"),
        ({"head": {}}, "`kind` is missing"),
        ({"classes": [1]}, "must be names"),
    ],
)
def test_a_description_that_does_not_belong(made, tmp_path, values, says):
    with pytest.raises(ArtifactError) as told:
        load_artifacts(changed(made, tmp_path / "a", **values))
    assert says in str(told.value)


def test_damaged_files_are_refused(made, tmp_path):
    shutil.copytree(made, tmp_path / "a")
    (tmp_path / "a/network.net").write_bytes((tmp_path / "a/network.net").read_bytes()[:-9])
    with pytest.raises(ArtifactError, match="bytes, the manifest says"):
        load_artifacts(tmp_path / "a")


def test_a_picture_of_another_size(model):
    with pytest.raises(DeviceError, match=r"takes u8\[16, 16, 3\]"):
        model.predict(np.zeros((8, 16, 3), np.uint8))


def test_the_package_offers_it():
    package = backend("kapoho_point", ["loihi2"])
    assert package.export is export and package.load_artifacts is load_artifacts


def test_the_program_beside_it_says_where_lava_is_missing(made, tmp_path):
    np.save(tmp_path / "frames.npy", np.zeros((1, 16, 16, 3), np.uint8))
    command = [sys.executable, "-S", "-c"]
    code = "import sys, runpy; sys.modules['lava'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], {}, '__main__')"
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    given = [str(made / "run_netx.py"), str(tmp_path / "frames.npy")]
    done = subprocess.run([*command, code, *given], env=around, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "netx does not import" in done.stderr and "`detc env loihi2` makes a Python where it does" in done.stderr


def test_the_program_beside_it_decodes_alike(made, model):
    """run_netx.py encodes and decodes for itself: the same whole numbers, the same boxes."""
    spec = importlib.util.spec_from_file_location("run_netx", made / "run_netx.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    about = json.loads((made / "detector.json").read_text())
    for seed in range(5):
        image = np.random.default_rng(seed).integers(0, 256, (23, 31, 3), dtype=np.uint8)
        ordered = model.encoding.ordered(image)
        assert np.array_equal(program.encode(image, about["input"]), model.encode(ordered))
        values = model.predict(ordered)
        wanted, found = model.decode(values), program.decode([values], about["head"]["options"])
        assert [label for _, label, _ in found] == wanted.labels.tolist() and len(found)
        np.testing.assert_allclose([score for score, _, _ in found], wanted.scores, rtol=1e-5)
        np.testing.assert_allclose([box for _, _, box in found], wanted.boxes, rtol=1e-4, atol=1e-5)


def test_what_a_frame_costs(made, tmp_path, capsys):
    from detc.cli import main

    assert main(["benchmark", str(made), "--runs", "4", "-o", str(tmp_path / "cost.json")]) == 0
    said = capsys.readouterr().out
    assert "tiny, means of 4 frames" in said and "3 steps until a frame is through" in said
    layers = json.loads((tmp_path / "cost.json").read_text())["events"]["layers"]
    assert [(x["name"], x["neurons"], x["cores"]) for x in layers] == [
        ("encode1", 768, None),
        ("conv0", 384, 1),
        ("conv1", 96, 1),
        ("conv2", 0, 1),
    ]
    assert layers[1]["dense"] == 6 * 3 * 9 * 64 and 0 < layers[1]["operations"] < layers[1]["dense"]
    assert 0 < layers[0]["events"] < 768 and layers[3]["events"] == 0
