"""`.net` files: as lava-dl's own export writes them, read back whole, and refused with every mistake named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from loihi2_nets import conv, random_conv_net, random_dense_net  # noqa: E402

from detrt.devices.errors import ArtifactError  # noqa: E402
from detrt.devices.loihi2.from_state import from_state  # noqa: E402
from detrt.devices.loihi2.netfile import network_of, read_net, write_net  # noqa: E402
from detrt.devices.loihi2.netlayers import look_at  # noqa: E402
from detrt.devices.loihi2.netprocess import look_at_apart  # noqa: E402
from detrt.devices.loihi2.network import Dense, Flatten, Input, Network, same_network  # noqa: E402
from detrt.devices.loihi2.plan import NetPlan, net_of  # noqa: E402

KERNEL = (4, 2, 3, 3)
"""Of layer/1 in `random_dense_net`."""
GOLDEN = Path(__file__).parents[2] / "golden/devices/loihi2_slayer_export.json"


def dump(path: Path) -> dict[str, Any]:
    """Every data set of a file, as the golden file has it."""
    found: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = [v.decode() if isinstance(v, bytes) else v for v in np.asarray(item[()]).ravel().tolist()]
            found[name] = {"dtype": str(item.dtype), "shape": list(item.shape), "values": values}

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return found


def neuron(module: str, threshold: float = 0.1, norm: bool = True, **given: Any) -> dict[str, Any]:
    return {"module": module, "threshold": threshold, "activation": "relu", "norm": norm, **given}


def plan_of(name: str) -> NetPlan:
    """The plans of the two nets in loihi2_slayer_export.py, over slayer's own names."""

    def layer(kind: str, shape: list[int], i: int, **given: Any) -> dict[str, Any]:
        moves = (
            {"k": [3, 3], "stride": [1, 1], "pad": [1, 1], "dilation": [1, 1], "groups": 1} if kind == "conv" else {}
        )
        own = {"weight_norm": True, "neuron": neuron(f"{i}.neuron")} if kind in ("conv", "dense") else {}
        return {"name": f"l{i}", "type": kind, "shape": shape, "module": f"{i}.synapse", **moves, **own, **given}

    read_out = {"weight_norm": False, "neuron": None, "sigma": True}
    first = layer("input", [2, 5, 5], 0, neuron=neuron("0.neuron", norm=False))
    if name == "conv":
        rest = [
            layer("conv", [4, 3, 3], 1, stride=[2, 2]),
            layer("conv", [4, 3, 3], 2, k=[3, 1], pad=[1, 0], groups=2),
            layer("conv", [3, 3, 3], 3, k=[1, 1], pad=[0, 0], **read_out),
        ]
    else:
        rest = [layer("conv", [2, 5, 5], 1), layer("flatten", [50], 2), layer("dense", [3], 3)]
        rest.append(layer("dense", [2], 4, **read_out))
    return net_of({"name": name, "output": "p", "input": {"steps": None}, "layers": [first, *rest]})


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_equals_what_slayer_exports(name, tmp_path):
    golden = json.loads(GOLDEN.read_text())[name]
    state = {}
    for key, entry in golden["state"].items():
        values = np.array(entry["values"], np.float32).reshape(entry["shape"])
        axes = 4 if name == "conv" or key.startswith("1.") else 2
        if "synapse" in key:
            values = values.reshape(values.shape[:axes])
        state[key.replace("delta.threshold", "threshold")] = values
    write_net(from_state(plan_of(name), state), tmp_path / "made.net")
    wanted = golden["file"]
    for key in ("layer/4/neuron/vThMant", "layer/4/neuron/activation"):  # of a read-out, where nothing reads them
        wanted.pop(key, None)
    assert dump(tmp_path / "made.net") == wanted


@pytest.mark.parametrize("network", [random_conv_net(0), random_dense_net(0)], ids=["conv", "dense"])
def test_read_back_it_is_the_same(network, tmp_path):
    write_net(network, tmp_path / "a.net")
    write_net(network, tmp_path / "b.net")
    assert same_network(read_net(tmp_path / "a.net"), network)
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.net", "b.net"]


