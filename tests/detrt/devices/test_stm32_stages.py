"""The int8 stage as training sees it: the same module, gradients as if nothing were rounded, exact in eval mode."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from int8_nets import Case, random_net  # noqa: E402
from test_stm32_one_arithmetic import INT8, equal, made, simulated, stage, torch_tensors  # noqa: E402
from torch import nn  # noqa: E402

from detrt.devices import stm32  # noqa: E402
from detrt.devices.stm32.stages import Int8Net, prepare  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402

FAIR = [s for s in range(24) if s % 5 != 4]
"""Nets without the steps of powers of two, whose weights training would leave."""


def fair(seed: int) -> Case:
    """A net with the ranges that its tensors have."""
    case = random_net(seed)
    with torch.no_grad():
        values = case.model.values(case.encoded(case.pictures(4, 99)))
    case.ranges = {name: (float(values[name].min()), float(values[name].max())) for name in case.ranges}
    return case


def first(outputs: Any) -> Any:
    grid = outputs["grid"] if isinstance(outputs, dict) else outputs
    return grid[0] if isinstance(grid, list) else grid


def test_the_very_same_module_trains_in_int8() -> None:
    case = random_net(0)
    parameters, keys = list(case.model.parameters()), list(case.model.state_dict())
    model = prepare(case.model, case.lock, INT8, case.caps)
    assert model is case.model and isinstance(model, Int8Net) and isinstance(model, type(case.model))
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True)) and list(model.state_dict()) == keys
    assert type(prepare(model, case.lock, INT8, case.caps)) is type(model)
    assert prepare(nn.Identity(), case.lock, {"quantize": {}}, None)


def test_a_copy_is_of_its_own() -> None:
    case = random_net(0)
    model = stage(case)
    batch = case.encoded(case.pictures(1))
    copied = copy.deepcopy(model)
    with torch.no_grad():
        before = first(model(batch))
        for parameter in copied.parameters():
            parameter.zero_()
        assert torch.equal(first(model(batch)), before) and not torch.equal(first(copied(batch)), before)


@pytest.mark.parametrize("seed", range(6))
def test_training_differs_from_eval_by_a_rounding_at_most(seed: int) -> None:
    case = random_net(seed)
    model = stage(case)
    batch = case.encoded(case.pictures(2))
    found: dict[str, Any] = {}
    with torch.no_grad():
        exact = first(model(batch))
        norms = {k: v.clone() for k, v in model.state_dict().items() if "running" in k or "num_batches" in k}
        trained = first(model.train()(batch))
        found = model.state_dict()
    assert (exact != trained).float().mean() < 0.01
    assert all(torch.equal(found[key], value) for key, value in norms.items())  # statistics stand still


@pytest.mark.long
def test_gradients_are_nearly_those_of_the_float_model() -> None:
    """Where ranges fit and nothing saturates. Parameters that hardly matter are left out."""
    close = total = 0
    for seed in FAIR[:12]:
        case = fair(seed)
        batch = case.encoded(case.pictures(4, 99))
        gradients = []
        for model in (copy.deepcopy(case.model).eval(), stage(case).train()):
            out = first(model(batch))
            target = torch.linspace(0, 1, out.numel()).view_as(out) * out.detach().std()
            (out * target).sum().backward()
            gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
        largest = max((float(g.norm()) for g in gradients[0].values()), default=0.0)
        for name, one in gradients[0].items():
            if float(one.norm()) > 1e-2 * largest:
                total += 1
                close += float(torch.cosine_similarity(one.flatten(), gradients[1][name].flatten(), dim=0)) > 0.9
    assert total > 30 and close > 0.8 * total


@pytest.mark.long
def test_training_in_int8_learns_and_stays_exact() -> None:
    """Disturbed weights come back to the float net's outputs, in eval mode, by the gradients of whole numbers."""
    case = fair(8)
    batch = case.encoded(case.pictures(4, 99))
    with torch.no_grad():
        target = first(case.model(batch))
    model = stage(case)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 0.3 * torch.randn_like(parameter))

    def error() -> float:
        with torch.no_grad():
            return float((first(model.eval()(batch)) - target).square().mean())

    before = error()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(15):
        optimiser.zero_grad()
        (first(model.train()(batch)) - target).square().mean().backward()
        optimiser.step()
    assert error() < 0.3 * before
    picture = case.pictures(1, 5)[0]
    case.model.load_state_dict(model.state_dict())
    assert equal(torch_tensors(model.eval(), case, picture), simulated(made(case), picture))


@pytest.mark.long
def test_it_trains_in_a_distributed_run(tmp_path: Path) -> None:
    case = fair(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(stage(case).train())
        first(model(case.encoded(case.pictures(2)))).square().sum().backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_autocast_and_other_sizes_are_kept_out() -> None:
    case = random_net(0)
    model = stage(case)
    batch = case.encoded(case.pictures(1))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert first(model(batch)).dtype is torch.float32
    with pytest.raises(DetrtError, match="planned for") as error:
        model(batch[:, :, 1:])
    assert "multiscale" in error.value.remedy


@pytest.mark.parametrize(
    ("caps", "says"), [(None, "no stage measured"), ({}, "nothing was calibrated"), ({"x.low": 0.0}, "one end")]
)
def test_a_stage_without_ranges_is_refused(caps: dict[str, float] | None, says: str) -> None:
    case = random_net(0)
    with pytest.raises(DetrtError, match=says):
        prepare(case.model, case.lock, INT8, caps)
    with pytest.raises(DetrtError, match="no plan"):
        prepare(case.model, {**case.lock, "plan": None}, INT8, case.caps)


def test_the_package_names_what_it_offers() -> None:
    assert stm32.prepare is prepare and stm32.Simulator.__name__ == "Simulator"
    with pytest.raises(AttributeError):
        getattr(stm32, "nothing")  # noqa: B009
