"""What neurons send at rest equals what they send, summed up, when run through time on a picture that is held."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from detrt.layers import Cuba, SigmaDelta, Unpool, WeightNormConv2d  # noqa: E402


def sigma_delta_over_time(sums: torch.Tensor, mean: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    """The receiver's sum after `steps` of a neuron that is sent `sums` in the first step and no change after it."""
    received, sent, residue, before = torch.zeros_like(sums), torch.zeros_like(sums), 0.0, torch.zeros_like(sums)
    for step in range(steps):
        received = received + (sums if step == 0 else 0.0)
        value = torch.relu(received - mean[:, None, None])
        change = value - before + residue
        message = torch.where(change.abs() >= threshold, change, torch.zeros_like(change))
        residue, before = change - message, value
        sent = sent + message
    return sent


def test_sigma_delta_at_rest_is_what_its_messages_sum_up_to() -> None:
    torch.manual_seed(0)
    neuron = SigmaDelta(3, threshold=0.1, activation="relu", norm="mean_only_batch").eval()
    neuron.norm.running_mean.copy_(torch.tensor([0.3, -0.2, 0.0]))
    sums = torch.randn(2, 3, 5, 5)
    over_time = sigma_delta_over_time(sums, neuron.norm.running_mean, 0.1, 4)
    at_rest = neuron(sums)
    assert (at_rest - over_time).abs().max() < 0.1, "they differ by less than the threshold"
    sent = over_time != 0
    assert torch.allclose(at_rest[sent], over_time[sent], atol=1e-6), "what is sent at all is sent whole"


def test_means_are_followed_in_training_alone() -> None:
    neuron = SigmaDelta(2, norm="mean_only_batch")
    x = torch.stack([torch.full((1, 4, 4), 1.0), torch.full((1, 4, 4), -2.0)], 1)[0][None]
    assert torch.equal(neuron.train()(x), torch.zeros_like(x))
    assert torch.allclose(neuron.norm.running_mean, torch.tensor([0.1, -0.2]))
    neuron.eval()(x)
    assert torch.allclose(neuron.norm.running_mean, torch.tensor([0.1, -0.2]))
    assert not any(p.requires_grad for p in neuron.parameters())


@pytest.mark.parametrize("current", [0.0, 0.005, 0.009, 0.011, 0.02, 0.05, 0.09, 0.2])
def test_a_spiking_neuron_keeps_its_rate(current: float) -> None:
    """Against the neuron itself: the period is the rate's inverse rounded up to a whole step."""
    steps, spikes, voltage = 2000, 0, 0.0
    for _ in range(steps):
        voltage = 0.9 * voltage + current
        if voltage >= 0.1:
            spikes, voltage = spikes + 1, 0.0
    rate = float(Cuba(1, threshold=0.1, voltage_decay=0.1)(torch.full((1, 1, 1, 1), current)))
    expected = 1 / math.ceil(1 / rate - 1e-4) if rate else 0.0
    assert spikes / steps == pytest.approx(expected, rel=0.01, abs=1e-3)


def test_a_rate_has_a_gradient_where_it_moves() -> None:
    x = torch.tensor([-1.0, 0.0, 0.005, 0.02, 0.05, 5.0]).view(1, 1, 1, 6).requires_grad_()
    Cuba(1)(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad.flatten() > 0).tolist() == [False, False, False, True, True, False]


def test_weight_norm_is_torchs() -> None:
    mine = WeightNormConv2d(3, 4, 3, padding=1, gain=2.0)
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(3, 4, 3, padding=1))
    with torch.no_grad():
        mine.weight_g.mul_(1.5)
        theirs.parametrizations.weight.original0.copy_(mine.weight_g)
        theirs.parametrizations.weight.original1.copy_(mine.weight_v)
        theirs.bias.copy_(mine.bias)
    x = torch.randn(2, 3, 6, 6)
    assert torch.allclose(mine(x), theirs(x), atol=1e-6)
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_first_weights_are_torchs_times_the_gain() -> None:
    torch.manual_seed(3)
    plain = torch.nn.Conv2d(5, 7, 3, bias=False)
    torch.manual_seed(3)
    normed = WeightNormConv2d(5, 7, 3, bias=False, gain=3.0)
    assert torch.allclose(normed.weight, 3 * plain.weight, atol=1e-6)


def test_unpooling_repeats_each_value_at_first() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.allclose(Unpool(2)(x), torch.nn.functional.interpolate(x, scale_factor=2), atol=1e-6)
    weighted = Unpool((1, 2))
    with torch.no_grad():
        weighted.weight_v.copy_(torch.tensor([[[[3.0, 4.0]]]]))
        weighted.weight_g.fill_(5.0)
    y = weighted(x)
    assert torch.allclose(y[..., ::2], 3 * x) and torch.allclose(y[..., 1::2], 4 * x)
