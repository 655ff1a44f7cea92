"""A narrow generated net learns eight pictures by heart, through the real compiler, loader, head and evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from detc.codegen.model import model_source
from detc.compilation import compile_spec
from detc.semantics.lock import lock_of
from detrt.lock import parse_lock
from detrt.train.task import DetectionTask

SPEC = """
data shapes = data.synthetic(classes = ["disc", "square", "ring"], train = 8 images, size = [{side}, {side}], objects = 1 .. 3)

block cbs(x, c, s = 1) = x |> conv(c, k = 3x3, s = s, pad = same, bias = false) |> bn(momentum = 0.1) |> silu

model net extends detector {{
  input frame: u8[3, {side}, {side}] = camera(order = rgb, mean = 127, std = 64)
  let p3 = frame |> cbs(12, s = 2) |> cbs(24, s = 2) |> cbs(32, s = 2) |> cbs(32)
  let p4 = p3 |> cbs(48, s = 2) |> cbs(48)
  let p5 = p4 |> cbs(64, s = 2) |> cbs(64)
  {head}
}}

train learn on net {{
  stage overfit {{ epochs = 1  batch = 8  {loss} }}
}}
"""


def overfit(
    folder: Path, head: str, *, steps: int, loss: str = "", lr: float = 3e-3, no_aug: int = 0, side: int = 96
) -> float:
    """mAP@0.5 on its own eight training pictures after `steps` steps of Adam; `head` are the last lines of the model: its
    outputs from p3 (/8), p4 (/16) and p5 (/32), and its head. The last `no_aug` steps count as without augmentation.
    """
    torch.manual_seed(0)
    path = folder / "net.det"
    path.write_text(SPEC.format(head=head, loss=loss, side=side), encoding="utf-8")
    done = compile_spec(path, None)
    assert done.model is not None and done.graph is not None, done.program.findings
    lock = parse_lock(json.loads(json.dumps(lock_of(done.program, done.model, done.graph, None, None))))
    namespace: dict[str, type[nn.Module]] = {}
    exec(compile(model_source(done.model, "Net"), "model.py", "exec"), namespace)
    net = namespace["Net"]().to(memory_format=torch.channels_last)

    (stage,) = lock.stages
    task = DetectionTask(lock, "net", "shapes", [folder], torch.device("cpu"))
    learner = task.head(stage)
    learner.attach(net)
    (batch,) = task.plain_loader("train", batch=8, rank=0, world=1, workers=1)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)
    for step in range(steps):
        learner.begin_epoch(step, steps, step >= steps - no_aug)
        terms = learner.loss(net(batch.inputs), batch.targets)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        figures = task.score("train", task.decode(net(batch.inputs), batch), "coco")
    return float(figures["map50"])
