"""One HTML page of a run that needs nothing beside it: stages with their figures, gates, curves and pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2

from detrt.curves import read_metrics, stage_charts, svg
from detrt.data.picture import read_picture
from detrt.errors import DetrtError
from detrt.files import write_text

CSS = """
:root { --ink:#1c2430; --soft:#5d6b7e; --line:#dfe4ec; --page:#f5f7fa; --card:#fff; --good:#1d7f4e; --bad:#b3261e }
@media (prefers-color-scheme: dark) { :root { --ink:#e7ebf2; --soft:#98a5b8; --line:#303a49; --page:#12161d; --card:#1a2029;
  --good:#4cc38a; --bad:#ff7a70 } }
* { box-sizing:border-box }
body { margin:0; background:var(--page); color:var(--ink); font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif }
main { max-width:1120px; margin:0 auto; padding:32px 20px 64px }
h1 { font-size:30px; margin:0 0 4px; letter-spacing:-.02em } h2 { font-size:17px; margin:36px 0 12px } .soft { color:var(--soft) }
.card { background:var(--card); border:1px solid var(--line); border-radius:12px; padding:18px 20px; overflow-x:auto }
.facts { display:grid; grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); gap:12px; margin-top:22px }
.facts .card { padding:12px 16px } .facts b { display:block; font-size:20px; font-variant-numeric:tabular-nums }
.facts span { color:var(--soft); font-size:13px }
table { border-collapse:collapse; width:100%; font-size:14px }
th { text-align:left; color:var(--soft); font-weight:500; border-bottom:1px solid var(--line) }
th,td { padding:6px 14px 6px 0; white-space:nowrap }
td { border-bottom:1px solid var(--line) } tr:last-child td { border-bottom:0 }
.n { text-align:right; font-variant-numeric:tabular-nums } .passed { color:var(--good) } .failed { color:var(--bad) }
.charts { display:grid; grid-template-columns:repeat(auto-fit,minmax(420px,1fr)); gap:14px }
.charts svg { width:100%; height:auto; display:block }
.pictures { display:grid; grid-template-columns:repeat(auto-fill,minmax(240px,1fr)); gap:14px }
figure { margin:0 }
.pictures img { width:100%; border-radius:8px; display:block } figcaption { font-size:13px; color:var(--soft); margin-top:4px }
footer { margin-top:40px; color:var(--soft); font-size:13px }
@media print { body { background:#fff } .card { break-inside:avoid } }
"""


def write_run_page(
    run: Path,
    out: Path,
    *,
    title: str = "",
    facts: Mapping[str, str] | None = None,
    rows: Sequence[tuple[str, Mapping[str, float]]] = (),
    pictures: Sequence[tuple[Path, str]] = (),
    about: str = "",
) -> Path:
    """Writes the page of the run in `run` (its result.json and metrics.csv files) to `out`.

    `facts` are a few figures for the head of the page by their name; `rows` are further lines of the table of
    figures, such as those of an artifact, each with `map50`, `map` and `map50/CLASS`; `pictures` with captions are
    put into the file itself. Raises DetrtError.
    """
    result = _result(run / "result.json")
    name = title or str(result.get("spec", {}).get("name", run.name))
    parts = [f"<header><h1>{escape(name)}</h1>"]
    parts.append(f'<p class="soft">{escape(about or _spoken(result))}</p></header>')
    if facts:
        cards = "".join(f'<div class="card"><b>{escape(v)}</b><span>{escape(k)}</span></div>' for k, v in facts.items())
        parts.append(f'<section class="facts">{cards}</section>')
    parts.append(_stages(result, rows))
    parts.append(_events(result))
    parts.append(_gates(result))
    if pictures:
        parts.append(
            f'<section><h2>What it sees</h2><div class="pictures">{"".join(_picture(*p) for p in pictures)}</div></section>'
        )
    parts.append(_curves(run, result))
    versions = ", ".join(f"{k} {v}" for k, v in result.get("versions", {}).items())
    parts.append(f"<footer>{escape(str(run))}<br>{escape(versions)}</footer>")
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
    head += f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>'
    write_text(out, f"{head}\n<body><main>\n" + "\n".join(part for part in parts if part) + "\n</main></body></html>\n")
    return out


def _result(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DetrtError(f"cannot read the result of the run: {error}", path, "train first") from error
    if not isinstance(content, dict) or not isinstance(content.get("stages"), list):
        raise DetrtError("is no result of a run", path)
    return content


def _spoken(result: Mapping[str, Any]) -> str:
    seconds = sum(float(stage.get("seconds") or 0) for stage in result["stages"])
    minutes = f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"
    params = ", ".join(f"{k} = {v}" for k, v in result.get("spec", {}).get("params", {}).items())
    return f"{len(result['stages'])} stages in {minutes}" + (f"; {params}" if params else "")


def _stages(result: Mapping[str, Any], rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    classes = [str(name) for name in result.get("classes", [])]
    scored = [s for s in result["stages"] if s.get("final") or s.get("metrics")]
    split = next((s["final_split"] for s in scored if s.get("final_split")), "validation")
    table = [(str(s["name"]), s.get("final") or s["metrics"], s) for s in scored]
    found = [figures for _, figures, _ in table] + [figures for _, figures in rows]
    columns = {"top1": "top-1", "top5": "top-5", "map50": "mAP@0.5", **{f"map50/{name}": name for name in classes}}
    keys = [key for key in (*columns, "map") if any(key in figures for figures in found) or key.startswith("map")]
    heads = ["stage", *(columns.get(key, "mAP") for key in keys), "epochs", "time"]
    cells = "".join(f'<th class="{"n" if i else ""}">{escape(head)}</th>' for i, head in enumerate(heads))
    lines = [f"<tr>{cells}</tr>"]
    for name, figures, stage in [*table, *((name, figures, {}) for name, figures in rows)]:
        values = [
            *(_figure(figures.get(key)) for key in keys),
            str(stage.get("epochs") or "-"),
            _time(stage.get("seconds")),
        ]
        cells = "".join(f'<td class="n">{value}</td>' for value in values)
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return _table(f"Figures on the {split} split", lines)


def _events(result: Mapping[str, Any]) -> str:
    """What each layer of a net in time sends for a frame, stage by stage."""
    found = [(str(s["name"]), s.get("final") or s.get("metrics") or {}) for s in result["stages"]]
    lines = []
    for name, figures in found:
        if "event_rate" not in figures:
            continue
        layers = [key.partition("/")[2] for key in figures if key.startswith("event_rate/")]
        for layer in ("", *layers):
            at = f"/{layer}" if layer else ""
            share, events, operations = (figures.get(key + at, 0.0) for key in ("event_rate", "events", "synops"))
            cells = "".join(f'<td class="n">{v}</td>' for v in (f"{share:.2%}", f"{events:,.0f}", f"{operations:,.0f}"))
            lines.append(f"<tr><td>{escape(name)}</td><td>{escape(layer) or 'all layers'}</td>{cells}</tr>")
    if not lines:
        return ""
    heads = "".join(f'<th class="n">{head}</th>' for head in ("neurons that send", "events", "synaptic operations"))
    return _table("What a frame costs", [f"<tr><th>stage</th><th>layer</th>{heads}</tr>", *lines])


def _gates(result: Mapping[str, Any]) -> str:
    lines = []
    for stage in result["stages"]:
        for gate in stage.get("gates") or []:
            name, text, verdict = (
                escape(str(v)) for v in (stage["name"], gate.get("text", ""), gate.get("verdict", ""))
            )
            lines.append(f'<tr><td>{name}</td><td>{text}</td><td class="{verdict}">{verdict}</td></tr>')
    return _table("Gates", lines) if lines else ""


def _table(title: str, lines: Sequence[str]) -> str:
    return f'<section><h2>{escape(title)}</h2><div class="card"><table>{"".join(lines)}</table></div></section>'


def _curves(run: Path, result: Mapping[str, Any]) -> str:
    charts = []
    for stage in result["stages"]:
        path = next(
            (p for p in (run / str(stage["name"]), run / str(stage["id"])) if (p / "metrics.csv").is_file()), None
        )
        if path is not None:
            charts += [
                f'<div class="card">{svg(chart)}</div>'
                for chart in stage_charts(str(stage["name"]), read_metrics(path / "metrics.csv"))
            ]
    return f'<section><h2>Curves</h2><div class="charts">{"".join(charts)}</div></section>' if charts else ""


def _picture(path: Path, caption: str) -> str:
    image = read_picture(path)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _time(seconds: Any) -> str:
    return f"{float(seconds):.0f} s" if isinstance(seconds, int | float) and seconds else "-"
