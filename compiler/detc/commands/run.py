"""Detect on a picture, a folder or a video, with an artifacts folder (in the device's own arithmetic) or a float checkpoint.

Writes annotated copies and one JSON of everything found. Of a net in time (Loihi 2) a video, or a folder of frames in order,
gives a video with the events of each frame beside it, and events.csv, events.json and events.png."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from detc.commands.outcome import INTERRUPTED, OK, refuse, warn_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="an artifacts folder, an .onnx file in it, or a checkpoint"
    )
    parser.add_argument("source", type=Path, metavar="PICTURES", help="a picture, a folder of pictures, or a video")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("detections"), metavar="DIR", help="default: detections/"
    )
    parser.add_argument(
        "--score",
        type=float,
        default=0.25,
        metavar="X",
        help="draw what scores at least this (default: 0.25); the JSON holds all that the head keeps",
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="for a checkpoint: cpu or cuda (default: cpu)")
    parser.add_argument(
        "--on",
        default="",
        metavar="MACHINE",
        help="run the C code of the artifacts there, with the same result: host, qemu-m4, qemu-m7 or qemu-m55",
    )
    parser.add_argument(
        "--still", action="store_true", help="of a net in time: each picture for itself, held until the neurons settle"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="only what could not be done")


def run(args: argparse.Namespace) -> int:
    from detc.commands.progress import bar
    from detrt.errors import DetrtError
    from detrt.predict import predict
    from detrt.predict_raw import predict_raw
    from detrt.predictor import ArtifactPredictor, open_predictor

    if not 0 <= args.score <= 1:
        return refuse(f"--score {args.score:g}: a score lies in 0 .. 1")
    try:
        predictor = open_predictor(args.model, args.device, args.on)
        with bar(f"{predictor.name}, {predictor.kind}") as tick:
            if isinstance(predictor, ArtifactPredictor) and predictor.raw:
                files = predict_raw(predictor, args.source, args.out, tick)
                if not args.quiet:
                    print(
                        f"no head is known: raw outputs of {len(files) - 1} pictures ({predictor.kind}) in {args.out}"
                    )
                return OK
            outcome = predict(predictor, args.source, args.out, tick, args.score, args.still)
    except DetrtError as error:
        return refuse(str(error))
    for name, reason in outcome.refused:
        refuse(f"{name}: {reason}")
    warn_of(predictor)
    if not args.quiet:
        what = "classes of" if predictor.whole else f"{outcome.objects} objects in"
        print(f"{what} {outcome.pictures} pictures ({predictor.kind})")
        if not predictor.whole and outcome.drawn < outcome.objects:
            print(f"{outcome.drawn} of them drawn, those that score at least {args.score:g} (--score)")
        for line in outcome.notes + outcome.events:
            print(line)
        what = "files" if outcome.events else "annotated files"
        print(f"{outcome.results}  and {len(outcome.files)} {what} in {args.out}")
    if outcome.stopped:
        print(f"interrupted after {outcome.pictures} frames: the files are whole up to there", file=sys.stderr)
        return INTERRUPTED
    return OK
