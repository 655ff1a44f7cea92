"""What the training engine may rely on: keys stay, functions stay, gradients pass, caps and scales are what they say."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chip_nets import random_net  # noqa: E402
from test_gti5801_one_arithmetic import CHIP, WEIGHTS, chip_stage, pictures  # noqa: E402

from detrt.devices import backend  # noqa: E402
from detrt.devices.gti5801.arithmetic import quantize_input, quantize_layer, quantize_relu  # noqa: E402
from detrt.devices.gti5801.chain import read_plan  # noqa: E402
from detrt.devices.gti5801.errors import DeviceError  # noqa: E402
from detrt.devices.gti5801.fakequant import QuantConv2d, QuantReLU  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402

CHIP5801 = backend("gti5801")


def has_shortcut(seed: int) -> bool:
    return any(link.skip for link in read_plan(random_net(seed)[1]).links)


WITH_SHORTCUT = next(seed for seed in range(100) if has_shortcut(seed))
PLAIN = next(seed for seed in range(1, 100) if not has_shortcut(seed) and seed % 4)


def inputs_of(lock: dict[str, Any], count: int = 2) -> Any:
    return torch.from_numpy(quantize_input(pictures(lock, count)).astype(np.float32))


def caps_of(model: Any, lock: dict[str, Any], q: float = 99.0) -> dict[str, float]:
    return CHIP5801.calibrate(model, lock, [inputs_of(lock)], {"name": "percentile", "q": q})


def test_unknown_backend_names_the_known() -> None:
    with pytest.raises(DetrtError, match="abacus") as refused:
        backend("abacus")
    assert "gti5801" in refused.value.remedy


def test_a_target_has_the_backend_of_its_nearest_ancestor() -> None:
    assert backend("my_board", ["my_board", "gti5801"]) is CHIP5801


@pytest.mark.parametrize("stage", [WEIGHTS, CHIP], ids=["weights", "chip"])
def test_keys_and_parameters_stay_the_same(stage: dict[str, Any]) -> None:
    model, lock = random_net(5, norms=True)
    keys, parameters = list(model.state_dict()), {n: id(p) for n, p in model.named_parameters()}
    prepared = CHIP5801.prepare(model, lock, stage, caps_of(model, lock))
    assert prepared is model
    assert list(model.state_dict()) == keys
    assert {n: id(p) for n, p in model.named_parameters()} == parameters


def test_folding_batch_norm_keeps_the_function_and_is_done_once() -> None:
    model, lock = random_net(5, norms=True)
    x = inputs_of(lock)
    before = model(x)
    twin = copy.deepcopy(model)
    CHIP5801.prepare(twin, lock, WEIGHTS)
    state = twin.state_dict()
    plain, _ = random_net(5, norms=True)
    plain.load_state_dict(state)
    assert torch.allclose(plain.eval()(x), before, rtol=1e-4, atol=1e-3)
    again = CHIP5801.prepare(plain, lock, WEIGHTS)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), state.values(), strict=True))


def test_preparing_before_or_after_loading_is_the_same() -> None:
    trained, lock = chip_stage(7, norms=True)
    state, x = trained.state_dict(), inputs_of(lock)
    resumed, _ = random_net(7, norms=True)
    CHIP5801.prepare(resumed, lock, CHIP, None)
    resumed.load_state_dict(state)
    assert torch.equal(resumed.eval()(x), trained(x))


def test_a_copy_for_averaged_weights_is_a_model_of_its_own() -> None:
    model, lock = chip_stage(6, norms=True)
    twin, x = copy.deepcopy(model), inputs_of(lock)
    assert torch.equal(twin(x), model(x))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert model(x).abs().sum() == 0 and twin(x).abs().sum() > 0


def test_weights_stage_uses_the_chip_grid_and_passes_gradients() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(4, 8, 3, padding=1)
    quantised = QuantConv2d.of(conv, 3, None)
    x = torch.rand(1, 4, 6, 6) * 31
    layer = quantize_layer(conv.weight.detach(), conv.bias.detach(), 3)
    result = quantised(x)
    assert torch.equal(result, torch.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1))
    result.sum().backward()
    expected = torch.nn.functional.conv2d(x, torch.ones(1, 4, 3, 3), padding=1)
    patches = torch.nn.functional.unfold(x, 3, padding=1).sum((0, 2)).reshape(4, 3, 3)
    assert expected.shape[-1] == 6 and torch.allclose(conv.weight.grad, patches.expand_as(conv.weight), rtol=1e-5)
    assert torch.allclose(conv.bias.grad, torch.full((8,), 36.0))


@pytest.mark.parametrize("cap", [31.0, 20.9453125, 1.0])
def test_relu_gradient_is_one_half_on_the_ends(cap: float) -> None:
    x = torch.tensor([-1.0, 0.0, cap / 2, cap, cap + 1], requires_grad=True)
    QuantReLU(cap)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.5, 1.0, 0.5, 0.0]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_relu_in_pieces_is_the_relu(layout: Any) -> None:
    x = (torch.randn(2, 24, 96, 96) * 20).contiguous(memory_format=layout).requires_grad_()
    y = QuantReLU(17.3)(x)
    assert y.is_contiguous(memory_format=layout)
    assert torch.equal(y, quantize_relu(x.detach(), 17.3))
    y.backward(torch.ones_like(y))
    assert torch.equal(x.grad, ((x > 0) & (x < 17.3)).float())


def test_caps_are_percentiles_of_what_enters_the_relus() -> None:
    model, lock = random_net(PLAIN)
    CHIP5801.prepare(model, lock, WEIGHTS)
    seen: dict[str, list[Any]] = {}
    for link in read_plan(lock).links:
        relu = model.get_submodule(link.relu)
        relu.register_forward_pre_hook(lambda m, i, name=link.relu_node: seen.setdefault(name, []).append(i[0].numpy()))
    batches = [inputs_of(lock), inputs_of(lock, 1) / 2]
    with torch.no_grad():
        caps = CHIP5801.calibrate(model, lock, batches, {"q": 97.5})
    assert caps == {name: max(float(np.percentile(v, 97.5)) for v in values) for name, values in seen.items()}
    many = CHIP5801.measure(model, lock, batches, [90.0, 97.5, 100.0])
    assert many[1] == caps
    assert all(many[0][n] <= caps[n] <= many[2][n] for n in caps)


def test_calibration_quantises_float_weights_for_itself_only() -> None:
    model, lock = random_net(2)
    plain = caps_of(model, lock)
    assert not any(isinstance(m, QuantConv2d) for m in model.modules())
    assert plain == caps_of(CHIP5801.prepare(model, lock, WEIGHTS), lock)


def test_caps_are_tied_where_the_chip_adds() -> None:
    model, lock = random_net(WITH_SHORTCUT)
    caps = caps_of(model, lock)
    for names in read_plan(lock).cap_groups():
        assert len({caps[name] if name else 31.0 for name in names}) == 1
    loose = {name: 1.0 + n for n, name in enumerate(caps)}
    with pytest.raises(DeviceError, match="shortcut"):
        CHIP5801.fold(model, lock, loose)


def test_folding_caps_keeps_the_function_up_to_the_scale() -> None:
    model, lock = random_net(PLAIN)
    caps = {name: 40.0 + 3 * n for n, name in enumerate(caps_of(model, lock))}
    links, x = read_plan(lock).links, inputs_of(lock)
    folded = copy.deepcopy(model)
    for link in links:
        setattr(model, link.relu, torch.nn.Hardtanh(0.0, caps[link.relu_node]))
    CHIP5801.fold(folded, lock, caps)
    scale = CHIP5801.output_scale(lock, caps)
    assert scale == caps[links[-1].relu_node] / 31
    assert torch.allclose(folded(x) * scale, model(x), rtol=1e-3, atol=1e-3)


def test_rescaling_matches_mean_and_deviation_of_float_channels() -> None:
    """Trained weights collapse under naive 3-bit quantisation; matched channels bring the response back."""

    def response(net: Any, x: Any) -> Any:
        return net(x)

    errors: dict[str, float] = {"naive": 0.0, "rescaled": 0.0}
    for seed in (s for s in range(40) if all(p["bits"] < 8 for p in random_net(s)[1]["plan"]["majors"]) and s % 4):
        model, lock = random_net(seed)
        x = inputs_of(lock, 4)
        with torch.no_grad():
            aim = response(model, x)
            naive = CHIP5801.prepare(copy.deepcopy(model), lock, WEIGHTS)
            better = copy.deepcopy(model)
            CHIP5801.rescale(better, lock, [x[:2], x[2:]])
            CHIP5801.prepare(better, lock, WEIGHTS)
            errors["naive"] += float((naive(x) - aim).abs().mean())
            errors["rescaled"] += float((better(x) - aim).abs().mean())
    assert errors["rescaled"] < 0.8 * errors["naive"]


def test_outputs_of_the_chip_stage_are_whole_numbers() -> None:
    model, lock = chip_stage(11)
    with torch.no_grad():
        y = model(inputs_of(lock))
    assert torch.equal(y, y.round()) and y.min() >= 0 and y.max() <= 31


def test_what_would_wrap_is_clipped_and_told() -> None:
    weight = torch.tensor([200.0, -300.0, 5.0] * 3).reshape(1, 1, 3, 3)
    layer = quantize_layer(weight, torch.tensor([1e6]), 8)
    assert layer.weight.unique().tolist() == [-128.0, 5.0, 127.0] and layer.shift == 0
    assert (layer.clipped.weights, layer.clipped.biases) == (6, 1)
    assert layer.clipped.largest_weight == 300 and layer.bias.tolist() == [524287.0]
    conv = torch.nn.Conv2d(1, 1, 3)
    with torch.no_grad():
        conv.weight.copy_(weight)
    quantised = torch.nn.Sequential(QuantConv2d.of(conv, 8, None))
    quantised(torch.ones(1, 1, 3, 3))
    assert CHIP5801.clipped(quantised)["0"].weights == 6


def test_doubles_are_used_where_float32_would_round() -> None:
    conv = torch.nn.Conv2d(1024, 1, 3, padding=1)
    with torch.no_grad():
        conv.weight.fill_(127.0)
        conv.weight[:, ::2].mul_(-1)
        conv.weight[0, 0, 0, 0] = 1.0
        conv.bias.fill_(0.0)
    quantised = QuantConv2d.of(conv, 8, None).eval()
    quantised.exact = True
    x = torch.full((1, 1024, 3, 3), 31.0)
    exact = torch.nn.functional.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
    assert torch.equal(quantised(x).double(), exact)


@pytest.mark.parametrize("broken", ["no plan", "damaged plan", "no caps", "negative cap", "missing layer"])
def test_misuse_is_refused_with_a_sentence(broken: str) -> None:
    model, lock = random_net(3)
    caps: dict[str, float] | None = {link.relu_node: 31.0 for link in read_plan(lock).links}
    lock = copy.deepcopy(lock)
    stage = {"quantize": {"weights": "masks", "activations": {"stage": "measure"}, "folded": None}}
    if broken == "no plan":
        lock["plan"] = None
    elif broken == "damaged plan":
        del lock["plan"]["majors"][0]["sublayers"][0]["kind"]
    elif broken == "no caps":
        caps = None
    elif broken == "negative cap":
        assert caps is not None
        caps[next(iter(caps))] = -1.0
    else:
        lock["plan"]["majors"][0]["sublayers"][0]["conv"] = "elsewhere"
    with pytest.raises(DeviceError):
        CHIP5801.prepare(model, lock, stage, caps)
