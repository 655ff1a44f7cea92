"""`.net` files as specs: read back into their layers, exported again with the same numbers, refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("safetensors")

from safetensors.numpy import load_file  # noqa: E402

from detc.cli import main  # noqa: E402
from detc.compilation import compile_spec  # noqa: E402
from detc.importers.net.importing import import_net  # noqa: E402
from detrt.devices.loihi2 import netprocess  # noqa: E402
from detrt.devices.loihi2.from_state import from_state  # noqa: E402
from detrt.devices.loihi2.netfile import write_net  # noqa: E402
from detrt.devices.loihi2.netlayers import look_at  # noqa: E402
from detrt.devices.loihi2.network import Conv, Dense, Flatten, Input, Network, same_network  # noqa: E402
from detrt.devices.loihi2.plan import net_of  # noqa: E402


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return 2 * rng.integers(-128, 128, shape)


def network(channels: int = 3) -> Network:
    """Groups, strides, dilation, paddings, a delay, both ends of weights and biases; then vectors."""
    rng = np.random.default_rng(0)
    return Network(
        (
            Input((channels, 20, 14), 6),
            Conv(
                weights(rng, 8, channels, 3, 3), np.array([-254, 256, *range(0, 12, 2)]), (2, 1), (1, 1), (1, 1), 1, 6
            ),
            Conv(weights(rng, 8, 4, 3, 1), None, (1, 1), (2, 0), (2, 1), 2, 9),
            Conv(weights(rng, 4, 8, 5, 5), 2 * rng.integers(-9, 9, 4), (3, 3), (0, 0), (1, 1), 1, 1),
            Flatten(),
            Dense(weights(rng, 12, 32), 2 * rng.integers(-9, 9, 12), 64, delay=3),
            Dense(weights(rng, 3, 12), None, 0, sigma=True),
        )
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and files are read in this process, which is faster."""
    monkeypatch.setattr(netprocess, "look_at_apart", look_at)
    return folder


def test_import_then_export_gives_the_same_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = network()
    write_net(made, Path("given.net"))
    assert main(["import", "given.net", "-o", "mine.det"]) == 0
    said = capsys.readouterr().out
    assert "the file has no head" in said and "wrote mine.det and mine.safetensors" in said
    text = Path("mine.det").read_text()
    assert "neuron.sigma_delta(threshold = 1, activation = relu, norm = mean_only_batch, delay = 3)" in text
    assert main(["fmt", "--check", "mine.det"]) == 0
    compilation = compile_spec(Path("mine.det"), "kapoho_point")
    assert compilation.plan is not None and not [f for f in compilation.findings if f.level == "error"]
    (net,) = compilation.plan["nets"]
    assert same_network(from_state(net_of(net), load_file("mine.safetensors")), made)


def test_a_file_is_checked_against_the_budget(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_net(network(), Path("given.net"))
    assert main(["check", "given.net", "--target", "kapoho_point", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["cores"] == 5 and found["metrics"]["chips"] == 1


def test_outputs_end_the_net_early(here: Path) -> None:
    write_net(network(), Path("given.net"))
    for given in ("layer/2", "2"):
        imported = import_net(Path("given.net"), [given])
        assert not isinstance(imported, list) and len(imported.graph) == 6
    (finding,) = import_net(Path("given.net"), ["layer/9"])
    assert "no layer `layer/9` to end with: layer/1 .. layer/6" in finding.message


def test_vectors_and_spikes(here: Path) -> None:
    """A dense net of spiking neurons that reads a vector, as lava's MNIST net: CUBA neurons with decays of 4096ths."""
    rng = np.random.default_rng(1)
    write_net(
        Network((Input((784,), 64), Dense(weights(rng, 10, 784), None, 80), Dense(weights(rng, 2, 10), None, 80))),
        Path("spikes.net"),
    )
    with h5py.File("spikes.net", "r+") as file:
        for number in "12":
            neuron = file[f"layer/{number}/neuron"]
            del neuron["type"], neuron["activation"]
            neuron["type"], neuron["iDecay"], neuron["vDecay"] = "CUBA", 1024, 128
    imported = import_net(Path("spikes.net"))
    assert not isinstance(imported, list)
    assert "u8[1, 28, 28]" in imported.text and "784 numbers: taken as pictures of 28x28" in imported.notes[-1].message
    assert "neuron.cuba(threshold = 1.25, current_decay = 0.25, voltage_decay = 0.03125)" in imported.text


def test_two_channels_are_events(here: Path) -> None:
    write_net(network(2), Path("given.net"))
    imported = import_net(Path("given.net"))
    assert not isinstance(imported, list) and "f32[2, 20, 14] = events(steps = 32)" in imported.text


def broken(change: Any) -> list[str]:
    write_net(network(), Path("bad.net"))
    with h5py.File("bad.net", "r+") as file:
        change(file["layer"])
    found = import_net(Path("bad.net"))
    assert isinstance(found, list)
    return [f"{finding.code}: {finding.message}" for finding in found]


def test_every_mistake_is_a_finding_of_its_own(here: Path) -> None:
    def change(layer: Any) -> None:
        layer["1/weight"][0, 0, 0, 0] = 3
        layer["3/bias"][1] = 7
        layer["5/neuron/vThMant"][()] = 0
        layer["6"].move("weight", "lost")

    found = broken(change)
    assert [line.split(":")[0] for line in found] == ["IMP207"] * 3
    assert "`layer/1/weight` of bad.net has 1 odd numbers of 216" in found[0]
    assert (
        "`layer/5/neuron/vThMant` of bad.net is 0" in found[1] and "`layer/6/weight` of bad.net is missing" in found[2]
    )


def test_what_netx_cannot_build_is_named_as_it_stands_there(here: Path) -> None:
    def pool(layer: Any) -> None:
        del layer["1/type"]
        layer["1/type"] = np.array([b"pool"])

    assert "of bad.net is `pool`: netx cannot build it; use a convolution with a stride" in broken(pool)[0]
    assert "3 is missing, `x` is there" in broken(lambda layer: layer.move("3", "x"))[0].replace("`3`", "3")


def test_a_bias_that_no_mean_gives(here: Path) -> None:
    def change(layer: Any) -> None:
        layer["3/bias"][1] = 7

    assert "`layer/3/bias` of bad.net has 1 numbers, such as 7, that are not even in -254 .. 256" in broken(change)[0]


def test_other_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.net").write_bytes(b"no file")
    write_net(
        Network((Input((7, 4, 4), 6), Conv(np.zeros((1, 7, 1, 1), int), None, (1, 1), (0, 0), (1, 1), 1, 6))),
        Path("deep.net"),
    )
    for name, says in (("odd.net", "IMP201"), ("none.net", "IMP201"), ("deep.net", "an input of 7 channels")):
        assert main(["import", name, "-o", "x.det"]) == 1
        found = capsys.readouterr()
        assert says in found.out + found.err and "Traceback" not in found.out + found.err
    assert main(["build", "odd.net"]) == 1 and "detc import odd.net" in capsys.readouterr().out
