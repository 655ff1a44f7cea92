"""The report as JSON: versioned, stated in `schema.md` and `report.schema.json`."""

from __future__ import annotations

import json
from typing import Any

from detc.diagnostics.render_json import finding_json
from detc.report.subject import Compilation

SCHEMA = 1


def report_json(compilation: Compilation) -> dict[str, Any]:
    """The report as plain JSON values, keys in the order of `schema.md`."""
    program = compilation.program
    return {
        "schema": SCHEMA,
        "spec": program.file,
        "target": compilation.target,
        "model": compilation.model.name if compilation.model else None,
        "fits": compilation.fits,
        "findings": [finding_json(finding) for finding in compilation.findings],
        "metrics": compilation.metrics,
        "errors": compilation.errors,
        "limits": compilation.limits,
        "layers": compilation.layers,
        "groups": compilation.groups,
        "tables": compilation.tables,
        "overrides": [{"name": s.name, "value": _plain(s.value)} for s in program.overrides],
        "placeholders": compilation.placeholders,
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else str(value)


def report_text(compilation: Compilation) -> str:
    return json.dumps(report_json(compilation), indent=2, ensure_ascii=False) + "\n"
