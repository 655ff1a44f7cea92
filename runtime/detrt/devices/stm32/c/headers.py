"""network.h, network_config.h, network_weights.h and network_weights.c."""

from __future__ import annotations

from collections.abc import Iterator

from detrt.devices.stm32.c.calls import Array
from detrt.devices.stm32.c.flash import Flash
from detrt.devices.stm32.c.layers import Layer, Network
from detrt.devices.stm32.c.naming import comment, symbol
from detrt.devices.stm32.c.network import title
from detrt.devices.stm32.c.numbers import c_type, rows


def network_h(network: Network) -> str:
    """The text of network.h: how an application calls the network."""
    shape = network.input.shape
    outputs = "\n".join(
        f"     {number}  {network.described(tensor.name)}: (q {-tensor.quant.zero:+d}) * {tensor.quant.scale!r}"
        for number, tensor in enumerate(network.outputs)
    )
    return f"""\
/* {title(network)}

   Put a picture where network_input() points to, call network_run(), read the outputs:

       memcpy(network_input(), picture, NETWORK_INPUT_BYTES);
       network_run();

   The picture is u8 {list(shape)}: rows, columns, channels. Its memory is part of the arena, as the outputs' is: a run
   overwrites the picture, and the next picture overwrites the outputs. Outputs are int8 numbers q, which stand for

{outputs}

   No heap, no state besides the arena; not reentrant. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#include "network_config.h"

uint8_t *network_input(void);
void network_run(void);

/* The same in steps: begin, then layer 0 .. NETWORK_LAYERS - 1. Layers that take turns row by row count as one. */
void network_begin(void);
void network_run_layer(uint32_t layer);

typedef struct {{
    const char *name;
    const int8_t *data;
    uint32_t bytes;
}} network_output;

typedef struct {{
    const char *name;
    const int8_t *output;
    uint32_t bytes;
    uint32_t macs;
}} network_layer;

typedef struct {{
    uint8_t *memory;
    uint32_t bytes;
}} network_pool;

extern const network_output network_outputs[NETWORK_OUTPUTS];
extern const network_layer network_layers[NETWORK_LAYERS];
extern const network_pool network_pools[NETWORK_POOLS];

#endif
"""


def config_h(network: Network, order: str, flash: Flash | None, detects: bool = True) -> str:
    """The text of network_config.h: sizes, and the budgets that they are held to. `order` is that of the picture's colours,
    `flash` where the constants go, None where the target does not say; `detects`: there is a detector.h.
    """
    height, width, channels = network.input.shape
    lines = [
        f"/* {title(network)} */",
        "#ifndef NETWORK_CONFIG_H",
        "#define NETWORK_CONFIG_H",
        "",
        f"/* The picture: u8 [height, width, channels], {comment(order)}. */",
        *_defines(
            NETWORK_INPUT_HEIGHT=height,
            NETWORK_INPUT_WIDTH=width,
            NETWORK_INPUT_CHANNELS=channels,
            NETWORK_INPUT_BYTES=network.input.bytes,
        ),
        "",
        *_defines(
            NETWORK_LAYERS=len(network.slots),
            NETWORK_OUTPUTS=len(network.outputs),
            NETWORK_POOLS=len(network.arena.pools),
            NETWORK_DETECTS=int(detects),
        ),
        "",
        "/* RAM: what the network takes of each memory, and what the application leaves it there. */",
        *_defines(NETWORK_ARENA_BYTES=network.arena.bytes),
    ]
    for pool in network.arena.pools:
        name = symbol(pool.name)
        lines += _defines(**{f"NETWORK_ARENA_{name}_BYTES": pool.used, f"NETWORK_ARENA_{name}_BUDGET": pool.capacity})
    where = f" `{comment(flash.name)}`, {'external' if flash.external else 'internal'}" if flash else ""
    lines += ["", f"/* Flash{where}: weights, biases, factors and tables; code comes on top. */"]
    lines += _defines(NETWORK_CONSTANT_BYTES=network.constant_bytes)
    if flash:
        lines += _defines(NETWORK_FLASH_BUDGET=flash.room)
    lines += ["", '/* Where the pools lie is the application\'s to say, such as __attribute__((section(".axi"))). */']
    for pool in network.arena.pools:
        place = f"NETWORK_PLACE_{symbol(pool.name)}"
        lines += _unless_defined(place)
    lines += ["/* The same for the arrays of network_weights.c. */", *_unless_defined("NETWORK_PLACE_WEIGHTS")]
    lines += [
        "",
        "/* Kernels read words of 8 bytes and vectors of 16. */",
        *_unless_defined("NETWORK_ALIGNED", " __attribute__((aligned(16)))"),
        "",
        "/* A budget that is exceeded is an array of -1 elements: it does not compile. */",
    ]
    for pool in network.arena.pools:
        name = symbol(pool.name)
        lines.append(
            _fits(f"network_arena_{name.lower()}_fits", f"NETWORK_ARENA_{name}_BYTES", f"NETWORK_ARENA_{name}_BUDGET")
        )
    if flash:
        lines.append(_fits("network_constants_fit", "NETWORK_CONSTANT_BYTES", "NETWORK_FLASH_BUDGET"))
    return "\n".join([*lines, "", "#endif", ""])


def _defines(**values: int) -> list[str]:
    return [f"#define {name} {value}" for name, value in values.items()]


def _unless_defined(name: str, value: str = "") -> list[str]:
    return [f"#ifndef {name}", f"#define {name}{value}", "#endif"]


def _fits(name: str, used: str, budget: str) -> str:
    return f"typedef char {name}[{used} <= {budget} ? 1 : -1];"


def weights_h(network: Network) -> str:
    """The text of network_weights.h."""
    lines = [
        f"/* {title(network)} */",
        "#ifndef NETWORK_WEIGHTS_H",
        "#define NETWORK_WEIGHTS_H",
        "",
        "#include <stdint.h>",
        "",
        '#include "network_config.h"',
        "",
        *(
            f"extern const {_declared(layer, array)} NETWORK_PLACE_WEIGHTS;"
            for layer in network.layers
            for array in layer.call.arrays
        ),
    ]
    return "\n".join([*lines, "", "#endif", ""])


def weights_c(network: Network) -> Iterator[str]:
    """The text of network_weights.c, piece by piece: it may be some megabytes."""
    yield f"""\
/* {title(network)}
   Weights as the kernels read them (filters in pairs, number by number), biases that hold the zero of the input, and the
   factors of each channel: see detc_kernels.h. {network.constant_bytes:,} bytes. */
#include "network_weights.h"
"""
    for layer in network.layers:
        for number, array in enumerate(layer.call.arrays):
            name = f"/* {comment(layer.step.name)} */\n" if not number else ""
            yield f"\n{name}const {_declared(layer, array)} = {{\n{rows(array.values)}\n}};\n"


def _declared(layer: Layer, array: Array) -> str:
    return f"{c_type(array.values)} {layer.c_name}_{array.suffix}[{array.values.size}]"
