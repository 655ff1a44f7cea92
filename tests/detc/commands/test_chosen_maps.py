"""Of two nets side by side the one trains that a stage names: at rest, and in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from detc.cli import main

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402

SPEC = """
use std.sdnn as sdnn
data shapes = data.synthetic(train = 8 images, val = 4 images, size = [32, 32], objects = 1 .. 1)
model net extends detector {
  input clip: u8[3, 32, 32] = frames(steps = 3, order = rgb)
  output p = [clip |> neuron.encode |> sdnn.sd(4, s = 2) |> sdnn.sd(4, s = 2) |> sdnn.predict(3) for k in 1 .. 2]
  head yolo_sdnn on p { anchors = [(0.28, 0.22), (0.38, 0.48), (0.90, 0.78)]  classes = 3 }
}
train steps on net {
  data = shapes  batch = 4  optimizer = adam(lr = 1e-2)
  stage both { epochs = 1 }
  stage rest { start = both.last  epochs = 1  heads = [1] }
  stage time { start = rest.last  epochs = 1  heads = 0  quantize events = sigma_delta  regularize events = sparsity }
}
deploy board on loihi2.kapoho_point { model = net }
"""


@pytest.mark.long
def test_the_other_net_keeps_every_bit(tmp_path: Path) -> None:
    (tmp_path / "net.det").write_text(SPEC)
    words = ["train", str(tmp_path / "net.det"), "--build", str(tmp_path / "build"), "--name", "run"]
    assert main([*words, "--engine", "detrt", "--device", "cpu"]) == 0
    run = tmp_path / "build" / "runs" / "run"
    both, rest, time = (load_file(run / stage / "best.safetensors") for stage in ("both", "rest", "time"))

    def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
        names = [name for name in before if name in after and not torch.equal(before[name], after[name])]
        return {".".join(name.split(".")[:2]) for name in names}

    assert moved(both, rest) == {"p.1"} and moved(rest, time) == {"p.0"}
