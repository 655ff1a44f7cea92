"""Look at data sets and change them: of a spec (`detc data check SPEC`), or as they lie on disk (`--format voc --root DIR`).

`detc data help coco|voc|bdd100k` says where and how to get a set."""

from __future__ import annotations

import argparse
from importlib import import_module

ACTIONS: dict[str, str] = {
    "check": "every problem of a set, grouped: labels, pictures, names, splits that share pictures",
    "stats": "counts of classes, box sizes and pictures, as text or as a page, picture or JSON",
    "convert": "write a set in another format: voc, coco, yolo or gnetdet",
    "subset": "write a few pictures of a set, every class among them",
    "split": "write a set with new train, val and test splits",
    "preview": "a sheet of what the loader really feeds a stage: augmented, encoded, with its boxes",
    "anchors": "anchors for a spec's head, by k-means over the boxes of its data",
    "help": "where and how to get COCO, VOC and BDD100K, and the layout of each format",
}
"""Action -> what `detc data --help` says of it. Each is a file of `detc.commands.data`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, about in ACTIONS.items():
        module = import_module(f"detc.commands.data.{name}")
        form = argparse.RawDescriptionHelpFormatter
        action = actions.add_parser(name, help=about, description=module.__doc__, formatter_class=form)
        module.add_arguments(action)
        action.set_defaults(parser=action)


def run(args: argparse.Namespace) -> int:
    result: int = import_module(f"detc.commands.data.{args.action}").run(args)
    return result
