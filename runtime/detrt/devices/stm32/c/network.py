"""network.c: the arena, one function a layer, and the order in which they run."""

from __future__ import annotations

import re
from functools import partial

from detrt.devices.stm32.c.arena import Place
from detrt.devices.stm32.c.layers import Layer, Network, Slot
from detrt.devices.stm32.c.naming import comment, string, symbol
from detrt.devices.stm32.c.spelling import braces
from detrt.devices.stm32.c.streams import band_of, stream_of

COLUMN = 100
"""Where the line of the spec stands, if what is left of it is shorter."""
NEVER = "not read"


def network_c(network: Network) -> str:
    """The text of network.c."""
    functions = [text for slot in network.slots for text in _slot(network, slot)]
    code = "\n".join([*functions, _running(network), _tables(network)])
    return "\n".join([_head(network), _arena(network, frozenset(re.findall(r"\bat_(\w+)", code))), code])


def title(network: Network) -> str:
    """One line on what a file belongs to."""
    where = f" on {comment(network.target)}" if network.target else ""
    return (
        f"{comment(network.program.name)}{where}: int8, {len(network.layers)} layers, {network.macs:,} MACs a picture."
    )


def _head(network: Network) -> str:
    return f"""\
/* {title(network)}
   Written by detc from {comment(network.source)}: change that and export again. */
#include "network.h"

#include "kernels/detc_kernels.h"{_stream_header(network)}
#include "network_weights.h"

/* Does not compile where a kernel needs more working memory than the plan gives it. */
#define ENOUGH(needed, given) ((void)sizeof(char[(needed) <= (given) ? 1 : -1]))
"""


def _stream_header(network: Network) -> str:
    return '\n#include "kernels/detc_stream.h"' if network.arena.windows else ""


def _arena(network: Network, used: frozenset[str]) -> str:
    """The pools, and a name for each tensor that the code is written with."""
    lines = ["/* The arena. Tensors that are never alive together share its bytes. */"]
    for pool in network.arena.pools:
        name = symbol(pool.name)
        lines.append(f"static int8_t {pool.symbol}[NETWORK_ARENA_{name}_BYTES] NETWORK_ALIGNED NETWORK_PLACE_{name};")
    lines.append("")
    until = _last_readers(network)
    rows = [
        (f"static int8_t *const at_{network.names[name]} = {place.c};", name, place)
        for name, place in network.arena.tensors.items()
        if network.names[name] in used
    ]
    width = min(70, max(len(row) for row, _, _ in rows))
    for row, name, place in rows:
        shape = list(network.program.tensors[name].shape)
        lines.append(f"{row:{width}} /* {shape}, {place.bytes:,} bytes, {until[name]} */")
    return "\n".join(lines) + "\n"


def _last_readers(network: Network) -> dict[str, str]:
    """How long each tensor is needed, in words."""
    aliases = network.program.aliases
    until = dict.fromkeys(network.program.tensors, NEVER)
    for step in network.program.steps:
        for name in step.inputs:
            until[name] = f"until {comment(step.name)}"
            while name in aliases:
                name = aliases[name]
                until[name] = f"until {comment(step.name)}"
    for number, tensor in enumerate(network.outputs):
        until[tensor.name] = f"output {number}"
    return until


def _slot(network: Network, slot: Slot) -> list[str]:
    """The functions of a slot: one a layer, and behind those of a stream the one that runs it."""
    if len(slot.layers) == 1:
        return [_layer(network, slot.last, f"run_{slot.c_name}(void)", _call(network, slot.last))]
    functions = []
    for layer in slot.layers:
        body = band_of(network, layer, partial(_call, network, layer, "&part"))
        functions.append(_layer(network, layer, f"rows_{layer.c_name}(const detc_band *band)", body))
    return [*functions, stream_of(network, slot)]


def _layer(network: Network, layer: Layer, function: str, call_lines: list[str]) -> str:
    step, call = layer.step, layer.call
    what = f"/* {comment(step.name)}: {layer.words}"
    macs = f", {call.macs:,} MACs" if call.macs else ""
    inputs = " and ".join(network.described(name) for name in step.inputs)
    body = [*call.locals]
    if call.fields:
        body += [f"static const detc_{call.kernel}_params layer = {{", *(f"    {line}" for line in call.fields), "};"]
    body += call_lines
    lines = [
        f"{what:{COLUMN}} {comment(step.where)}".rstrip(),
        f"   {inputs} -> {network.described(step.output)}{macs} */",
        f"static void {function}",
        "{",
        *(f"    {line}" for line in body),
        "}",
        "",
    ]
    return "\n".join(lines)


def _call(
    network: Network, layer: Layer, params: str = "&layer", inputs: list[str] | None = None, output: str = ""
) -> list[str]:
    """The kernel's call on whole tensors, or on what is given."""
    inputs = [f"at_{network.names[name]}" for name in layer.step.inputs] if inputs is None else inputs
    output = output or f"at_{network.names[layer.step.output]}"
    lines = []
    if layer.call.kernel == "concat":
        lines.append(f"const int8_t *const inputs[] = {braces(inputs)};")
        inputs = ["inputs"]
    arguments = [params, *inputs, output]
    if layer.call.scratch:
        lines.append(f"ENOUGH({layer.call.scratch}, {layer.scratch.bytes if layer.scratch else 0});")
        arguments.append(_address(layer.scratch))
    return [*lines, f"detc_{layer.call.kernel}({', '.join(arguments)});"]


def _address(place: Place | None) -> str:
    return "0" if place is None else place.c


def _running(network: Network) -> str:
    lines = [
        "static void (*const LAYERS[NETWORK_LAYERS])(void) = {",
        *(f"    run_{slot.c_name}," for slot in network.slots),
        "};",
    ]
    picture = f"at_{network.names[network.program.input]}"
    return (
        "\n".join(lines)
        + f"""

uint8_t *network_input(void)
{{
    return (uint8_t *){picture};
}}

/* Bytes 0 .. 255 become the int8 numbers -128 .. 127. */
void network_begin(void)
{{
    uint8_t *const picture = network_input();
    for (uint32_t i = 0; i < NETWORK_INPUT_BYTES; ++i) {{
        picture[i] ^= 0x80u;
    }}
}}

void network_run_layer(uint32_t layer)
{{
    LAYERS[layer]();
}}

void network_run(void)
{{
    network_begin();
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; ++layer) {{
        network_run_layer(layer);
    }}
}}
"""
    )


def _tables(network: Network) -> str:
    """What is there to be looked at; a linker that drops unused data drops it."""
    lines = ["const network_layer network_layers[NETWORK_LAYERS] = {"]
    for slot in network.slots:
        entry = (*_named(network, slot.last.step.output), slot.macs)
        lines.append(f"    {braces((string(slot.name), *entry))},")
    lines += ["};", "", "const network_output network_outputs[NETWORK_OUTPUTS] = {"]
    for tensor in network.outputs:
        lines.append(f"    {braces((string(tensor.name), *_named(network, tensor.name)))},")
    lines += ["};", "", "const network_pool network_pools[NETWORK_POOLS] = {"]
    for pool in network.arena.pools:
        lines.append(f"    {braces((f'(uint8_t *){pool.symbol}', f'sizeof {pool.symbol}'))},")
    return "\n".join([*lines, "};", ""])


def _named(network: Network, tensor: str) -> tuple[str, int]:
    """Address and bytes of a tensor."""
    place = network.arena.tensors[tensor]
    return place.c, place.bytes
