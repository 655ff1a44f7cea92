"""Generated models: what a reviewer reads, and that torch counts what detc counts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from detc.codegen.model import model_source
from detc.semantics.elaborate import elaborate
from generated_nets import check_shapes, compiled, expected_keys, generated, torch_counts
from net_builder import Net
from random_nets import random_spec

HERE = Path(__file__).parent
LIBRARY = Path(__file__).parents[3] / "specs"
LINES = [
    ("gnetdet448", 90),
    ("gnetdet224", 90),
    ("ssdlite_mobilenetv2", 160),
    ("yolov1", 90),
    ("yolov3_tiny", 100),
    ("st_yolodv2milli", 260),
    ("yolo_kp_dual_head", 80),
]


def spec_named(name: str) -> Path:
    own = HERE / "specs" / f"{name}.det"
    return own if own.exists() else LIBRARY / f"{name}.det"


@pytest.mark.parametrize(("name", "most"), LINES)
def test_golden(name: str, most: int, golden: Callable[[str, str], None]) -> None:
    model = compiled(spec_named(name))
    source = model_source(model, "".join(w.capitalize() for w in name.split("_")))
    golden(f"codegen/{name}.py.txt", source)
    assert len(source.splitlines()) <= most
    assert source == model_source(compiled(spec_named(name)), "".join(w.capitalize() for w in name.split("_")))


@pytest.mark.parametrize(
    ("name", "sets", "params", "macs"),
    [
        ("gnetdet448", {}, 6_525_278, 11_574_097_920),
        ("gnetdet448", {"width": "0.25", "bn": "true"}, None, None),
        ("gnetdet224", {"classes": "3"}, None, None),
        ("ssdlite_mobilenetv2", {}, 4_450_228, 787_595_056),
        ("st_yolodv2milli", {}, 3_250_968, 9_481_804_800),
        ("st_yolodv2milli", {"classes": "7", "act": "relu", "image": "320"}, None, None),
    ],
)
def test_known_nets_count_as_published(name: str, sets: dict[str, str], params: int | None, macs: int | None) -> None:
    model = compiled(spec_named(name), **sets)
    counts = torch_counts(model)
    assert counts == (model.graph.params(), model.graph.macs())
    assert params is None or counts == (params, macs)


def check_random(seed: int, folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from reference import reference_outputs
    from torch.utils.flop_counter import FlopCounterMode

    path = folder / f"random{seed}.det"
    path.write_text(random_spec(seed))
    model = compiled(path)
    graph = model.graph
    torch.manual_seed(seed)
    net = generated(model)().eval()
    assert set(net.state_dict()) == expected_keys(model)
    modules = dict(net.named_modules())
    for node in graph:
        if node.op.name in ("relu", "silu", "leaky", "hswish", "hsigmoid", "neuron.sigma_delta"):
            assert (node.module or node.name) in modules, f"{node.name} is no module"
    x = torch.randn(1, *graph.inputs[0].type.shape)
    with torch.no_grad():
        with FlopCounterMode(display=False) as flops:
            outputs = net(x)
        expected = reference_outputs(graph, net.state_dict(), x)
    assert sum(p.numel() for p in net.parameters()) == graph.params()
    assert flops.get_total_flops() == 2 * graph.macs()
    check_shapes(model, outputs)
    if not isinstance(outputs, dict):
        outputs = {next(iter(graph.outputs)): outputs}
    for name, value in outputs.items():
        for mine, theirs in zip(value if isinstance(value, list) else [value], expected[name], strict=True):
            assert torch.equal(mine, theirs), name


@pytest.mark.parametrize("first", range(0, 8, 2))
def test_random_nets(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 2):
        check_random(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(8, 200, 24))
def test_more_random_nets(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 24):
        check_random(seed, tmp_path)


def test_unused_layers_are_modules_that_are_not_run(tmp_path: Path) -> None:
    """The graph as elaborated still has them, and a lock may name them."""
    for seed in range(4):
        path = tmp_path / f"random{seed}.det"
        path.write_text(random_spec(seed))
        model = elaborate(path).models["net"]
        assert set(generated(model)().state_dict()) == expected_keys(model)


def test_formatted_as_ruff_does(tmp_path: Path) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("needs ruff")
    for name, _ in LINES:
        (tmp_path / f"{name}.py").write_text(model_source(compiled(spec_named(name)), "Net"))
    for seed in range(40):
        path = tmp_path / f"random{seed}.det"
        path.write_text(random_spec(seed))
        (tmp_path / f"random{seed}.py").write_text(model_source(compiled(path), "Net"))
    options = ["--line-length", "120", "--no-cache", str(tmp_path)]
    done = subprocess.run([ruff, "format", "--diff", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:3000]
    lint = [ruff, "check", "--select", "E,F,I,B", "--isolated", *options]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:3000]


def test_without_scopes() -> None:
    """A graph that was read back from text or a lock has none, and still makes the same keys."""
    model = compiled(spec_named("gnetdet224"))
    keys = expected_keys(model)
    model.graph.scopes.clear()
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        assert set(generated(model)().state_dict()) == keys


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    """What a user writes in docs and names is read, never run."""
    evil = '"""\nimport os; os.system("x")\n\\" \u202e\u2028 \x00 \\'
    net = Net('net"""\nraise SystemExit(1)\n"""')
    net.scope("a", "block", "class X:\n raise", inputs=["frame"], doc=evil)
    x = net.add("a.conv1", "conv", "frame", channels=4)
    net.scope("b", "pipeline", doc=evil)
    x = net.add("b.relu1", "relu", x)
    model = net.model(doc=evil, **{'out"] = 1 #\n': x})
    source = model_source(model, "None; raise\n")
    compile(source, "model.py", "exec")
    assert all(len(line) <= 120 for line in source.splitlines())
    code = [line for line in source.splitlines() if line.lstrip().startswith(("import", "from", "raise"))]
    assert code == ["from collections import OrderedDict", "from torch import Tensor, nn"]
    assert source.isascii() or "\u202e" not in source


