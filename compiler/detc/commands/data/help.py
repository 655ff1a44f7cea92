"""Where and how to get COCO, Pascal VOC and BDD100K, and how each format lies on disk."""

from __future__ import annotations

import argparse
from importlib.resources import files

from detc.commands.outcome import OK

TOPICS = ("coco", "voc", "bdd100k", "yolo", "gnetdet", "folders")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", choices=TOPICS, help="the data set or format")


def run(args: argparse.Namespace) -> int:
    print((files("detc.commands.data") / "topics" / f"{args.topic}.txt").read_text(encoding="utf-8"), end="")
    return OK
