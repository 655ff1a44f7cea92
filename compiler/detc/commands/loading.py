"""From command-line arguments to a Compilation: what check, report, show, plan, build and train begin with."""

from __future__ import annotations

import argparse

from detc.commands.options import read_sets
from detc.commands.waiting import busy
from detc.compilation import Compilation, compile_network, compile_spec
from detc.diagnostics import Finding, Rule
from detc.library import find_spec
from detc.semantics.program import Program

NETWORKS = (".onnx", ".tflite", ".net")

BAD_SET = Rule(
    "CMD102",
    "error",
    """`--set {actual}` is no NAME=VALUE

    `--set` changes one value of the spec for this run: a param by its name, any other value by its dotted path.""",
    help="write `--set classes=3`",
)


NOT_IMPORTED = Rule(
    "CMD103",
    "error",
    """`{actual}` is another tool's network, no spec

    Networks in .onnx, .tflite and .net files can be checked, reported, shown and planned as they are, and int8 ones of the first
    two exported. To build or train one, it is made into a spec first, with its weights beside it.""",
    help="write `detc import {actual} -o {name}.det`, then go on with `{name}.det`",
)


def load(args: argparse.Namespace, networks: bool = False) -> Compilation:
    """The compiled spec of `args.spec`, `args.target` and `args.sets`; a wrong name or option is a finding in it. With
    `networks`, `args.spec` may be another tool's file, up to its tensors `args.outputs`."""
    sets = read_sets(args.sets)
    if isinstance(sets, str):
        return _refused(args.spec, BAD_SET(None, actual=sets))
    spec = find_spec(args.spec)
    if isinstance(spec, Finding):
        return _refused(args.spec, spec)
    optimize = getattr(args, "optimize", False)
    with busy(f"reading {spec}"):
        if spec.suffix.lower() not in NETWORKS:
            return compile_spec(spec, args.target, sets, optimize, advise=True)
        if networks:
            return compile_network(spec, args.target, sets, names_in(args.outputs), optimize)
        name = "".join(c for c in str(spec) if c.isprintable())
        return _refused(args.spec, NOT_IMPORTED(None, actual=name, name=spec.stem))


def names_in(text: str | None) -> tuple[str, ...]:
    """The names of `--outputs A,B`."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _refused(spec: str, finding: Finding) -> Compilation:
    return Compilation(Program(spec, spec, findings=[finding]), None, findings=(finding,))
