"""What a mapping costs: bytes of weights and of activations, the size of chip.dat, and how full each limit is."""

from __future__ import annotations

from typing import Any

from detc.targets.facts import Facts
from detc.targets.gti5801.chain import Chain
from detc.targets.gti5801.mapping import Major, Mapper

TITLES = {
    "weight_bytes": "weights on the chip",
    "padded_weight_bytes": "of these padding",
    "activation_peak_bytes": "activation peak",
    "chip_dat_bytes": "chip.dat",
}

BRIEF = {"ram": "activation_peak_bytes", "flash": "chip_dat_bytes"}
"""The metrics of a line in a table of many nets."""


def chip_dat_bytes(weight_bytes: int, facts: Facts) -> int:
    """The size of chip.dat. Measured on the vendor's converter: exact on every network tried."""
    fixed = facts.number("file.chip_dat.header") + facts.number("file.chip_dat.reserve")
    return max(facts.number("file.chip_dat.minimum"), fixed + weight_bytes)


def activation_peak(mapper: Mapper, majors: list[Major]) -> int:
    return max((read + written for major in majors for read, written in mapper.maps(major)), default=0)


def metrics(chain: Chain, mapper: Mapper, majors: list[Major]) -> dict[str, Any]:
    weights = sum(map(mapper.weight_bytes, majors))
    return {
        "weight_bytes": weights,
        "padded_weight_bytes": sum(mapper.padding_bytes(i, m) for m in majors for i in range(m.first, m.stop)),
        "activation_peak_bytes": activation_peak(mapper, majors),
        "chip_dat_bytes": chip_dat_bytes(weights, mapper.facts),
        "major_layers": len(majors),
        "head_channels": chain.layers[-1].out_channels,
    }


def limits(chain: Chain, mapper: Mapper, majors: list[Major]) -> list[dict[str, Any]]:
    """One entry a budget bar: name, used, limit, unit; `soft` where the limit only warns."""
    facts = mapper.facts

    def bar(name: str, used: int, path: str, unit: str, soft: bool = False) -> dict[str, Any]:
        fact = facts[path]
        entry = {"name": name, "used": used, "limit": int(fact.value), "unit": unit, "soft": soft}
        return entry | {"source": fact.source, "placeholder": fact.placeholder, "span": fact.span.as_json()}

    figures = metrics(chain, mapper, majors)
    longest = max((major.count for major in majors), default=0)
    widest = max((layer.out_channels for layer in chain.layers), default=0)
    return [
        bar("major_layers", len(majors), "limit.majors", ""),
        bar("sublayers", longest, "limit.sublayers", ""),
        bar("activation_memory", figures["activation_peak_bytes"], "memory.activations.size", "B"),
        bar("weight_memory", figures["weight_bytes"], "memory.weights.size", "B", soft=True),
        bar("channels", widest, "limit.channels", ""),
        bar("head_channels", figures["head_channels"], "limit.head_channels", ""),
    ]


def columns(mapper: Mapper, majors: list[Major]) -> dict[str, dict[str, Any]]:
    """What the layer table says of each conv besides its op: where it runs and what it takes."""
    line = mapper.facts.number("file.chip_dat.line")
    rows = {}
    for number, major in enumerate(majors, start=1):
        for index, (read, written) in zip(range(major.first, major.stop), mapper.maps(major), strict=True):
            layer = mapper.layers[index]
            rows[layer.name] = {
                "major": number,
                "sublayer": index - major.first + 1,
                "bits": layer.bits,
                "padded_out": major.width,
                "weight_bytes": line * mapper.lines(index, major),
                "activation_bytes": read + written,
            }
    return rows


def groups(mapper: Mapper, majors: list[Major]) -> list[dict[str, Any]]:
    """The major layers for tables and pictures, with the bytes each sublayer reads and writes."""
    result = []
    for number, major in enumerate(majors, start=1):
        first, last = mapper.layers[major.first], mapper.layers[major.stop - 1]
        pool = {"maxpool": ", max pool", "samplepool": ", sampling pool"}[last.pool.op.name] if last.pool else ""
        depth = ", depth mode" if first.mode[1] else ""
        about = f"{first.size} x {first.size}, {major.input_channels} -> {major.width}, {first.bits}-bit{depth}{pool}"
        steps = zip(range(major.first, major.stop), mapper.maps(major), strict=True)
        layers = [{"name": mapper.layers[i].name, "read": read, "written": written} for i, (read, written) in steps]
        result.append({"name": f"major {number}", "about": about, "why": major.cut, "layers": layers})
    return result
