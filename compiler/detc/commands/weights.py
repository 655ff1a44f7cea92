"""The weights in a file by part, with shapes and sizes; with --part and -o, a file with one part alone, such as a backbone.

Reads checkpoints, .safetensors, .pt and .onnx; writes .safetensors or .pt, which a stage takes with `pretrained = path(..)`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from detc.commands.outcome import OK, refuse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint, or another file of weights")
    parser.add_argument("--part", metavar="NAME", help="only this part, e.g. trunk")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="write the weights there: .safetensors or .pt")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(args: argparse.Namespace) -> int:
    from detrt.errors import DetrtError
    from detrt.weights.found import count
    from detrt.weights.parts import Part, lines, parts_of, select, write_part
    from detrt.weights.reading import read_file

    if args.out is not None and args.out.exists() and not args.force:
        return refuse(f"{args.out} is there already", "choose another -o, or write over it with --force")
    try:
        found = read_file(args.file)
        parts = parts_of(found) if args.part is None else [select(found, args.part)]
        if args.out is None:
            print("\n".join(lines(parts)))
            return OK
        chosen = parts[0] if args.part is not None else Part("all", dict(found.tensors))
        write_part(chosen, args.file.name, args.out)
    except DetrtError as error:
        return refuse(str(error))
    print(f"{args.out}: {len(chosen.tensors)} tensors, {count(chosen.values)} values ({args.part or 'all parts'})")
    return OK