def test_delay_and_scaling_of_the_input_are_kept(tmp_path):
    network = Network((Input((4,), 3, weight=32, bias=-5), Dense(np.full((2, 4), 8), None, 7, delay=5)))
    write_net(network, tmp_path / "a.net")
    assert same_network(read_net(tmp_path / "a.net"), network)


def broken(path: Path, change: Any) -> str:
    """What reading says after `change` of the groups layer/0 .. of a good file."""
    write_net(random_dense_net(0), path)
    with h5py.File(path, "r+") as file:
        change(file["layer"])
    with pytest.raises(ArtifactError) as told:
        network_of(*look_at(path), path)
    return str(told.value)


def put(group: Any, key: str, value: Any, **given: Any) -> None:
    if key in group:
        del group[key]
    group.create_dataset(key, data=value, **given)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda layer: layer.move("2", "5"), "without a gap: `2` is missing, `5` is there"),
        (lambda layer: layer.pop("2"), "layer: has 4 entries"),
        (lambda layer: layer.clear(), "layer: has 0 entries"),
        (lambda layer: layer["1"].pop("weight"), "layer/1/weight: is missing"),
        (lambda layer: layer["1"].pop("stride"), "layer/1/stride: is missing"),
        (lambda layer: layer["1"].pop("neuron"), "layer/1/neuron: is missing"),
        (lambda layer: put(layer["1"], "weight", np.ones(KERNEL)), "layer/1/weight: has 72 odd numbers of 72"),
        (lambda layer: put(layer["1"], "weight", np.full(KERNEL, 256.0)), "72 of 72 numbers outside -256 .. 254, such as 256"),
        (lambda layer: put(layer["1"], "weight", np.full(KERNEL, 0.5)), "layer/1/weight: holds numbers that are not whole"),
        (lambda layer: put(layer["1"], "weight", np.full(KERNEL, np.nan)), "layer/1/weight: holds numbers that are not whole"),
        (lambda layer: put(layer["1"], "weight", np.zeros((4, 3, 3, 3))), "has 4 outputs and 3 inputs in 1 groups"),
        (lambda layer: put(layer["1"], "weight", b"two"), "layer/1/weight: holds object, not numbers"),
        (lambda layer: put(layer["1"], "bias", np.zeros(3)), "layer/1/bias: has the shape (3,), not (4,)"),
        (lambda layer: put(layer["4"], "bias", np.zeros(7)), "layer/4/bias: a layer that is read out has no bias"),
        (lambda layer: put(layer["3"], "neuron/sigma_output", True), "layer/3: is read out (sigma_output), but more"),
        (lambda layer: put(layer["1"], "neuron/vThMant", 0), "layer/1/neuron/vThMant: is 0, and 1 .. 131071 is possible"),
        (lambda layer: put(layer["1"], "neuron/vThMant", -6), "layer/1/neuron/vThMant: is -6"),
        (lambda layer: put(layer["1"], "neuron/vThMant", 6.5), "layer/1/neuron/vThMant: holds float64, not numbers"),
        (lambda layer: put(layer["1"], "neuron/messageBits", 16), "layer/1/neuron/messageBits: stops netx"),
        (lambda layer: put(layer["1"], "neuron/type", "RF_PHASE"), "layer/1/neuron/type: is `RF_PHASE`"),
        (lambda layer: put(layer["1"], "neuron/type", "CUBA"), "layer/1/neuron/iDecay: is missing"),
        (lambda layer: put(layer["1"], "type", b"pool"), "layer/1/type: is `pool`: netx cannot build it"),
        (lambda layer: put(layer["1"], "type", b"x" * 400), "layer/1/type: is no word"),
        (lambda layer: put(layer["1"], "shape", [4, 9, 9]), "is (4, 9, 9), and the layer makes (4, 3, 3) of"),
        (lambda layer: put(layer["1"], "shape", [1 << 40, 3, 3]), "layer/1/shape: is 1099511627776"),
        (lambda layer: put(layer["1"], "stride", [0, 1]), "layer/1/stride: is 0, and 1 .. 65536 is possible"),
        (lambda layer: put(layer["2"], "type", b"input"), "layer/2: a network has one input, its layer 0"),
        (lambda layer: put(layer["3"], "delay", np.arange(10)), "layer/3/delay: differs from neuron to neuron"),
        (lambda layer: layer["1"].create_dataset("delay", (1 << 40,), "f4", chunks=True), "delay: has 1,099,511,627,776 values"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(change, says, tmp_path):
    assert says in broken(tmp_path / "a.net", change)


def test_links_out_of_the_file_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(256)) * 8)
    write_net(random_dense_net(1), tmp_path / "other.net")

    def change(layer: Any) -> None:
        for key in ("bias", "weight", "stride"):
            del layer["1"][key]
        layer["1"]["weight"] = h5py.ExternalLink(str(tmp_path / "other.net"), "/layer/1/weight")
        layer["1"]["stride"] = h5py.SoftLink("/layer/1/padding")
        layer["1"].create_dataset("bias", (4,), "i8", external=[(str(tmp_path / "secret"), 0, 32)])
        source = h5py.VirtualSource(str(tmp_path / "other.net"), "layer/3/weight", shape=(10, 36))
        del layer["3"]["weight"]
        layout = h5py.VirtualLayout((10, 36), "f4")
        layout[:] = source
        layer["3"].create_virtual_dataset("weight", layout)

    told = broken(tmp_path / "a.net", change)
    assert "layer/1/weight: is a link to somewhere else" in told
    assert "layer/1/stride: is a link to somewhere else" in told
    assert "layer/1/bias: has its values in another file" in told
    assert "layer/3/weight: has its values in another file" in told


