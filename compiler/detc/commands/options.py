"""Options that several commands share, spelled once."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = ("text", "json", "github", "sarif")


def add_spec(parser: argparse.ArgumentParser, *, sets: bool = True) -> None:
    """SPEC, --target and --set."""
    parser.add_argument("spec", metavar="SPEC", help="a .det file, or the name of a library spec such as gnetdet224")
    parser.add_argument("--target", metavar="NAME", help="the hardware that must hold it")
    add_optimize(parser)
    if sets:
        parser.add_argument(
            "--set",
            dest="sets",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="change a param (`classes=3`) or another value of the spec (`train.steps.chip.lr=1e-5`); may be repeated",
        )


def add_optimize(parser: argparse.ArgumentParser) -> None:
    """--optimize."""
    parser.add_argument("--optimize", action="store_true", help="take longer to find a plan that needs less memory")


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """--outputs, for commands that take another tool's network in place of a spec."""
    parser.add_argument(
        "--outputs", metavar="NAME,..", help="of an .onnx or .tflite file: tensors at which its net is to end"
    )


def add_loudness(parser: argparse.ArgumentParser) -> None:
    """--strict, -q and -v."""
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("-q", "--quiet", action="store_true", help="only the verdict and the errors")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every finding in full, and where detc itself failed"
    )


def add_output(parser: argparse.ArgumentParser, formats: tuple[str, ...] = FORMATS) -> None:
    """--format and -o."""
    parser.add_argument("--format", choices=formats, default=formats[0], help=f"default: {formats[0]}")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write there instead of printing")


def read_sets(entries: list[str]) -> dict[str, str] | str:
    """`NAME=VALUE` entries as a mapping; the first entry that is none as a string."""
    sets = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not name.strip():
            return entry
        sets[name.strip()] = value
    return sets
