"""README.md of a build: what it is, how it is run, what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detc.codegen.names import inert
from detc.semantics.program import Model

ROLES = {
    "model.py": "the net, plain torch",
    "train.py": "trains every stage",
    "evaluate.py": "scores a checkpoint",
    "export.py": "writes the files of the device",
    "slayer_net.py": "the nets in the blocks of lava-dl, for stages in time",
    "spec.lock.json": "the resolved spec: what train.py reads",
    "requirements.txt": "what has to be installed",
}


def readme(model: Model, lock: Mapping[str, Any], files: Sequence[str]) -> str:
    """The text. What a user wrote stands in it as one line of plain text."""
    spec, target = lock["spec"], lock["target"]
    title = _text(spec["name"]) + (f" on {_text(target['name'])}" if target else "")
    parts = [
        f"# {title}",
        _text(model.doc),
        f"Written by detc {lock['detc']} from `{_code(spec['file'])}`"
        + (f" with {_overrides(spec['overrides'])}." if spec["overrides"] else "."),
        *_running(lock),
        *_shapes(lock),
        *_data(lock),
        *_stages(lock),
        *_in_time(lock),
        *_contents(files),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _running(lock: Mapping[str, Any]) -> list[str]:
    lines = ["pip install -r requirements.txt"]
    if lock["stages"]:
        lines += ["python train.py            # or: torchrun --nproc_per_node=2 train.py", "python evaluate.py"]
        lines += ["python export.py           # artifacts/ for the device"] if lock["target"] else []
    commands = "\n".join(lines)
    note = "Each takes `--help`. A killed training goes on with `python train.py --resume`." if lock["stages"] else ""
    return ["## Run it", f"```\n{commands}\n```", note]


def _shapes(lock: Mapping[str, Any]) -> list[str]:
    entering = lock["model"]["input"]
    nodes = {node["name"]: node for node in lock["model"]["nodes"]}
    picture = f"{entering['order'].upper()} pictures, {entering['dtype']}"
    rows = [f"| in | `{_code(entering['name'])}` | {_shape(entering['shape'])} | {picture} |"]
    for name, parts in lock["model"]["outputs"].items():
        shapes = ", ".join(_shape(nodes[part]["shape"]) for part in parts)
        rows.append(f"| out | `{_code(name)}` | {shapes} | |")
    return ["## In and out", "| | name | shape | |\n|-|-|-|-|\n" + "\n".join(rows)]


def _data(lock: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, data in lock["data"].items():
        classes = data.get("classes")
        shown = ", ".join(map(str, classes)) if classes else str(data.get("classes_file") or "as in the data")
        rows.append(
            f"| `{_code(name)}` | {_text(data['format'])} | {_text(str(data.get('root') or '-'))} | {_text(shown)} |"
        )
    if not rows:
        return []
    return [
        "## Data",
        "| name | format | folder | classes |\n|-|-|-|-|\n" + "\n".join(rows),
        "Elsewhere? `python train.py --data-root DIR`.",
    ]


def _stages(lock: Mapping[str, Any]) -> list[str]:
    rows = [" | ".join(_text(cell) for cell in stage_row(stage)) for stage in lock["stages"]]
    if not rows:
        return []
    head = "| stage | from | length | lr | quantised |\n|-|-|-|-|-|\n"
    return ["## Stages", head + "\n".join(f"| {row} |" for row in rows)]


def _in_time(lock: Mapping[str, Any]) -> list[str]:
    """What stages are that run in time, and what may train them."""
    timed = [stage for stage in lock["stages"] if (stage.get("quantize") or {}).get("events")]
    if not timed:
        return []
    steps = sorted({stage["steps"] for stage in timed if stage.get("steps")})
    length = " or ".join(map(str, steps))
    own = [stage["id"] for stage in timed if stage["quantize"]["events"] == "chip"]
    always = f" {_text(', '.join(own))}: always there, for lava-dl has not the chip's form." if own else ""
    return [
        "## In time",
        f"Stages with `events` train on clips [N, C, H, W, T] of {length or 'T'} frames, with weights of 8 bits and neurons "
        "that send what has changed. `detc env loihi2` makes an environment with lava-dl: `detc train` uses it by itself, and "
        "these stages then train through `slayer_net.py`. Without it, or with `--engine detrt`, they train in detrt's own "
        f"forward, which gives the same outputs and gradients.{always} Scores are those of the chip, where every layer takes "
        "a step.",
        "Once exported:",
        "```\ndetc run artifacts video.mp4 -o out/      # detections and events, frame by frame, as on the chip\n"
        "python artifacts/run_netx.py video.mp4    # the same in lava's netx, where that is installed\n```",
    ]


def _contents(files: Sequence[str]) -> list[str]:
    rows = [f"| `{name}` | {ROLES.get(name, 'another model that a stage trains')} |" for name in files]
    rows += ["| `runs/` | checkpoints and curves, once trained |"]
    return [
        "## Files",
        "| | |\n|-|-|\n" + "\n".join(rows),
        "All of it is yours to edit: the next build leaves a changed file as it is and puts its own version beside it.",
    ]


def stage_row(stage: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Name, start, length, learning rate and what is quantised, as a person says it."""
    start = f"{stage['start']['stage']}.{stage['start']['which']}" if stage.get("start") else "-"
    if stage["kind"] == "calibrate":
        length = f"{stage['images']} images" if stage.get("images") else "its share of images"
        return stage["id"], start, length, "-", "measures " + ", ".join(stage.get("calibrate") or ["caps"])
    if stage["kind"] == "prune":
        return stage["id"], start, f"cut by {stage['prune']['channels']}", "-", "-"
    quantize = stage.get("quantize") or {}
    words = [word for word in ("weights", "activations", "folded", "int8", "events") if quantize.get(word)]
    rate = f"{stage['optimizer']['lr']:g}"
    length = f"{stage['epochs']} epoch{'' if stage['epochs'] == 1 else 's'}"
    return stage["id"], start, length, rate, ", ".join(words) or "-"


def _overrides(overrides: Mapping[str, Any]) -> str:
    return ", ".join(f"`{_code(name)} = {_code(str(value))}`" for name, value in sorted(overrides.items()))


def _shape(shape: Sequence[int]) -> str:
    return "[N, " + ", ".join(map(str, shape)) + "]"


def _text(text: str) -> str:
    """One line that Markdown shows as it is."""
    plain = inert(text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in plain)


def _code(text: str) -> str:
    """One line for between backticks."""
    return inert(text).replace("`", "'").replace("|", "/")