def test_all_mistakes_are_told_at_once(tmp_path):
    def change(layer: Any) -> None:
        put(layer["1"], "neuron/vThMant", 0)
        put(layer["3"], "weight", np.ones((10, 36)))
        put(layer["4"], "type", b"average")

    told = broken(tmp_path / "a.net", change)
    assert all(place in told for place in ("layer/1/neuron/vThMant", "layer/3/weight", "layer/4/type"))


def test_what_is_no_hdf5_file(tmp_path):
    path = tmp_path / "a.net"
    write_net(random_conv_net(0), path)
    whole = path.read_bytes()
    for content in (b"", b"no file", whole[:1000], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ArtifactError):
            look_at(path)
    with pytest.raises(ArtifactError, match="no such file"):
        read_net(tmp_path / "none.net")


@pytest.mark.long
def test_damaged_bytes_never_make_a_traceback(tmp_path, monkeypatch):
    """Every outcome is a network or an ArtifactError, also where the HDF5 library runs in circles."""
    path = tmp_path / "a.net"
    write_net(Network((Input((1, 2, 2), 6), conv(np.full((1, 1, 1, 1), 2), [4]), Flatten())), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(12):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 4):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            network_of(*look_at_apart(path, seconds=2), path)
            outcomes.append("read")
        except ArtifactError as error:
            outcomes.append(error.message)
    assert len(set(outcomes)) > 2


def test_spiking_neurons_are_read_but_not_run(tmp_path):
    def change(layer: Any) -> None:
        for number in ("1", "3"):
            put(layer[number], "neuron/type", "CUBA")
            put(layer[number], "neuron/iDecay", 4096)
            put(layer[number], "neuron/vDecay", 128)

    told = broken(tmp_path / "a.net", change)
    assert "layer/1/neuron/type: is CUBA" in told
    layers, problems = look_at(tmp_path / "a.net")
    assert not problems and layers[1].neuron.voltage_decay == 128


@pytest.mark.long
def test_slayer_still_exports_the_golden_file(lava_python):
    """The golden file is what lava-dl writes in the environment that is there."""
    program = Path(__file__).with_name("loihi2_slayer_export.py")
    runtime = Path(__file__).parents[3] / "runtime"
    done = subprocess.run([lava_python, program, runtime], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == json.loads(GOLDEN.read_text())
