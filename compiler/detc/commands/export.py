"""Write the files that go to the device, from the last trained stage: `artifacts/` in the build folder. Of another tool's int8
network, as it is: `detc export net.tflite --target BOARD -o artifacts` (.onnx or .tflite; --outputs NAME,..).

All other options are those of export.py in the build folder: --name RUN, --stage NAME, -o DIR, --vendor-inputs."""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import refuse

PASSES_ON = True
"""Options that are not known here go to export.py, in `args.rest`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "spec", metavar="SPEC", help="a spec that was built, its build folder, or an int8 .onnx or .tflite"
    )
    parser.add_argument("--target", metavar="NAME", help="the target it was built for")


def run(args: argparse.Namespace) -> int:
    from detc.commands import export_network
    from detc.commands.child import run_program
    from detc.commands.finished import above, find_build

    if Path(args.spec).suffix.lower() in export_network.FORMATS:
        return export_network.run(Path(args.spec), args.target, args.rest)
    folder = find_build(args.spec, args.target)
    if isinstance(folder, str):
        build = above(Path(args.spec))
        if build is not None:
            build = build.relative_to(Path.cwd()) if build.is_relative_to(Path.cwd()) else build
            remedy = f"give that folder, and which checkpoint by --name RUN and --stage NAME: detc export {build}"
            return refuse(f"`{args.spec}` lies in the build {build}", remedy)
        return refuse(folder, f"build and train first: detc train {args.spec} --target NAME")
    if not (folder / "export.py").is_file():
        remedy = "build with --target NAME, of a spec with a `train` block"
        return refuse(f"{folder} was built without a target or without stages", remedy)
    return run_program(folder, "export.py", args.rest)
