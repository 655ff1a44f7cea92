"""From places to text. A scope becomes a let with a pipeline, a block, a list or a repetition, whichever gives every layer in it
its name again: what is named by word and ordinal is written as one expression, everything else gets lets of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from detc.codegen.det.labels import base_name, base_of, check_label, is_numbered
from detc.codegen.det.template import Args, Block, Call, Piece, Text, Value, flat, skeleton
from detc.codegen.det.words import Defaults, Spelling, Unwritable, det_name, spellings
from detc.codegen.tree import Place, relative
from detc.ir.graph import Graph, Node
from detc.ir.ops import OPS
from detc.semantics.naming import ordinal
from detc.semantics.values import TENSOR_ATTRIBUTES

TENSORS = ("x", "y", "z", "u", "v", "w")
Names = Callable[[str], "Fragment"]
"""How tensors are written where an expression stands, by name."""
OPERATORS = {"add": (" + ", 1), "mul": (" * ", 2)}


@dataclass(slots=True)
class Fragment:
    """A piece of an expression. `binds`: 0 a pipeline, 1 a sum, 2 a product, 3 a name or call."""

    text: Text
    binds: int = 3

    def inside(self, least: int) -> Text:
        return self.text if self.binds >= least else ("(", *self.text, ")")


@dataclass(slots=True, eq=False)
class Writer:
    """`shared` names the let of each layer whose weights are used more than once, by its module; `host` the nodes that run on
    the host."""

    graph: Graph
    root: Place
    defaults: Defaults
    taken: set[str]
    labels: frozenset[str]
    shared: dict[str, str]
    host: frozenset[str] = frozenset()
    blocks: list[Block] = field(default_factory=list)
    _instances: dict[str, tuple[Block, tuple[Value, ...]]] = field(default_factory=dict)
    _exports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _uses: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outputs = set(self.graph.output_nodes)
        exports: dict[str, dict[str, None]] = {}
        for node in self.graph:
            users = [user.name for user in self.graph.users(node.name)]
            self._uses[node.name] = users
            path = node.name
            while path := path.rpartition(".")[0]:
                if node.name in outputs or any(not user.startswith(path + ".") for user in users):
                    exports.setdefault(path, {})[node.name] = None
        self._exports = {path: tuple(names) for path, names in exports.items()}

    # ---- what a place reads and gives -------------------------------------------------------------------------------

    def exports(self, place: Place) -> tuple[str, ...]:
        """The nodes of a place that something outside of it reads."""
        return (place.path,) if place.node else self._exports.get(place.path, ())

    def inputs(self, place: Place) -> tuple[str, ...]:
        """The nodes outside of a place that it reads, in the order of reading."""
        inner = {node.name for node in place.nodes()}
        return tuple(dict.fromkeys(name for node in place.nodes() for name in node.inputs if name not in inner))

    def result(self, place: Place) -> str:
        """The node that the name of a place stands for. Raises Unwritable where several leave it."""
        found = self.exports(place)
        if len(found) == 1:
            return found[0]
        last = list(place.inner.values())[-1] if place.inner else place
        if not found:
            return place.path if place.node else self.result(last)
        raise Unwritable(f"several tensors leave `{place.path}`")

    # ---- expressions ------------------------------------------------------------------------------------------------

    def value(self, place: Place, refs: Names) -> Fragment:
        """What stands behind `let NAME =` for a place, where `refs` names the tensors around it."""
        if place.node:
            return self.layer(place.node, [refs(name) for name in place.node.inputs], "")
        if is_numbered(place):
            return self.numbered(place, refs)
        if place.scope is None or place.scope.kind != "block":
            found = self.expression(place, refs) if len(place.inner) > 1 else None
            if found is not None:
                return found
        return self.call(place, [refs(name) for name in self.inputs(place)])

    def layer(self, node: Node, operands: Sequence[Fragment], local: str) -> Fragment:
        """A node applied to its operands. With `local` it is spelled by the word of that name."""
        if node.op.name in OPERATORS and node.name not in self.host:
            sign, binds = OPERATORS[node.op.name]
            left, right = operands
            return Fragment((*left.inside(binds), sign, *right.inside(binds + 1)), binds)
        text = self.function(node, local)
        if len(operands) == 1:
            return Fragment((*operands[0].inside(0), " |> ", *text), 0)
        if node.name in self.host:
            raise Unwritable(f"`{node.name}` joins tensors on the host")
        # `concat(a, b)`, and what arguments there are behind the tensors.
        args = text[1] if len(text) > 1 and isinstance(text[1], Args) else Args(())
        return Fragment((text[0], "(", *listed(operands), replace(args, behind=True)))

    def function(self, node: Node, local: str = "") -> Text:
        """The op with its arguments, waiting for its tensor."""
        module = node.module or node.name
        if module in self.shared:
            return (self.shared[module],)
        spelling = self.spelling(node, local)
        word = spelling.word if spelling.word not in self.taken else f"ops.{spelling.base}"
        items = [
            (
                "" if given.bare else given.name,
                Value(given.text, given.name) if given.open else given.text,
                given.default,
            )
            for given in spelling.args
        ]
        whole: Text = (word, Args(tuple(items))) if items else (word,)
        return ("host(", *whole, ")") if node.name in self.host else whole

    def spelling(self, node: Node, local: str) -> Spelling:
        found = list(spellings(node.op, self.graph.input_types(node), self.defaults))
        return next((s for s in found if local and base_of(local, s.base)), found[0])

    def call(self, place: Place, operands: Sequence[Fragment]) -> Fragment:
        block, values = self.instance(place)
        if len(operands) == 1:
            return Fragment((*operands[0].inside(0), " |> ", block.name, Call(block, values, False)), 0)
        return Fragment((f"{block.name}(", *listed(operands), Call(block, values, True)))

    def numbered(self, place: Place, refs: Names) -> Fragment:
        """Places 0, 1, ..: rounds one after another, or a list."""
        if list(place.inner) != [str(number) for number in range(len(place.inner))]:
            raise Unwritable(f"`{place.path}` has gaps in its numbers")
        rounds = self.rounds(place)
        if rounds is not None:
            return Fragment((*refs(self.inputs(place)[0]).inside(0), " |> ", *rounds), 0)
        items = [self.value(item, refs) for item in place.inner.values()]
        return Fragment(("[", *listed(items), "]"))

    def rounds(self, place: Place) -> Text | None:
        """`f * n` or `chain(f, g, ..)`; None where the places do not read each other one after another."""
        items = list(place.inner.values())
        if list(place.inner) != [str(number) for number in range(len(items))]:
            return None
        reads = [self.inputs(item) for item in items]
        if len(items) < 2 or any(len(read) != 1 for read in reads) or len(self.exports(place)) > 1:
            return None
        for before, read in zip(items, reads[1:], strict=False):
            if self.exports(before) != read:
                return None
        functions = [self.item(item) for item in items]
        if all(skeleton(f) == skeleton(functions[0]) and list(flat(f)) == list(flat(functions[0])) for f in functions):
            first: Text = ("(", *functions[0], ")") if " |> " in functions[0] else functions[0]
            return (*first, " * ", Value(str(len(items)), "times"))
        return ("chain(", *listed([Fragment(f) for f in functions]), ")")

    def item(self, place: Place) -> Text:
        """A round as a function that waits for its tensor."""
        if place.node:
            return self.function(place.node)
        if is_numbered(place):
            inner = self.rounds(place)
            if inner is None:
                raise Unwritable(f"`{place.path}` is a list in a repetition")
            return inner
        if place.scope is None or place.scope.kind != "block":
            found = self.expression(place, lambda name: Fragment(()))
            if found is not None and len(place.inner) > 1 and self.is_chain(place):
                return found.text[1:]
        block, values = self.instance(place)
        return (block.name, Call(block, values, False))

    def is_chain(self, place: Place) -> bool:
        """Whether each layer of a place reads one tensor: that of the layer before it."""
        before = self.inputs(place)
        for child in place.inner.values():
            if self.inputs(child) != before or len(before) != 1:
                return False
            before = self.exports(child)
        return True

    def expression(self, place: Place, refs: Names) -> Fragment | None:
        """All of a place as one expression that names its layers by word and ordinal as they are named; else None."""
        children = list(place.inner.values())
        if self.exports(place) not in ((), self.exports(children[-1])):
            return None
        counts: dict[str, int] = {}
        owner: dict[str, Place] = {}
        for child in children:
            base = self.base(child)
            if not base:
                return None
            counts[base] = counts.get(base, 0) + 1
            if ordinal(base, counts[base]) != child.name:
                return None
            if len(self.exports(child)) != 1 and child is not children[-1]:
                return None
            owner[self.result(child)] = child
        done: list[Place] = []

        def build(child: Place) -> Fragment:
            operands = []
            for name in child.node.inputs if child.node else self.inputs(child):
                operands.append(build(owner[name]) if name in owner else refs(name))
            done.append(child)
            if child.node:
                return self.layer(child.node, operands, child.name)
            if is_numbered(child):
                return Fragment((*operands[0].inside(0), " |> ", *(self.rounds(child) or ())), 0)
            return self.call(child, operands)

        for child in children[:-1]:
            users = [user for name in self.exports(child) for user in self._uses[name]]
            if len(users) != 1 or _reads(self, children, child) != 1:
                return None
        found = build(children[-1])
        # Evaluated from left to right, the layers must come in the order in which they run.
        return found if done == children else None

    def base(self, place: Place) -> str:
        """The word that an unnamed place is called by in an expression; empty where it cannot stand in one."""
        if place.node:
            module = place.node.module or place.node.name
            if module in self.shared:
                return self.spelling(place.node, "").base
            return self.spelling(place.node, place.name).base
        if is_numbered(place):
            rounds = self.rounds(place)
            if rounds is None:
                return ""
            first = next(iter(place.inner.values()))
            return self.base(first) if first.node else self.block_base(first)
        return self.instance(place)[0].name

    def block_base(self, first: Place) -> str:
        """The name of the first round: a block's, or `layers` for several layers in parentheses."""
        text = self.item(first)
        return "layers" if " |> " in text else str(text[0])

    # ---- blocks -----------------------------------------------------------------------------------------------------

    def instance(self, place: Place) -> tuple[Block, tuple[Value, ...]]:
        """The block that a place is an instance of, and its numbers."""
        if place.path not in self._instances:
            read = self.inputs(place)
            names = dict(zip(read, self.tensor_names(place, len(read)), strict=True))
            found = self.expression(place, lambda name: Fragment((names[name],)))
            text: Text = ("= ", *found.text) if found else self.body(place, names)
            block = self.block(place, tuple(names.values()), text)
            values = tuple(flat(text))
            block.instances.append(values)
            self._instances[place.path] = (block, values)
        return self._instances[place.path]

    def tensor_names(self, place: Place, count: int) -> list[str]:
        many = [*TENSORS, *(f"x{number}" for number in range(1, count + len(self.taken) + 1))]
        return [name for name in many if name not in self.taken][:count]

    def block(self, place: Place, tensors: tuple[str, ...], text: Text) -> Block:
        shape = (tensors, skeleton(text))
        for known in self.blocks:
            if (known.tensors, skeleton(known.text)) == shape:
                return known
        scope = place.scope
        wanted = (scope.block if scope and scope.kind == "block" else "") or base_name(place.name)
        name = det_name(wanted)
        if name in self.taken or name in OPS or name in TENSOR_ATTRIBUTES:
            name = det_name(f"{name}_block" if name in self.labels or name in OPS else name, self.taken)
        self.taken.add(name)
        doc = f"## {' '.join(scope.doc.split())}\n" if scope and scope.doc else ""
        doc = "" if any(block.doc == doc for block in self.blocks) else doc
        self.blocks.append(Block(name, tensors, text, doc))
        return self.blocks[-1]

    def body(self, place: Place, names: dict[str, str]) -> Text:
        """Lets for all that is in a place; what leaves it are outputs."""
        leaving = set(self.exports(place)) or {self.result(list(place.inner.values())[-1])}
        pieces: list[Piece] = ["{\n"]
        for child in place.inner.values():
            check_label(child.name, place)
            out = leaving.intersection(self.exports(child) or (self.result(child),))
            refs = Refs(self, place, names)
            pieces += [f"  {'output' if out else 'let'} {child.name} = ", *self.value(child, refs).text, "\n"]
        return (*pieces, "}")


