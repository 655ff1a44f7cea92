"""README.md of the folder c/."""

from __future__ import annotations

from collections.abc import Sequence

from detrt.devices.stm32.c.layers import Network
from detrt.devices.stm32.c.naming import comment

_DETECTS = """\
An int8 detector in C99: no heap, no operating system, no C library but `memcpy` and its like. Every number it computes equals
the simulator's and the quantised model's, bit for bit, on every processor.

```c
#include "detector.h"

const detc_detection *found;
memcpy(network_input(), picture, NETWORK_INPUT_BYTES); /* u8, {shape}: rows, columns, channels */
uint32_t count = detector_run(&found);                 /* found[0 .. count - 1], best first */
```

Boxes are in 1/65536 of the network's input, a score of 1 is 16777216. Classes: {named}."""
_ALONE = """\
An int8 network in C99: no heap, no operating system, no C library but `memcpy` and its like. Every number it computes equals
the simulator's, bit for bit, on every processor.

```c
#include "network.h"

memcpy(network_input(), picture, NETWORK_INPUT_BYTES); /* u8, {shape}: rows, columns, channels */
network_run();                                         /* network_outputs[0 .. NETWORK_OUTPUTS - 1] */
```

It is a network alone: no head is known that says what its outputs mean, so there is no post-processing here, and the numbers are
for the application to decode. `network.h` says what one step of each output stands for."""
_DETECTOR_FILES = """\
| `detector.h` | a picture in, detections out |
"""
_POSTPROCESS_FILES = """\
| `postprocess.c`, `detc_*.c` | from int8 outputs to boxes: decoding and non-maximum suppression in whole numbers |
"""


def readme(network: Network, classes: Sequence[str] = (), header: str = "") -> str:
    """How the code is used, what it takes, and what lies in which file. `header` is the one for ST's applications, "" for a
    network without a head."""
    pools = "\n".join(
        f"| RAM, `{comment(pool.name)}` | {pool.used:,} of {pool.capacity:,} bytes |" for pool in network.arena.pools
    )
    named = ", ".join(f"`{comment(name).replace('`', '')}`" for name in classes[:20]) + (
        ", .." if len(classes) > 20 else ""
    )
    use = (_DETECTS if header else _ALONE).format(shape=" x ".join(map(str, network.input.shape)), named=named)
    st_files = f"| `{header}` | the defines that ST's example applications read |\n" if header else ""
    return f"""\
# {comment(network.program.name)} in C

{use}

| | |
|---|---|
| layers, MACs a picture | {len(network.layers)}, {network.macs:,} |
{pools}
| flash, constants of the network | {network.constant_bytes:,} bytes |

## Try it

```
make run-host                    # this computer
make run-m4                      # Cortex-M4F under QEMU (128 KiB of RAM), also run-m7, run-m55
```

What is made lies beside the artifacts folder (`artifacts-build/`), `make clean` removes it. The emulated boards need
`apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm`. CMake: see `CMakeLists.txt`.
`detc run ARTIFACTS PICTURES --on qemu-m4` runs this code on pictures of yours, `detc benchmark ARTIFACTS` measures it.

## Put it into a firmware

Add `*.c` and `kernels/*.c` (without `picture.c`) to the project, compile with `-ffp-contract=off` or any flags you like: there
is no floating point. Kernels take the DSP instructions of Cortex-M4, M7 and M33 and the vectors of M55 by themselves.
Define `NETWORK_PLACE_...` (see `network_config.h`) to put the arena into a memory of its own:

```
-D'NETWORK_PLACE_AXI=__attribute__((section(".axi_ram")))'
```

| file | |
|---|---|
{_DETECTOR_FILES if header else ""}\
| `network.h`, `network.c` | the layers, one function each, and where their tensors lie |
| `network_config.h` | sizes and budgets; a build that exceeds one does not compile |
| `network_weights.c` | weights, biases, factors, tables |
{_POSTPROCESS_FILES if header else ""}\
| `kernels/` | the kernels; `detc_kernels.h` says what each computes |
{st_files}\
| `apps/`, `boards/`, `picture.c` | programs that try the network, and the emulated boards they run on |
"""
