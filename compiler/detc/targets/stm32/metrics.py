"""The figures of an STM32 in reports: metrics with units and errors, and budget bars."""

from __future__ import annotations

from typing import Any

from detc.semantics.program import Target
from detc.targets.stm32.costs import StCosts
from detc.targets.stm32.facts import Pool, flashes
from detc.targets.stm32.memory_checks import own_runtime, usable
from detc.targets.stm32.own import OwnCosts
from detc.targets.stm32.st_rules import tool_of

UNITS = {
    "ram_st": "B",
    "ram_own": "B",
    "weights_flash": "B",
    "weights_flash_own": "B",
    "code_flash_est": "B",
    "code_flash_own_est": "B",
    "runtime_ram_est": "B",
    "postprocess_ram": "B",
    "latency_ms_est": "ms",
    "npu_ram_low": "B",
    "npu_ram_outside": "B",
}


def titles(target: Target) -> dict[str, str]:
    return {
        "ram_st": f"activations in ST's tool {tool_of(target)}",
        "ram_own": "arena of detc's code",
        "weights_flash": "weights as the tool stores them",
        "code_flash_est": "code of the tool",
        "weights_flash_own": "weights, factors and tables of detc's code",
        "code_flash_own_est": "detc's code",
        "runtime_ram_est": "RAM of the tool itself",
        "postprocess_ram": "boxes",
        "latency_ms_est": "a picture takes",
        "peak_step": "fullest step",
        "peak_step_st": "fullest operator in ST's tool",
        "npu_ram_low": "at least on the neural processor",
        "npu_ram_outside": "of it outside the chip",
    }


def metrics(costs: StCosts, own: OwnCosts | None) -> dict[str, Any]:
    """Figures by name: bytes, milliseconds, and names of steps."""
    found: dict[str, Any] = {"ram_st": costs.bytes}
    if own is not None:
        found["ram_own"] = own.bytes
    found |= {"weights_flash": costs.weights, "code_flash_est": round(costs.code.value)}
    if own is not None:
        found |= {"weights_flash_own": own.flash.constants, "code_flash_own_est": round(own.flash.code.value)}
    if costs.latency is not None:
        found["latency_ms_est"] = round(costs.latency.value * 1000, 2)
    found["peak_step"] = own.peak.name if own is not None else costs.peak.name
    found["peak_step_st"] = costs.peak.name
    found["runtime_ram_est"] = round(costs.runtime.value)
    if own is not None:
        found["postprocess_ram"] = own.boxes
    if costs.npu is not None:
        found |= {"npu_ram_low": costs.npu.low, "npu_ram_outside": costs.npu.outside}
    return found


def brief(own: OwnCosts | None, target: Target) -> dict[str, str]:
    """The metrics of a line in a table of many nets."""
    if own is not None and own_runtime(target):
        return {"ram": "ram_own", "flash": "weights_flash_own", "latency_ms": "latency_ms_est"}
    return {"ram": "ram_st", "flash": "weights_flash", "latency_ms": "latency_ms_est"}


def errors(costs: StCosts, own: OwnCosts | None) -> dict[str, float]:
    """By how much each estimate may be wrong, as a share of it."""
    found = {"code_flash_est": costs.code.error, "runtime_ram_est": costs.runtime.error}
    found["ram_st"] = costs.npu.error if costs.npu else costs.rules.margin
    if costs.latency is not None:
        found["latency_ms_est"] = costs.latency.error
    if own is not None:
        found["code_flash_own_est"] = own.flash.code.error
    return found


def limits(costs: StCosts, own: OwnCosts | None, target: Target) -> list[dict[str, Any]]:
    """One entry a budget bar; what does not decide whether the net fits is soft."""
    pools, decides = usable(target), own_runtime(target)
    inside = tuple(pool for pool in pools if not pool.external)
    found = []
    if own is not None:
        held = pools if own.bytes + own.boxes > _room(inside) else inside
        found.append(_bar("ram_own", own.bytes + own.boxes, _room(held), held[0], not decides))
    if costs.npu is not None and costs.npu.pools:
        found.append(_bar("npu_ram", costs.npu.planned, costs.npu.room, costs.npu.pools[0], True))
    else:
        largest = max(pools, key=lambda pool: pool.room)
        found.append(_bar("ram_st", costs.ram.bytes, largest.room, largest, decides))
    if own is not None:
        found.append(_flash_bar("flash_own", own.flash.constants + round(own.flash.code.value), target, not decides))
    found.append(_flash_bar("flash_st", costs.weights + round(costs.code.value), target, decides))
    return found


def _flash_bar(name: str, needed: int, target: Target, soft: bool) -> dict[str, Any]:
    """Against the flash inside the chip, and where that is too small against all."""
    pools = flashes(target)
    held = tuple(pool for pool in pools if not pool.external and pool.room)
    if not held or needed > _room(held):
        held = tuple(pool for pool in pools if pool.room)
    return _bar(name, needed, _room(held), held[0], soft)


def _room(pools: tuple[Pool, ...]) -> int:
    return sum(pool.room for pool in pools)


def _bar(name: str, used: int, limit: int, pool: Pool, soft: bool) -> dict[str, Any]:
    fact = pool.fact
    entry = {"name": name, "used": used, "limit": limit, "unit": "B", "soft": soft}
    return entry | {"source": fact.source, "placeholder": fact.placeholder, "span": fact.span.as_json()}