class Refs:
    """How the tensors that a body reads are written in it: its own parameters, its lets and what is inside of them."""

    def __init__(self, writer: Writer, scope: Place, names: dict[str, str]) -> None:
        self.writer, self.scope, self.names = writer, scope, names

    def __call__(self, name: str) -> Fragment:
        if name in self.names:
            return Fragment((self.names[name],))
        parts = relative(name, self.scope.path).split(".")
        place = self.scope.inner[parts[0]]
        text = place.name
        for part in parts[1:]:
            if not is_numbered(place) or self.writer.rounds(place) is not None:
                if self.writer.exports(place) in ((name,), ()):
                    break
                text += f".{part}"
            else:
                text += f"[{list(place.inner).index(part)}]"
            place = place.inner[part]
        return Fragment((text,))


def listed(parts: Sequence[Fragment]) -> Text:
    """The fragments with commas between them."""
    return tuple(piece for part in parts for piece in (*part.text, ", "))[:-1]


def _reads(writer: Writer, children: Sequence[Place], child: Place) -> int:
    """How often the others of a place read `child`."""
    names = set(writer.exports(child))
    count = 0
    for other in children:
        if other is not child:
            read = other.node.inputs if other.node else writer.inputs(other)
            count += sum(name in names for name in read)
    return count
