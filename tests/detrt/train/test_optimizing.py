"""The pieces of a step: decay in the loss, averages, first weights, frozen parts, batch norms over processes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny_detector import Tiny, lock
from torch import nn

from detrt import lock as locks
from detrt.lock import parse_lock
from detrt.train.ema import Ema
from detrt.train.histograms import sample
from detrt.train.initialise import initialise
from detrt.train.optimizer import add_l2_gradient, l2_term, make_optimizer
from detrt.train.precision import autocast_dtype


def test_the_decay_of_the_loss_is_that_of_the_written_out_term() -> None:
    torch.manual_seed(0)
    model, x = Tiny(), torch.rand(2, 3, 28, 28)
    parameters = list(model.parameters())
    (model(x).sum() + 3e-3 * sum(p.square().sum() for p in parameters)).backward()
    expected = [p.grad.clone() for p in parameters if p.grad is not None]
    model.zero_grad()
    model(x).sum().backward()
    add_l2_gradient(parameters, 3e-3)
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-6)
    assert float(l2_term(parameters, 3e-3)) == pytest.approx(
        3e-3 * sum(float(p.detach().square().sum()) for p in parameters), rel=1e-6
    )


@pytest.mark.parametrize(
    ("options", "kind", "decay"),
    [
        ({"name": "sgd", "weight_decay": 0.1, "l2": "loss"}, torch.optim.SGD, 0.0),
        ({"name": "sgd", "weight_decay": 0.1, "l2": "optimizer"}, torch.optim.SGD, 0.1),
        ({"name": "adamw", "weight_decay": 0.1}, torch.optim.AdamW, 0.1),
        ({"name": "adam", "weight_decay": 0.1}, torch.optim.Adam, 0.1),
    ],
)
def test_makes_optimisers(options: dict[str, Any], kind: type, decay: float) -> None:
    made = make_optimizer(locks.Optimizer(**options), dict(Tiny().named_parameters()))
    assert type(made) is kind
    assert made.param_groups[0]["weight_decay"] == decay


def test_the_average_follows_the_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = Ema(model, 0.5)
    values = []
    expected = 0.0
    for step in range(1, 6):
        nn.init.constant_(model.weight, float(step))
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        values.append(math.isclose(float(average.model.weight), expected, rel_tol=1e-6))
    assert all(values)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_buffers_of_the_average_are_copied() -> None:
    model = nn.BatchNorm2d(2)
    average = Ema(model, 0.9)
    model(torch.rand(4, 2, 3, 3))
    average.update()
    assert torch.equal(average.model.running_mean, model.running_mean)
    assert int(average.model.num_batches_tracked) == 1


def test_data_dependent_weights_give_every_layer_unit_outputs() -> None:
    torch.manual_seed(0)
    described = parse_lock(lock([])).model
    model, pictures = Tiny(), torch.randint(0, 32, (8, 3, 28, 28)).float()
    initialise(model, described, locks.Init(convs="data", head_bias=0.3), [pictures])
    seen: dict[str, torch.Tensor] = {}
    for name in ("conv1", "conv2", "head"):
        model.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: seen.update({name: output.detach()})
        )
    model(pictures)
    for name, spread, mean in (("conv1", 1.0, 0.0), ("conv2", 1.0, 0.0), ("head", 0.1, 0.3)):
        torch.testing.assert_close(
            seen[name].std((0, 2, 3)), torch.full((seen[name].shape[1],), spread), rtol=1e-3, atol=0
        )
        torch.testing.assert_close(
            seen[name].mean((0, 2, 3)), torch.full((seen[name].shape[1],), mean), rtol=0, atol=1e-3
        )


def test_layers_with_an_init_of_their_own_keep_it() -> None:
    content = lock([])
    content["model"]["nodes"][1]["attributes"]["init"] = {"bias": -4.6}
    model = Tiny()
    before = model.conv1.weight.clone()
    initialise(model, parse_lock(content).model, locks.Init(), [])
    assert torch.equal(model.conv1.weight, before)
    assert not model.conv2.bias.any()


def test_quantised_stages_never_run_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detrt.train.precision._cpu_is_good_at", lambda dtype: True)
    stage = locks.Stage(name="s", id="s", model="m", data="d", amp="bf16")
    cpu = torch.device("cpu")
    assert autocast_dtype(stage, cpu, print) is torch.bfloat16
    quantised = stage.model_copy(update={"quantize": locks.Quantize(weights="masks")})
    assert autocast_dtype(quantised, cpu, print) is None


def test_half_precision_trains_where_it_is_asked_for(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiny_detector import run, stage, write_lock

    monkeypatch.setattr("detrt.train.precision._cpu_is_good_at", lambda dtype: True)
    for amp in ("bf16", "fp16"):
        path = write_lock(tmp_path, [stage("float", epochs=2, amp=amp)])
        assert run(path, "--name", amp) == 0


def test_samples_are_small_and_spread() -> None:
    found = sample(torch.arange(1_000_000))
    assert 2000 <= len(found) <= 4096
    assert float(found[-1]) > 990_000
