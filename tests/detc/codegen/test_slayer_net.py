"""slayer_net.py: the nets of a plan in lava-dl's blocks, as one would write them by hand."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detc.codegen.project import project_files
from detc.codegen.slayer_net import slayer_source
from detc.compilation import compile_spec
from detc.semantics.lock import lock_of

ROOT = Path(__file__).parents[3]


def files_of(spec: Path, target: str | None, **sets: str) -> dict[str, str]:
    done = compile_spec(spec, target, sets)
    assert done.model is not None and done.graph is not None and done.fits, done.findings
    lock = lock_of(done.program, done.model, done.graph, done.program.target, done.plan)
    return project_files(done.program, done.model, lock)


def layer(kind: str, shape: list[int], **more: Any) -> dict[str, Any]:
    common = {"name": kind, "type": kind, "nodes": [kind], "where": "made.det:1", "shape": shape, "neuron": None}
    weighted = {"module": kind, "weight_norm": False, "sigma": False, "delay": 0}
    return {**common, **(weighted if kind in ("conv", "dense") else {}), **more}


def neuron(**more: Any) -> dict[str, Any]:
    usual = {"threshold": 0.1, "tau_grad": 0.1, "scale_grad": 0.1, "trainable": False, "shared": True}
    return {"module": "n", "activation": "relu", "norm": False, **usual, **more}


def source_of(*layers: dict[str, Any], name: str = "network") -> str:
    net = {"name": name, "output": "p", "layers": list(layers)}
    lock = {"plan": {"nets": [net]}, "model": {"nodes": []}, "spec": {"name": "made"}, "detc": "0"}
    text = slayer_source(lock)
    assert text is not None
    ast.parse(text)
    return text


def test_the_blocks_of_yolo_kp(golden):
    files = files_of(ROOT / "specs/yolo_kp.det", "kapoho_point", classes="11")
    golden("codegen/yolo_kp_slayer_net.py.txt", files["slayer_net.py"])
    assert 'main(YoloKp, LOCK, slayer={"yolo_kp": "slayer_net"})' in files["train.py"]
    assert "| `slayer_net.py` | the nets in the blocks of lava-dl" in files["README.md"]
    assert "clips [N, C, H, W, T] of 4 frames" in files["README.md"] and "detc env loihi2" in files["README.md"]
    chip = files_of(ROOT / "specs/yolo_kp.det", "kapoho_point", **{"train.steps.tune.quantize.events": "chip"})
    assert "steps.tune: always there" in chip["README.md"] and "always there" not in files["README.md"]
    assert max(map(len, files["slayer_net.py"].splitlines())) <= 120


def test_it_is_laid_out_as_the_usual_formatters_do(tmp_path):
    (tmp_path / "slayer_net.py").write_text(files_of(ROOT / "specs/yolo_kp.det", "kapoho_point")["slayer_net.py"])
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "--diff", "slayer_net.py"]
    done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


TWO = """
use std.sdnn as sdnn

data shapes = data.synthetic(train = 4 images, val = 2 images, size = 64x64, steps = 2)

model kp extends detector {
  input clip: u8[3, 64, 64] = frames(steps = 2, order = rgb, mean = imagenet.mean, std = imagenet.std)
  output p = clip |> sdnn.single_head(4, 3)
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 3 }
}
model half = prune(kp, channels = 1 / 2)

