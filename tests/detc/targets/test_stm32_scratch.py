"""What the planner says of the C kernels is what their header says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

from detc.targets.stm32 import overlap, scratch

KERNELS = Path(__file__).parents[3] / "runtime" / "detrt" / "devices" / "stm32" / "c" / "kernels"
SIZES = [((k, j), channels) for k, j, channels in product((1, 2, 3, 5), (1, 3, 7), (1, 2, 3, 4, 7, 8, 15, 64, 320))]


def test_scratch_is_that_of_the_header(tmp_path: Path, needs_program: Callable[[str, str], None]) -> None:
    needs_program("gcc", "gcc")
    lines, expected = [], []
    for k, channels in SIZES:
        taps = k[0] * k[1]
        lines.append(f"DETC_CONV_SCRATCH({taps} * {channels}), DETC_POINTWISE_SCRATCH({channels}),")
        lines.append(f"DETC_DEPTHWISE_SCRATCH({taps}, {channels}), DETC_DENSE_SCRATCH({channels}),")
        expected += [scratch.conv(k, channels, pad=(1, 1, 1, 1)), scratch.conv((1, 1), channels)]
        expected += [scratch.depthwise(k, channels), scratch.dense(channels)]
    source = tmp_path / "probe.c"
    source.write_text(
        '#include <stdio.h>\n#include "detc_kernels.h"\nint main(void)\n{\n    static const int need[] = {\n'
        + "\n".join(lines)
        + '};\n    for (unsigned i = 0; i < sizeof need / sizeof *need; i++) printf("%d\\n", need[i]);\n}\n'
    )
    subprocess.run(["gcc", "-std=c99", f"-I{KERNELS}", str(source), "-o", str(tmp_path / "probe")], check=True)
    printed = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=True).stdout
    assert [int(line) for line in printed.split()] == expected


def test_groups_share_their_inputs_channels() -> None:
    assert scratch.conv((3, 3), 64, groups=4) == scratch.conv((3, 3), 16)


def test_outputs_may_lie_as_near_as_the_header_says() -> None:
    said = re.findall(r"#define DETC_(\w+)_AHEAD (\d+)", (KERNELS / "detc_kernels.h").read_text())
    assert {name.lower(): int(pixels) for name, pixels in said} == overlap.AHEAD
