"""`python -m detc.targets.gti5801`: the chip's file and its answer, for users of the vendor's kit.

    pack     NET.dat.json NET.npz -o chip.dat    the vendor's JSON with raw tensors (keys w0.., b0..) -> chip.dat
    simulate NET.dat.json NET.npz -o out.npy     and with the picture `input` (u8 CHW) -> the chip's output

Exits with 1 and a sentence if the input is not what the chip runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Runs one of the two commands; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m detc.targets.gti5801", description="Files of the GTI 5801.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text, out in (
        ("pack", "write chip.dat from the vendor's JSON and raw tensors", "chip.dat"),
        ("simulate", "write the chip's output for the picture `input`", "out.npy"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("description", type=Path, metavar="NET.dat.json")
        command.add_argument(
            "tensors", type=Path, metavar="NET.npz", help="arrays w0.., b0.. in the order of sublayers"
        )
        command.add_argument("-o", "--out", type=Path, required=True, metavar=out)
    arguments = parser.parse_args(argv)

    from detrt.devices.gti5801.kit import pack_files, simulate_files
    from detrt.errors import DetrtError

    try:
        if arguments.command == "pack":
            size = pack_files(arguments.description, arguments.tensors, arguments.out)
            print(f"{arguments.out}: {size:,} bytes")
        else:
            shape = simulate_files(arguments.description, arguments.tensors, arguments.out)
            print(f"{arguments.out}: float32 {list(shape)}")
    except DetrtError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
