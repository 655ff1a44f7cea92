"""The C code of an artifact, measured: instructions of every layer, RAM, flash, and what a picture would take on real boards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detc.commands.outcome import OK, refuse

if TYPE_CHECKING:
    from detrt.devices.stm32.c.profiling import Profile

CODE = Path("c") / "network.json"
MODEL = "model_int8.onnx"
MACHINES = ("qemu-m7", "host")
"""Where it is measured unless the user says: SysTick on mps2-an500, and callgrind on this computer."""


def holds_code(folder: Path) -> bool:
    return (folder / CODE).is_file()


def measured(artifacts: Path, on: Sequence[str]) -> dict[str, Any] | str:
    """All figures as plain values; a sentence where nothing could be measured. Prints them."""
    from detc.targets.stm32.latencies import board_times
    from detrt.devices.artifacts_folder import check_manifest
    from detrt.devices.stm32.c.description import read_description
    from detrt.devices.stm32.c.machines import machine
    from detrt.devices.stm32.c.profiling import profile
    from detrt.errors import DetrtError

    try:
        check_manifest(artifacts, (CODE.as_posix(),), "a microcontroller")
        said = read_description(artifacts / "c")
        machines = [machine(name) for name in on or MACHINES]
    except DetrtError as error:
        return str(error)
    profiles: list[Profile] = []
    missed: dict[str, str] = {}
    for one in machines:
        try:
            one.check()
            profiles.append(profile(artifacts / "c", one))
        except DetrtError as error:
            if on:
                return str(error)
            missed[one.name] = f"{error.message}; {error.remedy}" if error.remedy else error.message
    if not profiles:
        return "\n".join(f"{name}: {why}" for name, why in missed.items())
    times = board_times(said["macs"])
    figures = {
        "name": said["name"],
        "target": said["target"],
        "arena": said["arena"],
        "constants": said["constants"],
        "profiles": [each.as_dict() for each in profiles],
        "not_measured": missed,
        "boards": [time.as_dict() for time in times],
        "stedgeai": _st_figures(artifacts, said["series"]),
    }
    print("\n".join(_text(figures)))
    return figures


def _st_figures(artifacts: Path, series: str) -> dict[str, Any]:
    """The figures of ST's tool, or {"missing": why}."""
    from detrt.devices.stm32.stedgeai import HOME, analyze, find_stedgeai
    from detrt.errors import DetrtError

    tool = find_stedgeai()
    if tool is None:
        return {"missing": f"no stedgeai found: set {HOME} to the folder of ST Edge AI Core to see its figures here"}
    if not series:
        return {"missing": "the target is no family that ST Edge AI Core knows"}
    if not (artifacts / MODEL).is_file():
        return {"missing": f"the artifacts hold no {MODEL}"}
    try:
        return analyze(tool, artifacts / MODEL, series).as_dict()
    except DetrtError as error:
        return {"missing": str(error)}


def _text(figures: dict[str, Any]) -> Iterator[str]:
    for each in figures["profiles"]:
        yield from _profile_lines(figures, each)
        yield ""
    for name, why in figures["not_measured"].items():
        yield f"not measured on {name}: {why}"
    yield f"a picture of {figures['name']} by MACs and cycles of the core, estimated:"
    width = max((len(time["board"]) for time in figures["boards"]), default=0)
    for time in figures["boards"]:
        clock = f"{time['core']} {time['clock'] / 1e6:g} MHz"
        yield f"  {time['board']:<{width}}  {clock:<20} ~{time['ms']:,.1f} ms ±{time['error']:.0%}"
    yield ""
    yield from _st_lines(figures)


def _profile_lines(figures: dict[str, Any], each: dict[str, Any]) -> Iterator[str]:
    right = f", right to {each['resolution']}" if each["resolution"] else ""
    yield (
        f"{figures['name']} on {each['machine']}, {each['about']}: {each['instructions']:,} instructions{right}, "
        f"{each['macs_per_instruction']:.2f} MACs an instruction"
    )
    width = max(len("post-processing"), *(len(layer["name"]) for layer in each["layers"]))
    yield f"  {'layer':<{width}}  {'kernel':<14} {'MACs':>12} {'instructions':>13} {'MACs/instr':>10}"
    for layer in each["layers"]:
        share = f"{layer['macs_per_instruction']:.2f}" if layer["macs"] else ""
        counts = f"{layer['macs']:>12,} {layer['instructions']:>13,} {share:>10}"
        yield f"  {layer['name']:<{width}}  {layer['kernel']:<14} {counts}".rstrip()
    yield f"  {'post-processing':<{width}}  {'':<14} {'':>12} {each['postprocess']:>13,}"
    if (taken := each["footprint"]) is not None:
        written = sum(each["arena_written"].values())
        parts = each["parts"]
        code = taken["flash"] - parts["constants"]
        yield f"  flash {taken['flash']:>9,} bytes: {parts['constants']:,} of weights, biases and tables; {code:,} of code"
        yield (
            f"  RAM   {each['ram']:>9,} bytes: {parts['arena']:,} of arena, of which the run wrote {written:,}; "
            f"{parts['boxes']:,} of boxes; {each['stack']:,} of stack"
        )
        for name in ("constants", "arena"):
            if parts[name] != figures[name]:
                yield f"  the C code was changed: its {name} take {parts[name]:,} bytes, the report says {figures[name]:,}"


def _st_lines(figures: dict[str, Any]) -> Iterator[str]:
    st = figures["stedgeai"]
    if "missing" in st:
        yield f"ST Edge AI Core: {st['missing']}"
        return
    rows = {"weights": figures["constants"], "activations": figures["arena"]}
    yield f"beside ST Edge AI Core {st['version']}".rstrip() + ", bytes:"
    for name, ours in rows.items():
        theirs = "?" if st[name] is None else f"{st[name]:,}"
        yield f"  {name:<12} {ours:>12,}   ST {theirs:>12}"


def run(artifacts: Path, on: Sequence[str], out: Path | None) -> int:
    """`detc benchmark ARTIFACTS`."""
    from detc.commands.writing import write_whole

    figures = measured(artifacts, on)
    if isinstance(figures, str):
        return refuse(figures)
    if out is not None:
        write_whole(out, json.dumps({"schema": 1, "c": figures}, indent=2) + "\n")
        print(f"wrote {out}", file=sys.stdout)
    return OK
