"""The net as one SVG drawing: a column a layer, framed by the parts that run together, with the memory each one fills below."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from detc.report.figures import size
from detc.report.subject import Compilation

STEP, WIDTH, GAP = 46, 28, 22
TOP, MAPS, MEMORY = 58, 150, 110


def net_picture(compilation: Compilation) -> str:
    """An SVG element. Column height is the logarithm of the map's height, its shade the number of channels."""
    groups = compilation.groups or [{"name": "", "about": "", "layers": [{"name": n} for n in _weighted(compilation)]}]
    rows = {row["name"]: row for row in compilation.layers}
    groups = [g for g in groups if g["layers"]]
    if not groups:
        return ""
    limit = next((bar["limit"] for bar in compilation.limits if bar["name"] == compilation.memory), 0)
    parts: list[str] = []
    x = 8.0
    for group in groups:
        width = len(group["layers"]) * STEP + 8
        parts.append(_frame(group, x, width, bool(limit)))
        for index, layer in enumerate(group["layers"]):
            left = x + 4 + index * STEP + (STEP - WIDTH) / 2
            parts.append(_column(rows.get(layer["name"], {}), layer["name"], left))
            if limit:
                parts.append(_memory(layer, left, limit))
        x += width + GAP
    height = TOP + MAPS + (MEMORY + 52 if limit else 40)
    if limit:
        y = TOP + MAPS + 34
        parts.append(f'<line x1="0" x2="{x:.0f}" y1="{y}" y2="{y}" class="limit"/>')
        parts.append(f'<text x="4" y="{y - 5}" class="small">activation memory: {size(limit)}</text>')
    title = escape(f"{compilation.program.name}: layers and the memory they fill")
    return (
        f'<svg viewBox="0 0 {x:.0f} {height}" width="{x:.0f}" height="{height}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )


def _weighted(compilation: Compilation) -> list[str]:
    return [row["name"] for row in compilation.layers if row["params"]]


def _frame(group: dict[str, Any], x: float, width: float, memory: bool) -> str:
    height = MAPS + 30 + (MEMORY + 18 if memory else 0)
    label = escape(group["name"].removeprefix("major "))
    return (
        f'<g class="part"><title>{escape(group["name"])}: {escape(group["about"])}</title>'
        f'<rect x="{x:.0f}" y="{TOP - 24}" width="{width:.0f}" height="{height}" rx="8"/>'
        f'<text x="{x + width / 2:.0f}" y="{TOP - 32}" class="part-name">{label}</text></g>'
    )


def _column(row: dict[str, Any], name: str, left: float) -> str:
    shape = row.get("in_shape") or row.get("out_shape") or [1, 1, 1]
    out = row.get("out_shape") or [1]
    side = shape[1] if len(shape) == 3 else 1
    tall = 14 + (MAPS - 20) * min(1.0, math.log2(max(2, side)) / 10)
    shade = min(1.0, math.log2(max(2, out[0])) / 10)
    bits = row.get("bits")
    said = f"{name}: {row.get('op', '')} {' x '.join(map(str, shape))} -> {' x '.join(map(str, out))}"
    said += f", {row.get('params', 0):,} parameters" + (f", {bits}-bit weights" if bits else "")
    top = TOP + MAPS - 16 - tall
    return (
        f'<g class="layer bits{bits or 0}"><title>{escape(said)}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{WIDTH}" height="{tall:.1f}" rx="3" fill-opacity="{0.3 + 0.7 * shade:.2f}"/>'
        f'<text x="{left + WIDTH / 2:.1f}" y="{top - 5:.1f}" class="small">{out[0]}</text>'
        f'<text x="{left + WIDTH / 2:.1f}" y="{TOP + MAPS - 3}" class="small">{side}</text></g>'
    )


def _memory(layer: dict[str, Any], left: float, limit: float) -> str:
    base = TOP + MAPS + 34 + MEMORY - 16
    scale = (MEMORY - 16) / limit
    read, written = layer["read"] * scale, layer["written"] * scale
    over = " over" if layer["read"] + layer["written"] > limit else ""
    said = f"{layer['name']}: reads {size(layer['read'])}, writes {size(layer['written'])}"
    return (
        f'<g class="memory{over}"><title>{escape(said)}</title>'
        f'<rect class="read" x="{left:.1f}" y="{base - read:.1f}" width="{WIDTH}" height="{max(read, 0.5):.1f}"/>'
        f'<rect class="written" x="{left:.1f}" y="{base - read - written:.1f}" width="{WIDTH}" height="{max(written, 0.5):.1f}"/>'
        "</g>"
    )
