"""A narrower net: its plain spec and, with --weights, a checkpoint cut down to it.

`detc prune SPEC --channels 1/2` keeps half of all channels; heads keep what they read, and what is added to each other or hangs
together otherwise stays equal. Without --channels it writes out a model that the spec itself prunes.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from detc.commands.options import add_spec
from detc.commands.outcome import MISTAKE, OK, refuse

if TYPE_CHECKING:
    from detc.semantics.program import Model, Program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    parser.add_argument("--model", metavar="NAME", help="the model (default: the last of the spec)")
    parser.add_argument("--channels", metavar="SHARE", help="how much is left: 1/2, 0.3 or 30%%")
    parser.add_argument(
        "--keep", metavar="PART", action="append", default=[], help="a part whose width stays; may be repeated"
    )
    parser.add_argument("--multiple", type=int, default=1, metavar="N", help="widths become multiples of N")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a checkpoint of the wide model, to be cut")
    parser.add_argument(
        "--criterion",
        choices=("l2", "l1", "random"),
        default="l2",
        help="which channels stay: those of the largest norms",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of --criterion random")
    parser.add_argument("--explain", action="store_true", help="every group of channels, its width, and why it stays")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="the spec to write; weights go beside it")
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def run(args: argparse.Namespace) -> int:
    from detc.codegen.det import Unwritable, plain_spec, pruned_from
    from detc.commands.loading import load
    from detc.commands.writing import deliver, write_whole
    from detc.diagnostics import has_errors
    from detc.diagnostics.render_text import render
    from detc.report.ansi import standard_output

    terminal = standard_output()
    compilation = load(args)
    program = compilation.program
    if has_errors(program.findings) or not program.models:
        deliver(render([f for f in compilation.findings if f.level == "error"], program.sources, terminal.color), None)
        return MISTAKE
    model = _chosen(program, args)
    if isinstance(model, int):
        return model
    out = args.out or Path(f"{model.name}.det")
    files = [out, *([out.with_suffix(".safetensors")] if args.weights else [])]
    there = [str(file) for file in files if file.exists()]
    if there and not args.force:
        return refuse(f"{there[0]} is there already", "choose another name with -o, or write over it with --force")
    try:
        text = plain_spec(model, pruned_from(model, program.name))
    except Unwritable as error:
        return refuse(f"`{model.name}` cannot be written as a spec of its own: {error}")
    if args.weights:
        from detrt.errors import DetrtError

        try:
            _cut(model, args, files[1])
        except DetrtError as error:
            return refuse(error.message + (f" ({error.place})" if error.place else ""), error.remedy or "")
    write_whole(out, text)
    deliver(_told(program, model, args.explain) + f"wrote {', '.join(map(str, files))}\n", None)
    return OK


def _chosen(program: Program, args: argparse.Namespace) -> Model | int:
    """The pruned model: one of the spec, or made from one by --channels. An exit code with the mistake told."""
    from detc.diagnostics.did_you_mean import closest
    from detc.semantics.derived import nodes_of, parts_of
    from detc.semantics.program import Derivation, Model
    from detc.semantics.pruning import Refusal, prune

    name = args.model or next(reversed(program.models))
    wide = program.models.get(name)
    if wide is None:
        near = closest(name, list(program.models))
        hint = f"did you mean `{near}`?" if near else f"models: {', '.join(program.models)}"
        return refuse(f"the spec has no model `{name}`", hint)
    if args.channels is None:
        if wide.derivation is None:
            return refuse(f"`{name}` is no pruned model", "say how much is left: --channels 1/2")
        return wide
    share = _share(args.channels)
    if share is None or args.multiple < 1:
        bad = f"--channels {args.channels}" if share is None else f"--multiple {args.multiple}"
        return refuse(f"`{bad}` is out of range", "--channels lies above 0 and is at most 1, --multiple is at least 1")
    keep: list[str] = []
    for part in args.keep:
        found = nodes_of(wide.graph, part)
        if not found:
            near = closest(part, parts_of(wide.graph))
            hint = f"did you mean `{near}`?" if near else f"parts: {', '.join(parts_of(wide.graph)[:12])}"
            return refuse(f"model `{name}` has no part `{part}` to keep", hint)
        keep += found
    result = prune(wide.graph, share, keep, args.multiple)
    if isinstance(result, Refusal):
        return refuse(f"`{result.node.name if result.node else name}` {result.problem}")
    for refusal in result.held:
        shown = refusal.node.name if refusal.node else name
        print(f"note: `{shown}` {refusal.problem}: what it reads and gives keeps its width")
    stem = args.out.stem if args.out is not None else ""
    result.graph.name = stem if stem.isidentifier() and stem.isascii() else f"{name}_pruned"
    made = Derivation(name, share, args.multiple, result.groups, result.axes)
    return Model(
        result.graph.name, wide.kind, result.graph, list(wide.heads), wide.span, wide.doc, wide.host, name, made
    )


def _share(text: str) -> Fraction | None:
    """`1/2`, `0.5` and `50%`; None for what is none in (0, 1]."""
    try:
        share = Fraction(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except (ValueError, ZeroDivisionError):
        return None
    return share.limit_denominator(4096) if 0 < share <= 1 else None


def _cut(model: Model, args: argparse.Namespace, out: Path) -> None:
    """Cuts the weights. Raises DetrtError where they are not of the wide model."""
    from detc.semantics.lock import derived_json
    from detrt.errors import DetrtError
    from detrt.lock import Derived
    from detrt.train.channels import cut
    from detrt.train.checkpoint import read_weights, write_checkpoint

    assert model.derivation is not None
    plan = Derived.model_validate(derived_json(model.derivation, None))
    weights = read_weights(args.weights)
    alive = model.graph.ancestors(model.graph.output_nodes)
    nodes = [node for node in model.graph if node.name in alive and node.owns_weights]
    live = {f"{node.name}.{name}" for node in nodes for name, _ in node.op.tensors()}
    missing = sorted(live - weights.keys())
    if missing:
        problem = f"the checkpoint has no `{missing[0]}`" + (
            f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        )
        raise DetrtError(problem, args.weights, f"give weights of `{plan.origin}`")
    result = cut(weights, plan, args.criterion, args.seed)
    write_checkpoint(
        out, result.weights, {"pruned": {"from": plan.origin, "share": plan.share, "criterion": args.criterion}}
    )


def _told(program: Program, model: Model, explain: bool) -> str:
    from detc.report.ansi import standard_output
    from detc.report.pruning import groups_table

    assert model.derivation is not None
    wide = program.models[model.derivation.origin].graph
    lines = [
        f"{model.derivation.origin} -> {model.name}",
        *(
            f"  {what:<16} {before:>15,} -> {after:>15,}   {before / after:.2f}x fewer"
            for what, before, after in (
                ("parameters", wide.params(), model.graph.params()),
                ("multiplications", wide.macs(), model.graph.macs()),
            )
            if after
        ),
    ]
    if explain:
        lines += ["", groups_table(model.derivation.groups, standard_output()), ""]
    return "\n".join(lines) + "\n"
