"""The compiled C code: equal to the simulator at every layer, on this computer and on emulated Cortex-M4, M7 and M55."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from int8_nets import SEEDS, random_net  # noqa: E402
from int8_nets import program as random_program  # noqa: E402
from stm32_plans import in_windows, plan_apart, planned  # noqa: E402
from stm32_tiny import HEAD, LOCK, tiny_program  # noqa: E402

from detc.targets.stm32.scratch import ALIGNMENT  # noqa: E402
from detrt.devices.stm32.arithmetic import Int8  # noqa: E402
from detrt.devices.stm32.c import write  # noqa: E402
from detrt.devices.stm32.c.machines import MACHINES  # noqa: E402
from detrt.devices.stm32.c.profiling import profile  # noqa: E402
from detrt.devices.stm32.c.running import Runner  # noqa: E402
from detrt.devices.stm32.postprocess import detect, form_of, outputs_of  # noqa: E402
from detrt.devices.stm32.program import Program  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402

Needs = Callable[[str, str], None]
EMULATED = ("qemu-m4", "qemu-m7", "qemu-m55")
SANITISED = "-DTRACE -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"


def needs_emulator(needs_program: Needs) -> None:
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        needs_program(program, "qemu")


def simulated(program: Program, picture: np.ndarray) -> dict[str, Int8]:
    """Every tensor by name."""
    made: dict[str, Int8] = {}
    simulate(program, picture, lambda name, numbers: made.update({name: numbers.copy()}))
    return made


def first_wrong_layer(runner: Runner, picture: np.ndarray, unseen: frozenset[str] = frozenset()) -> str:
    """The first layer whose output is not the simulator's, "" if all are; then the outputs are the same, too. The tensors
    `unseen` lie in memory by rows only."""
    program, made = runner.program, simulated(runner.program, picture)
    outputs, _ = runner.run(picture)
    at = 0
    for step in (step for step in program.steps if step.output not in unseen):
        expected = made[step.output].tobytes()
        if runner.layers[at : at + len(expected)] != expected:
            return f"{step.name}: {type(step).__name__}"
        at += len(expected)
    assert at == len(runner.layers)
    for name, numbers in outputs.items():
        while name in program.aliases:
            name = program.aliases[name]
        assert np.array_equal(numbers.reshape(-1), made[name].reshape(-1))
    return ""


def run_nets(seeds: Sequence[int], machine: str, flags: str, folder: Path) -> None:
    """All nets in one folder, so that kernels are compiled once."""
    for seed in seeds:
        case, program = random_net(seed), random_program(seed)
        source = folder / f"net{seed}"
        plan = planned(case.lock["plan"], seed)
        write(program, plan, case.lock, None, source)
        with Runner(source, program, MACHINES[machine], flags, folder / "built") as runner:
            for picture in case.pictures(1, seed):
                assert not first_wrong_layer(runner, picture, in_windows(plan)), seed


def tiny_picture(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)


def test_a_tiny_detector_finds_what_the_simulator_finds(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    program = tiny_program()
    write(program, plan_apart(program), LOCK, HEAD, tmp_path / "c")
    outputs = simulate(program, tiny_picture())["map"]
    expected = detect(form_of(program, HEAD), list(outputs))
    with Runner(tmp_path / "c", program, MACHINES["host"], "-O0") as runner:
        numbers, found = runner.run(tiny_picture())
    assert outputs_of(program, HEAD) == list(numbers) and len(expected.scores) > 3
    assert np.array_equal(numbers["both"], outputs[0])
    for name in ("boxes", "scores", "labels"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.long
def test_random_networks_equal_the_simulator_at_every_layer(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    run_nets(SEEDS, "host", "-DTRACE -O0", tmp_path)


@pytest.mark.long
def test_random_networks_run_clean_under_sanitisers(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    run_nets(SEEDS[::6], "host", SANITISED, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("number", range(3), ids=EMULATED)
def test_random_networks_on_emulated_boards_equal_the_simulator(
    number: int, tmp_path: Path, needs_program: Needs
) -> None:
    needs_emulator(needs_program)
    run_nets(SEEDS[number::3], EMULATED[number], "-DTRACE", tmp_path)


@pytest.mark.long
def test_streams_write_the_bytes_of_the_plan_and_no_more(tmp_path: Path, needs_program: Needs) -> None:
    """The memory is painted before the run and read after it; what lies last may end up to 7 bytes before a multiple of 8."""
    needs_emulator(needs_program)
    for seed in (1, 9, 15):
        case = random_net(seed)
        arena = (plan := planned(case.lock["plan"], seed))["arena"]
        assert arena["streams"]
        write(random_program(seed), plan, case.lock, None, tmp_path / str(seed))
        written = sum(profile(tmp_path / str(seed), MACHINES["qemu-m7"]).pools.values())
        assert 0 <= arena["bytes"] - written < ALIGNMENT, seed


def second_number(name: str, change: int) -> Callable[[str], str]:
    """Adds to the second number of an array: of the channel that is not zero everywhere."""
    return lambda text: re.sub(
        rf"( {name}\[\d+\] = {{\s*-?\d+, )(-?\d+)", lambda m: f"{m[1]}{(int(m[2]) + change)}", text, count=1
    )


def replaced(function: str, old: str, new: str) -> Callable[[str], str]:
    """In the function of one layer."""

    def change(text: str) -> str:
        begin = text.index(f"static void {function}(void)")
        end = text.index("\n}\n", begin)
        assert old in text[begin:end], (function, old)
        return text[:begin] + text[begin:end].replace(old, new, 1) + text[end:]

    return change


FAULTS = {
    "a weight": ("network_weights.c", second_number("lite_depthwise_weights", 1)),
    "a bias": ("network_weights.c", second_number("lite_depthwise_bias", 300)),
    "a multiplier": ("network_weights.c", second_number("lite_depthwise_multiplier", 1 << 25)),
    "a shift": ("network_weights.c", second_number("stem_conv1_right", 1)),
    "a table": ("network_weights.c", lambda text: text.replace(" 1, 1, 2, 2, 3, 3, ", " 1, 1, 2, 1, 3, 3, ")),
    "a pad": ("network.c", replaced("run_stem_conv1", ".pad = {0, 0}", ".pad = {1, 0}")),
    "what pads": ("network.c", replaced("run_lite_depthwise", ".zero_in = -128", ".zero_in = -127")),
    "a clamp": ("network.c", replaced("run_stem_conv1", ".high = 117", ".high = 90")),
    "the zero of an output": ("network.c", replaced("run_lite_add", ".to = {.zero = -5", ".to = {.zero = -4")),
    "the zero of an input": ("network.c", replaced("run_lite_add", ".zero_x = 3", ".zero_x = 2")),
    "a rounding": ("network.c", replaced("run_lite_add", ".shift = 12", ".shift = 11")),
    "an order": ("network.c", replaced("run_both", "at_up, at_lite_add", "at_lite_add, at_up")),
    "a stride": ("network.c", replaced("run_pool", ".stride = {2, 2}", ".stride = {1, 2}")),
    "an address": (
        "network.c",
        lambda text: text.replace("at_lite_add = arena_ram + 384", "at_lite_add = arena_ram + 385"),
    ),
    "the picture's sign": ("network.c", lambda text: text.replace("^= 0x80u", "^= 0x81u")),
}


@pytest.mark.long
def test_planted_faults_show_in_the_output(tmp_path: Path, needs_program: Needs) -> None:
    needs_program("gcc", "gcc")
    program = tiny_program()

    def caught() -> str:
        with Runner(tmp_path / "c", program, MACHINES["host"], "-O0 -DTRACE", tmp_path / "built") as runner:
            return first_wrong_layer(runner, tiny_picture(1)) or first_wrong_layer(runner, tiny_picture(2))

    write(program, plan_apart(program), LOCK, HEAD, tmp_path / "c")
    assert not caught()
    for what, (name, fault) in FAULTS.items():
        path = tmp_path / "c" / name
        good = path.read_text()
        assert fault(good) != good, what
        path.write_text(fault(good))
        assert caught(), what
        path.write_text(good)
