"""The plan: the mapping as plain JSON values, as `ir/lock.md` states it. The runtime packs and simulates from it."""

from __future__ import annotations

from typing import Any

from detc.targets.gti5801.chain import Chain
from detc.targets.gti5801.mapping import Major, Mapper

Plan = dict[str, Any]


def plan_json(chain: Chain, mapper: Mapper, majors: list[Major]) -> Plan:
    """The `plan` of the lock file."""
    last = chain.layers[-1]
    return {
        "majors": [_major(number, major, mapper) for number, major in enumerate(majors, start=1)],
        "head_channels": last.out_channels,
        "output": chain.output.name if chain.output else last.name,
        "output_size": last.stored_size,
    }


def _major(number: int, major: Major, mapper: Mapper) -> Plan:
    layers = mapper.layers[major.first : major.stop]
    first, last = layers[0], layers[-1]
    return {
        "number": number,
        "cut": major.cut,
        "image_size": first.size,
        "input_channels": major.input_channels,
        "output_channels": major.width,
        "bits": first.bits,
        "pool": {"maxpool": "max", "samplepool": "sample"}[last.pool.op.name] if last.pool else None,
        "depth_enable": first.mode[1],
        "ten_bits": last.wide,
        "shortcuts": [index for index, layer in enumerate(layers) if layer.skip and index],
        "sublayers": [
            {
                "conv": layer.name,
                "relu": layer.relu,
                "kind": layer.kind,
                "in_channels": layer.in_channels,
                "out_channels": layer.out_channels,
                "padded_in": major.input_channels if index == 0 else major.width,
                "padded_out": major.width,
                "span": layer.conv.span.as_json() if layer.conv.span else None,
            }
            for index, layer in enumerate(layers)
        ],
    }