def test_a_scope_that_others_wait_inside_is_opened() -> None:
    """One list item reads what another gave, by way of a layer outside the list: no single call can run it."""
    net = Net()
    net.scope("l", "list")
    for number, source in enumerate(("frame", "between")):
        if number:
            net.add("between", "conv", "l.0.relu1", channels=6)
        net.scope(f"l.{number}", "pipeline")
        net.add(f"l.{number}.conv1", "conv", source, channels=5)
        net.add(f"l.{number}.relu1", "relu", f"l.{number}.conv1")
    model = net.model(out=("l.0.relu1", "l.1.relu1"))
    assert torch_counts(model) == (model.graph.params(), model.graph.macs())
    assert "zip(" not in model_source(model, "Net")


def test_a_block_that_others_wait_inside_is_opened() -> None:
    """A block whose second layer reads, through a closure, what an outer layer made of its first; also if it is unused."""
    for used in (True, False):
        net = Net()
        net.scope("b", "block", "pair", inputs=["frame"])
        first = net.add("b.first", "conv", "frame", channels=4)
        between = net.add("between", "conv", first, channels=4)
        second = net.add("b.second", "conv", between, channels=5)
        model = net.model(out=second if used else between)
        assert set(generated(model)().state_dict()) == expected_keys(model)
        if used:
            assert torch_counts(model) == (model.graph.params(), model.graph.macs())


def test_shared_layer_across_blocks() -> None:
    """A block that calls a module of another one cannot be a class; its steps are run by the class around both."""
    net = Net()
    x = "frame"
    for name, owner in (("a", ""), ("b", "a.conv2")):
        net.scope(name, "block", "pair", inputs=[x])
        first = net.add(f"{name}.conv1", "conv", "frame", channels=4)
        second = net.add(f"{name}.conv2", "conv", first, channels=4, module=owner)
        x = net.add(f"{name}.relu1", "relu", second)
    model = net.model(out=("a.relu1", "b.relu1"))
    assert torch_counts(model) == (model.graph.params(), model.graph.macs())
    assert set(generated(model)().state_dict()) == expected_keys(model)


def test_names_of_container_methods() -> None:
    """A let may be called `keys`, also in a block that cannot be a class."""
    net = Net()
    first = net.add("first", "conv", "frame", channels=4)
    net.scope("a", "block", "pair", inputs=[first])
    keys = net.add("a.keys", "conv", first, channels=4)
    append = net.add("a.append", "conv", keys, channels=4)
    pop = net.add("a.pop", "conv", append, channels=3)
    again = net.add("a.values", "conv", pop, channels=4, module="first")
    model = net.model(out=again)
    assert torch_counts(model) == (model.graph.params(), model.graph.macs())
    assert set(generated(model)().state_dict()) == expected_keys(model)
    formatted = model_source(model, "Net")
    assert "class Holder" in formatted


def test_repeats_of_one_and_of_many_share_a_class() -> None:
    source = model_source(compiled(spec_named("gnetdet448")), "Net")
    assert source.count("class Convs") == 1
    assert "if n == 1" in source
