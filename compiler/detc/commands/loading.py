"""From command-line arguments to a Compilation: what check, report, show, plan, build and train begin with."""

from __future__ import annotations

import argparse

from detc.commands.options import read_sets
from detc.commands.waiting import busy
from detc.compilation import Compilation, compile_spec
from detc.diagnostics import Finding, Rule
from detc.library import find_spec
from detc.semantics.program import Program

BAD_SET = Rule(
    "CMD102",
    "error",
    """`--set {actual}` is no NAME=VALUE

    `--set` changes one value of the spec for this run: a param by its name, any other value by its dotted path.""",
    help="write `--set classes=3`",
)


def load(args: argparse.Namespace) -> Compilation:
    """The compiled spec of `args.spec`, `args.target` and `args.sets`; a wrong name or option is a finding in it."""
    sets = read_sets(args.sets)
    if isinstance(sets, str):
        return _refused(args.spec, BAD_SET(None, actual=sets))
    spec = find_spec(args.spec)
    if isinstance(spec, Finding):
        return _refused(args.spec, spec)
    with busy(f"reading {spec}"):
        return compile_spec(spec, args.target, sets)


def _refused(spec: str, finding: Finding) -> Compilation:
    return Compilation(Program(spec, spec, findings=[finding]), None, findings=(finding,))
