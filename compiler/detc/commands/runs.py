"""The runs of a build: what each was trained with and how it ended; with two or more names, where they differ.

detc runs build/mine-gti5801
detc runs build/mine-gti5801 first second
detc runs                                   every build below build/"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detc.commands.outcome import MISTAKE, OK, refuse

FIGURES = ("map50", "map", "top1", "top5", "loss")
"""Figures of a table, those that a run has."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as its result.json tells it."""

    build: Path
    name: str
    result: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.build.name}/{self.name}"

    @property
    def stages(self) -> list[dict[str, Any]]:
        return [stage for stage in self.result.get("stages", []) if isinstance(stage, dict)]

    def figures(self) -> dict[str, float]:
        """Of the last stage that was scored."""
        scored = [stage.get("final") or stage.get("metrics") for stage in self.stages]
        found: dict[str, Any] = next((figures for figures in reversed(scored) if figures), {})
        return {key: float(value) for key, value in found.items() if isinstance(value, int | float)}

    def seconds(self) -> float:
        return sum(float(stage.get("seconds") or 0) for stage in self.stages)

    def settings(self) -> dict[str, str]:
        """Everything that could tell two runs apart."""
        spec = self.result.get("spec", {})
        found: dict[str, Any] = {f"param {key}": value for key, value in dict(spec.get("params") or {}).items()}
        found |= {f"--set {key}": value for key, value in dict(spec.get("overrides") or {}).items()}
        found |= {f"version of {key}": value for key, value in dict(self.result.get("versions") or {}).items()}
        found |= {f"data {key}": str(value)[:12] for key, value in dict(self.result.get("data") or {}).items()}
        found["spec"] = str(spec.get("sha256", ""))[:12]
        for stage in self.stages:
            found[f"{stage.get('name')} epochs"] = stage.get("epochs")
            found[f"{stage.get('name')} seed"] = stage.get("seed")
        return {key: json.dumps(value) if not isinstance(value, str) else value for key, value in found.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("build", nargs="?", metavar="BUILD", help="a build folder, or a spec that was built")
    parser.add_argument("names", nargs="*", metavar="RUN", help="compare these")
    parser.add_argument("--target", metavar="NAME", help="the target it was built for")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    from detc.commands.finished import find_build

    if args.build is None:
        builds = sorted(path.parent for path in Path("build").glob("*/runs"))
        if not builds:
            return refuse("there is no build below build/", "train first: detc train SPEC")
    else:
        found = find_build(args.build, args.target)
        if isinstance(found, str):
            return refuse(found, "give the build folder")
        builds = [found]
    runs, broken = _read(builds)
    for path, reason in broken:
        refuse(f"{path}: {reason}")
    unknown = [name for name in args.names if name not in {run.name for run in runs}]
    if unknown:
        return refuse(f"there is no run `{unknown[0]}`", f"runs: {', '.join(run.name for run in runs) or 'none'}")
    chosen = [run for name in args.names for run in runs if run.name == name] or runs
    if args.format == "json":
        print(json.dumps({"schema": 1, "runs": [_as_json(run) for run in chosen]}, indent=2))
    else:
        print("\n".join(_table(chosen) if chosen else ["no run yet"]))
        if len(args.names) > 1:
            print("\n".join(["", *_differences(chosen)]))
    return MISTAKE if broken else OK


def _read(builds: list[Path]) -> tuple[list[Run], list[tuple[Path, str]]]:
    """Runs, oldest first, and the results that cannot be read."""
    runs, broken = [], []
    for build in builds:
        paths = [path for path in build.glob("runs/*/result.json") if path.is_file()]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime):
            try:
                result = json.loads(path.read_text(encoding="utf-8"))
                if not isinstance(result, dict) or not isinstance(result.get("stages"), list):
                    raise ValueError("is no result of a run")
                runs.append(Run(build, path.parent.name, result))
            except (OSError, ValueError, RecursionError) as error:
                broken.append((path, str(error)[:200]))
    return runs, broken


def _as_json(run: Run) -> dict[str, Any]:
    shown = {"build": str(run.build), "run": run.name, "verdict": run.result.get("verdict"), "seconds": run.seconds()}
    return {**shown, "figures": run.figures(), "settings": run.settings()}


def _table(runs: list[Run]) -> list[str]:
    """A line a run: figures of its last scored stage, minutes, verdict, and what was set from outside."""
    names = [name for name in FIGURES if any(name in run.figures() for run in runs)]
    rows = [["run", *names, "minutes", "verdict", "set from outside"]]
    for run in runs:
        own = run.figures()
        cells = [f"{own[name]:.4f}" if name in own else "-" for name in names]
        overrides = dict(run.result.get("spec", {}).get("overrides") or {})
        outside = ", ".join(f"{key} = {value}" for key, value in overrides.items())
        verdict = str(run.result.get("verdict", "?"))
        rows.append([run.label, *cells, f"{run.seconds() / 60:.1f}", verdict, outside])
    return _aligned(rows)


def _differences(runs: list[Run]) -> list[str]:
    """A line a setting in which the runs differ."""
    settings = [run.settings() for run in runs]
    keys = list(dict.fromkeys(key for own in settings for key in own))
    rows = [["differs in", *(run.name for run in runs)]]
    for key in keys:
        values = [own.get(key, "-") for own in settings]
        if len(set(values)) > 1:
            rows.append([key, *values])
    return _aligned(rows) if len(rows) > 1 else ["the runs do not differ in anything that was recorded"]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
