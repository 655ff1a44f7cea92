"""`model NAME extends detector { .. }`: elaborates the items of a model into its graph, outputs and heads."""

from __future__ import annotations

from detc.diagnostics import Related, has_errors
from detc.semantics import model_rules, rules
from detc.semantics.bodies import KINDS, Body
from detc.semantics.build import Builder
from detc.semantics.environment import Environment, remedy
from detc.semantics.evaluate import evaluate
from detc.semantics.heads import read_head
from detc.semantics.inputs import read_input
from detc.semantics.naming import finished
from detc.semantics.program import Head, Model
from detc.semantics.reading import Reader
from detc.semantics.schema.heads.kind import Output
from detc.semantics.schema.rules import HEAD
from detc.semantics.values import BROKEN, Value, as_tensor, is_broken, tensors_in
from detc.semantics.words import ARGUMENT_WORDS
from detc.syntax import tree

BASES = ("detector", "classifier")


class ModelBody(Body):
    """The items of a model: besides those of a block its input and heads. Its `require` lines are judged when it is complete."""

    kinds = ("input", *KINDS, "head", "require")
    reserved = ()

    def __init__(self, scope: Environment, name: str) -> None:
        super().__init__(scope, f"model `{name}`")
        self.name = name
        self.input: tree.Typed | None = None
        self.heads: list[tree.Block] = []
        self.requires: list[tuple[tree.Require, Environment]] = []

    def require(self, item: tree.Require) -> None:
        self.requires.append((item, self.scope))

    def other(self, item: tree.AnyItem) -> None:
        if isinstance(item, tree.Typed) and item.kind.id == "input":
            self._input(item)
        elif isinstance(item, tree.Block) and item.kind.id == "head":
            self.heads.append(item)
        elif isinstance(getattr(item, "kind", None), tree.Name) and item.kind.id in ("input", "head"):  # type: ignore[union-attr]
            kind = item.kind.id  # type: ignore[union-attr]
            fix = "`input NAME: u8[3, 224, 224]`" if kind == "input" else "`head KIND on OUTPUT { .. }`"
            self.context.refuse(
                model_rules.INCOMPLETE,
                item.span,
                what=f"this `{kind}`",
                allowed="its other parts",
                remedy=f"write {fix}",
            )
        else:
            super().other(item)

    def _input(self, item: tree.Typed) -> None:
        if self.input is not None:
            related = (Related(self.input.span, "the first"),)
            self.context.refuse(model_rules.SECOND_INPUT, item.span, name=self.name, related=related)
            return
        self.input = item
        name = item.name.id
        builder = self.context.builder
        assert builder is not None
        read = read_input(item, self.scope)
        value: Value = BROKEN
        if read is not None:
            op, spans = read
            value = builder.add(op, [], item.span, spans, "input", label=name)
        self.scope.bind(name, value, item.name.span)
        self.members.setdefault(name, value)


def declare_model(item: tree.Block, scope: Environment) -> list[tuple[tree.Require, Environment]]:
    """Elaborates a model and binds its name; a model with mistakes is left out of the program.

    Gives back its `require` lines with the scope they are to be judged in.
    """
    context = scope.context
    label = item.label
    if not isinstance(label, tree.Name):
        context.refuse(
            model_rules.INCOMPLETE, item.span, what="this model", allowed="a name",
            remedy="write `model NAME extends detector { .. }`",
        )  # fmt: skip
        return []
    before = len(context.findings)
    kind = _base(item, scope)
    inner = scope.child()
    builder = Builder(context, label.id, item.span)
    outer, context.builder = context.builder, builder
    try:
        _params(item, inner)
        body = ModelBody(inner, label.id)
        body.run(item.items)
        _complete(item, label.id, body)
        # A param with a mistake breaks an output without a finding of the model's own.
        broken = has_errors(context.findings[before:]) or body.broken
        outputs = {name: body.members[name] for name in body.outputs}
        if broken:
            # Names are needed still: heads are read for their own mistakes.
            outputs = {name: value for name, value in outputs.items() if not is_broken(value)}
        builder.root.doc = item.doc
        builder.root.members = {n: v for n, v in body.members.items() if not is_broken(v)}
        graph = finished(builder, outputs)
        heads = [_head(head, body, label.id) for head in body.heads]
    finally:
        context.builder = outer
    host = frozenset(made.path for made in builder.nodes if made.host)
    model = Model(label.id, kind, graph, [h for h in heads if h], item.span, item.doc, host)
    good = not broken and not has_errors(context.findings[before:])
    scope.bind(label.id, model if good else BROKEN, label.span)
    if good and scope.root:
        context.program.models.setdefault(label.id, model)
    return body.requires if good else []


def _base(item: tree.Block, scope: Environment) -> str:
    name = ".".join(part.id for part in item.extends)
    if name in BASES:
        return name
    span = item.extends[0].span.to(item.extends[-1].span) if item.extends else item.kind.span
    hint = remedy(name, BASES) if name else "write `extends detector`"
    scope.context.refuse(
        model_rules.UNKNOWN_BASE,
        span,
        name=name or "nothing",
        allowed=" or ".join(f"`{base}`" for base in BASES),
        remedy=hint,
    )
    return BASES[0]


def _params(item: tree.Block, inner: Environment) -> None:
    """`model ssd(width = 1.0)`: names of the model with their values."""
    for param in item.params or ():
        if param.default is None:
            inner.context.refuse(
                rules.MISSING_ARGUMENT, param.span, function="model", name=param.name.id,
                remedy="a model's own names need a value; what `--set` may change is a `param` of the spec",
            )  # fmt: skip
            value: Value = BROKEN
        else:
            value = evaluate(param.default, inner, ARGUMENT_WORDS)
        inner.bind(param.name.id, value, param.name.span)


def _complete(item: tree.Block, name: str, body: ModelBody) -> None:
    at = item.kind.span.to(item.label.span) if item.label else item.kind.span
    if body.context.lossy:
        return
    if body.input is None:
        body.context.refuse(model_rules.NO_INPUT, at, name=name)
    if not body.outputs:
        body.context.refuse(model_rules.NO_OUTPUT, at, name=name)


# ---- heads ----------------------------------------------------------------------------------------------------------


def _head(block: tree.Block, body: ModelBody, model: str) -> Head | None:
    context = body.context
    on: list[Output] = []
    silent = False
    for expr in block.on:
        name = expr.id if isinstance(expr, tree.Name) else context.text(expr.span)
        binding = body.scope.find(name)
        if name not in body.outputs and binding is not None and binding.value is BROKEN:
            silent = True
        elif name not in body.outputs:
            context.refuse(
                model_rules.NOT_AN_OUTPUT, expr.span, name=name, model=model, remedy=remedy(name, body.outputs),
                label="not an output",
            )  # fmt: skip
            silent = True
        elif is_broken(body.members[name]):
            silent = True
        else:
            tensors = list(tensors_in(body.members[name]))
            on.append(Output(name, expr.span, [t.type for t in tensors], [t.made.span for t in tensors]))
    frame = as_tensor(body.members[body.input.name.id]) if body.input else None
    if silent or frame is None:
        return None
    at = Reader(body.scope, HEAD, context.sources, context.findings, context.overrides)
    types = {name: tensor.type for name, value in body.members.items() if (tensor := as_tensor(value))}
    return read_head(block, on, at, types, (frame.type.height, frame.type.width))
