"""`model small = prune(big, channels = 1 / 2, keep = [p])`: models made from models, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from detc.diagnostics import Related, Rule
from detc.ir.graph import Graph
from detc.semantics.program import Derivation, Model
from detc.semantics.pruning import Refusal, prune
from detc.semantics.reading import Reader, did_you_mean
from detc.semantics.schema.key import Key, Schema
from detc.semantics.schema.kind import MISSING, Dotted, ListOf, Number
from detc.semantics.schema.rules import section_rules
from detc.syntax import tree

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

KEYS = section_rules("DER", "a derived model")
UNKNOWN = Rule(
    "DER110",
    "error",
    """no model can be made by `{actual}`

    A derived model is a function of another model, such as `prune(big, channels = 1 / 2)`.""",
    help="{remedy}",
)
NO_MODEL = Rule(
    "DER111",
    "error",
    """`{actual}` is no model of this spec

    The first argument names the model from which the new one is made; it stands above it.""",
    help="{remedy}",
)
NO_PART = Rule(
    "DER112",
    "error",
    """model `{model}` has no part `{actual}` to keep

    `keep` names outputs, lets or layers whose width stays as it is.""",
    help="{remedy}",
)
IMPOSSIBLE = Rule(
    "DER113",
    "error",
    """`{layer}` {actual}, so `{model}` cannot be pruned to {share} of its channels

    Pruning narrows every conv and linear layer, and all that is added to it or passes it channel by channel along with it.""",
    help="add it to `keep`, or choose another share",
)
HELD = Rule(
    "DER114",
    "warning",
    """`{layer}` {actual}: what it reads and gives keeps its width in `{model}`

    Pruning narrows every conv and linear layer, and all that is added to it or passes it channel by channel along with it. What
    cannot follow stays as it is, and so does all that is tied to it; `detc prune SPEC --explain` lists every width.""",
    help="add it to `keep` to say that this is meant",
)
NOTHING = Rule(
    "DER115",
    "warning",
    """`{model}` is as wide as `{actual}`: every channel of it is kept, or tied to one that is

    Outputs, the parts named in `keep` and what hangs together with them keep their width.""",
    help="name fewer parts in `keep`, or choose a smaller share",
)

RULES = (*KEYS.all(), UNKNOWN, NO_MODEL, NO_PART, IMPOSSIBLE, HELD, NOTHING)

PRUNE = Schema(
    "prune",
    (
        Key("model", Dotted("a model")),
        Key("channels", Number(above=0, high=1), example="channels = 1 / 2", doc="share of the channels that is left"),
        Key("keep", ListOf(Dotted("a part of the model"), single=True), [], "parts whose width stays"),
        Key("multiple", Number(whole=True, low=1, high=4096), 1, "widths become multiples of this"),
    ),
)


def derive(item: tree.Named, scope: Environment) -> Model | None:
    """The model of a `model NAME = ..` item, noted in the program; None with findings reported."""
    context = scope.context
    program = context.program
    at = Reader(scope, KEYS, context.sources, context.findings, what=f"model `{item.name.id}`")
    call = item.value
    function = call.function if isinstance(call, tree.Call) else call
    word = function.id if isinstance(function, tree.Name) else at.text(function)
    if word != "prune" or not isinstance(call, tree.Call):
        at.report(UNKNOWN(function.span, actual=word, remedy=did_you_mean(word, ("prune",)) or "known: prune"))
        return None
    places: dict[str, tree.Expr] = {}
    arguments = at.arguments(PRUNE, call, places)
    if arguments is MISSING:
        return None
    origin = program.models.get(arguments["model"])
    if origin is None:
        if not at.bound(arguments["model"]):
            remedy = did_you_mean(arguments["model"], tuple(program.models))
            at.report(NO_MODEL(places["model"].span, actual=arguments["model"], remedy=remedy))
        return None
    keep = list(_kept(arguments["keep"], origin, places.get("keep", call), at))
    if len(keep) < len(arguments["keep"]):
        return None
    share = Fraction(arguments["channels"]).limit_denominator(4096)
    result = prune(origin.graph, share, [name for names in keep for name in names], arguments["multiple"])
    if isinstance(result, Refusal):
        shown, related = _place(result)
        problem = result.problem
        at.report(
            IMPOSSIBLE(
                call.span, layer=shown or origin.name, actual=problem, model=origin.name, share=share, related=related
            )
        )
        return None
    for refusal in result.held:
        shown, related = _place(refusal)
        at.report(HELD(call.span, layer=shown, actual=refusal.problem, model=item.name.id, related=related))
    if share < 1 and not any(group.after < group.before for group in result.groups) and not result.held:
        at.report(NOTHING(call.span, model=item.name.id, actual=origin.name))
    result.graph.name = item.name.id
    made = Derivation(origin.name, share, arguments["multiple"], result.groups, result.axes)
    model = Model(
        item.name.id, origin.kind, result.graph, list(origin.heads), item.span, item.doc, origin.host, origin.name, made
    )
    program.models.setdefault(model.name, model)
    return model


def _place(refusal: Refusal) -> tuple[str, tuple[Related, ...]]:
    """The layer's name and where it stands."""
    node = refusal.node
    if node is None:
        return "", ()
    return node.name, (Related(node.span, "this layer"),) if node.span else ()


def _kept(parts: list[str], origin: Model, place: tree.Expr, at: Reader) -> Iterator[tuple[str, ...]]:
    """The nodes that each part stands for, with a finding for each that is none."""
    nodes = place.items if isinstance(place, tree.List) else (place,) * len(parts)
    for part, node in zip(parts, nodes, strict=True):
        found = nodes_of(origin.graph, part)
        if found:
            yield found
        else:
            remedy = did_you_mean(part, parts_of(origin.graph))
            at.report(NO_PART(node.span, model=origin.name, actual=part, remedy=remedy))


def nodes_of(graph: Graph, part: str) -> tuple[str, ...]:
    """The nodes that a part of a model stands for: an output, a layer, or the result of a let; empty if there is none."""
    if part in graph.outputs:
        return graph.outputs[part]
    if part in graph:
        return (part,)
    scope = graph.scopes.get(part)
    leaving = tuple(name for _, name in scope.outputs if name) if scope is not None else ()
    if leaving:
        return leaving
    return tuple(made.name for made in graph if made.name.startswith(part + "."))[-1:]


def parts_of(graph: Graph) -> list[str]:
    """The outputs and lets that `keep` may name."""
    return sorted({*graph.outputs, *(made.name.split(".")[0] for made in graph)})
