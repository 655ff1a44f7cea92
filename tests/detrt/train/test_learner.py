"""One step of the optimiser, whole or in parts; rates of parts of the model; what is frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detrt.data.loader import Batch
from detrt.errors import DetrtError
from detrt.lock import Optimizer, Schedule, Stage
from detrt.train.distributed import Processes
from detrt.train.ema import Ema
from detrt.train.learner import Learner
from detrt.train.network import Network
from detrt.train.optimizer import make_optimizer

ALONE = Processes(0, 1, torch.device("cpu"))


class Mean:
    """A head whose loss is a mean over the pictures of a part."""

    def attach(self, model: nn.Module) -> None: ...

    def begin_epoch(self, epoch: int, epochs: int, no_aug: bool) -> None: ...

    def loss(self, outputs: Tensor, targets: Tensor, reduce: Any = None, update: bool = True) -> dict[str, Tensor]:
        return {"square": (outputs - targets).square().mean()}


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))


def learner(model: nn.Module, **changes: Any) -> Learner:
    stage = Stage(name="s", id="t.s", model="m", data="d", epochs=10, **changes)
    return Learner(stage, Network(model), Mean(), ALONE, print)


def batch(count: int, start: int = 0) -> Batch:
    torch.manual_seed(5)
    inputs, targets = torch.randn(8, 3, 8, 8), torch.randn(8, 2, 4, 4)
    return Batch(inputs[start : start + count], targets[start : start + count], [], [], [])


def test_a_batch_in_parts_is_the_whole_batch() -> None:
    whole, parts = (learner(net().eval(), optimizer=Optimizer(name="sgd", lr=0.1)) for _ in range(2))
    whole.step(batch(8), True, True, 1)
    for number in range(4):
        parts.step(batch(2, 2 * number), number == 0, number == 3, 4)
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_a_frozen_part_keeps_its_weights_and_its_statistics() -> None:
    made = learner(net(), optimizer=Optimizer(name="sgd", lr=0.1), freeze={"prefixes": ["0", "1"], "epochs": 1})
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    made.begin_epoch(0)
    made.step(batch(8), True, True, 1)
    moved = {name for name, value in made.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"3.weight", "3.bias"}
    made.begin_epoch(1)
    made.step(batch(8), True, True, 1)
    moved = {name for name, value in made.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == set(before)


def test_parts_have_rates_of_their_own_and_all_follow_the_schedule() -> None:
    schedule = Schedule(name="multistep", milestones=[2], gamma=0.5)
    made = learner(net(), optimizer=Optimizer(name="adam", lr=1e-2), rates={"0": 1e-3, "3": 1e-4}, schedule=schedule)

    def rates() -> dict[str, float]:
        names = {parameter: name for name, parameter in made.named.items()}
        return {names[p]: group["lr"] for group in made.optimizer.param_groups for p in group["params"]}

    made.set_rate(0)
    assert rates() == {
        "0.weight": 1e-3,
        "0.bias": 1e-3,
        "1.weight": 1e-2,
        "1.bias": 1e-2,
        "3.weight": 1e-4,
        "3.bias": 1e-4,
    }
    made.set_rate(2.5)
    assert rates()["0.weight"] == 5e-4
    assert made.rate == 5e-3


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(DetrtError, match="`2`, which has no weights"):
        learner(net(), rates={"2": 1e-3})


def test_the_longest_prefix_counts() -> None:
    model = nn.ModuleDict({"trunk": nn.ModuleDict({"p4": nn.Linear(1, 1), "p5": nn.Linear(1, 1)})})
    made = make_optimizer(Optimizer(lr=1.0), dict(model.named_parameters()), {"trunk": 0.1, "trunk.p5": 0.01})
    assert [(group["lr"], len(group["params"])) for group in made.param_groups] == [(0.1, 2), (0.01, 2)]


def test_weight_decay_may_leave_biases_and_norms_alone() -> None:
    made = make_optimizer(Optimizer(weight_decay=0.1, decay="weights"), dict(net().named_parameters()))
    assert {group["weight_decay"]: len(group["params"]) for group in made.param_groups} == {0.1: 2, 0.0: 4}


def test_nesterov_reaches_torch() -> None:
    made = make_optimizer(Optimizer(name="sgd", nesterov=True), dict(net().named_parameters()))
    assert made.defaults["nesterov"] is True


def test_the_average_warms_up_as_in_yolox() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = Ema(model, 0.9998, warmup=2000)
    nn.init.ones_(model.weight)
    average.update()
    assert float(average.model.weight) == pytest.approx(1 - 0.9998 * (1 - torch.exp(torch.tensor(-1 / 2000)).item()))