train big on kp { data = shapes  batch = 2  stage tune { epochs = 1  quantize events = sigma_delta } }
train cut on half {
  data = shapes  batch = 2
  stage cut { start = big.tune.best  prune channels = l2 }
  stage again { start = cut.best  epochs = 1  quantize events = sigma_delta }
}
deploy one on loihi2.kapoho_point { model = half }
deploy two on loihi2.kapoho_point { model = kp }
"""


def test_every_model_that_trains_in_time_has_blocks_of_its_own(tmp_path):
    (tmp_path / "two.det").write_text(TWO)
    done = compile_spec(tmp_path / "two.det")
    assert done.model is not None and done.graph is not None and done.fits, done.findings
    lock = lock_of(done.program, done.model, done.graph, done.program.target, done.plan, plans=done.plans)
    files = project_files(done.program, done.model, lock)
    assert 'slayer={"half": "slayer_net", "kp": "slayer_net_kp"})' in files["train.py"]
    assert "sd.Conv(neuron, 3, 2, 3, " in files["slayer_net.py"] and "model.py" in files["slayer_net.py"]
    assert "sd.Conv(neuron, 3, 4, 3, " in files["slayer_net_kp.py"] and "model_kp.py" in files["slayer_net_kp.py"]


def test_a_project_of_another_target_has_none():
    files = files_of(ROOT / "specs/gnetdet224.det", "gti5801")
    assert "slayer_net.py" not in files and "main(Gnetdet224, LOCK)" in files["train.py"]


def test_several_nets_are_a_class_each():
    net = [layer("input", [3, 8, 8], neuron=neuron()), layer("conv", [4, 8, 8], sigma=True, **{"in": 3, "out": 4}, k=[1, 1],
           stride=[1, 1], pad=[0, 0], dilation=[1, 1], groups=1)]  # fmt: skip
    nets = [{"name": name, "output": name, "layers": net} for name in ("p0", "p1")]
    text = slayer_source({"plan": {"nets": nets}, "model": {"nodes": []}, "spec": {"name": "made"}, "detc": "0"})
    assert text is not None and 'NETS = {"p0": P0, "p1": P1}\n' in text


def test_dense_layers_delays_and_neurons_of_their_own():
    text = source_of(
        layer("input", [2, 4, 6], neuron=neuron()),
        layer("conv", [4, 4, 3], **{"in": 2, "out": 4}, k=[3, 1], stride=[1, 2], pad=[1, 0], dilation=[1, 1], groups=2,
              neuron=neuron(norm=True), delay=3),
        layer("flatten", [48]),
        layer("dense", [9], **{"in": 48, "out": 9}, weight_norm=True,
              neuron=neuron(threshold=0.25, trainable=True, activation=None)),
        layer("dense", [5], **{"in": 9, "out": 5}, sigma=True),
    )  # fmt: skip
    code = [line.strip().partition("  #")[0] for line in text.splitlines()]
    for line in (
        'neuron = {**encoder, "norm": slayer.neuron.norm.MeanOnlyBatchNorm}',
        'neuron2 = {**encoder, "threshold": 0.25, "requires_grad": True, "activation": nn.Identity()}',
        'synapse = {"weight_norm": False, "delay_shift": False}',
        'synapse2 = {"weight_norm": True, "delay_shift": False}',
        "sd.Conv(neuron, 2, 4, (3, 1), stride=(1, 2), padding=(1, 0), groups=2, **synapse),",
        "nn.ConstantPad1d((3, 0), 0.0),",
        "sd.Flatten(),",
        "sd.Dense(neuron2, 48, 9, **synapse2),",
        "slayer.synapse.Dense(9, 5, pre_hook_fx=self.input_blocks[0].neuron.quantize_8bit),",
        "return self.heads(self.blocks(self.input_blocks(x)))[..., 3:]",
    ):
        assert line in code, (line, text)


@pytest.mark.parametrize("odd", ['x"""\nraise SystemExit(1)\n"""', "a\\", "{0}", "\u202e"])
def test_names_of_the_spec_are_never_run(odd):
    read_out = layer("conv", [4, 8, 8], sigma=True, **{"in": 3, "out": 4}, k=[1, 1], stride=[1, 1], pad=[0, 0],
                     dilation=[1, 1], groups=1)  # fmt: skip
    text = source_of(
        layer("input", [3, 8, 8], neuron=neuron(), name=odd, where=odd), {**read_out, "name": odd}, name=odd
    )
    tree = ast.parse(text)
    kinds = {type(node) for node in tree.body}
    assert kinds == {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.ClassDef}
    assert isinstance(tree.body[-1], ast.Assign) and len(tree.body) == 8
    json.dumps(ast.literal_eval(ast.unparse(tree.body[-1].value.keys[0])))  # type: ignore[attr-defined]
