"""The chain without a weak link: quantised torch stage = simulator = program read back from its files, at every tensor."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from int8_nets import SEEDS, Case, random_net, wide_net  # noqa: E402

from detrt.devices.stm32.arithmetic import dequantise  # noqa: E402
from detrt.devices.stm32.floating import observe  # noqa: E402
from detrt.devices.stm32.plan import read_plan  # noqa: E402
from detrt.devices.stm32.program import Program  # noqa: E402
from detrt.devices.stm32.program_file import load_program, same_program, save_program  # noqa: E402
from detrt.devices.stm32.quantising import quantised  # noqa: E402
from detrt.devices.stm32.running import in_memory  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402
from detrt.devices.stm32.stages import Int8Net, prepare  # noqa: E402
from detrt.layers import WeightNormConv2d  # noqa: E402

INT8 = {"quantize": {"int8": {"stage": "steps.ranges"}}}
Maps = dict[str, npt.NDArray[Any]]


def made(case: Case) -> Program:
    return quantised(case.lock["plan"], case.model.state_dict(), case.ranges, case.lock["model"]["input"])


def stage(case: Case) -> Int8Net:
    model = prepare(copy.deepcopy(case.model), case.lock, INT8, case.caps).eval()
    assert isinstance(model, Int8Net)
    return model


def torch_tensors(model: Int8Net, case: Case, picture: npt.NDArray[np.uint8]) -> Maps:
    """Every tensor of the quantised stage as int8, laid out as in memory."""
    found: Maps = {}
    zeros = {name: quant.zero for name, quant in model.int8.quants.items()}

    def see(name: str, x: Any) -> None:
        found[name] = (in_memory(x)[0].numpy() + zeros[name]).astype(np.int64)

    with torch.no_grad():
        model.run(case.encoded(picture[None]), see)
    return found


def simulated(program: Program, picture: npt.NDArray[np.uint8]) -> Maps:
    found: Maps = {}
    simulate(program, picture, lambda name, numbers: found.update({name: numbers}))
    return found


def equal(one: Maps, other: Maps) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", [*SEEDS[:15], *(pytest.param(s, marks=pytest.mark.long) for s in SEEDS[15:])])
def test_torch_simulator_and_files_agree_at_every_tensor(seed: int, tmp_path: Path) -> None:
    case = random_net(seed)
    program, picture = made(case), case.pictures(1, seed + 1000)[0]
    save_program(program, tmp_path)
    back = load_program(tmp_path)
    assert same_program(program, back)
    tensors = simulated(program, picture)
    assert equal(torch_tensors(stage(case), case, picture), tensors) and equal(simulated(back, picture), tensors)


def nearly_white(count: int) -> npt.NDArray[np.uint8]:
    """Pictures for `wide_net`: a byte a pixel around 250, of which the mean is 250."""
    pictures = np.full((count, 16, 16, 4), 250, np.uint8)
    for number, picture in enumerate(pictures.reshape(count, -1)):
        picture[number], picture[-1 - number] = 251, 249
    return pictures


def test_sums_beyond_the_whole_numbers_of_float32_are_exact() -> None:
    case = wide_net()
    program, model = made(case), stage(case)
    for picture in nearly_white(8):
        tensors = simulated(program, picture)
        exact = (picture.reshape(-1) * program.steps[0].weight.astype(np.int64)).sum(1) + program.steps[0].bias
        step = program.tensors["out"].quant.scale
        assert np.abs(tensors["out"] - program.tensors["out"].quant.zero - exact / step).max() <= 0.51
        assert equal(torch_tensors(model, case, picture), tensors)


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_outputs_of_the_stage_are_what_the_int8_outputs_stand_for(seed: int) -> None:
    case = random_net(seed)
    program, pictures = made(case), case.pictures(2, seed)
    with torch.no_grad():
        results, plain = stage(case)(case.encoded(pictures)), case.model(case.encoded(pictures))
    assert type(results) is type(plain)
    results = results if isinstance(results, dict) else {"grid": results}
    for number, picture in enumerate(pictures):
        wanted = simulate(program, picture)
        for name, found in results.items():
            listed = found if isinstance(found, list) else [found]
            for tensor, numbers, one in zip(program.outputs[name], wanted[name], listed, strict=True):
                real = dequantise(numbers, program.tensors[tensor].quant)
                assert np.array_equal(in_memory(one)[number].numpy(), real)


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_observed_tensors_are_those_of_the_model(seed: int) -> None:
    case = random_net(seed)
    batch = case.encoded(case.pictures(2, seed))
    found = observe(case.model, read_plan(case.lock), batch)
    with torch.no_grad():
        values = case.model.values(batch)
    assert case.ranges.keys() <= found.keys() <= values.keys()
    for name in found:
        torch.testing.assert_close(found[name].reshape(values[name].shape), values[name], rtol=1e-3, atol=1e-4)


def test_weight_normed_convolutions_are_quantised_as_they_multiply() -> None:
    case = random_net(5)
    step = next(s for s in case.lock["plan"]["steps"] if s["kernel"] == "conv" and s["groups"] == 1)
    conv = case.model.get_submodule(step["module"])
    out, inner, *k = conv.weight.shape
    twin = WeightNormConv2d(inner, out, tuple(k), conv.stride, 0, conv.dilation, bias=conv.bias is not None)
    with torch.no_grad():
        twin.weight_v.copy_(conv.weight + 0.01)
        twin.weight_g.copy_(conv.weight.square().sum((1, 2, 3), keepdim=True).sqrt())
        if conv.bias is not None:
            twin.bias.copy_(conv.bias)
    setattr(case.model, step["module"], twin)
    step["weight_norm"] = True
    program, picture = made(case), case.pictures(1, 3)[0]
    assert equal(torch_tensors(stage(case), case, picture), simulated(program, picture))
    batch = case.encoded(picture[None])
    with torch.no_grad():
        values = case.model.values(batch)[step["output"]]
    torch.testing.assert_close(observe(case.model, read_plan(case.lock), batch)[step["output"]], values)
