"""The graph while it is drawn: layers by number, their weights (read only when asked for), their names and ranges to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from detc.importers.network.values import Untranslatable
from detc.importers.network.views import Atom, View, merged, order_of, view_of
from detc.importers.unreadable import MOST_ELEMENTS
from detc.ir.op import Op, Problem
from detc.ir.ops import OPS
from detc.ir.ops.conv import Conv, Linear
from detc.ir.ops.pool import AvgPool
from detc.ir.ops.source import Input
from detc.ir.types import TensorType

if TYPE_CHECKING:
    from detc.importers.network.values import Array

Lazy = Callable[[], "Array"]
"""Weights that are read when they are written: a check needs their shapes alone."""


_POSITIVE = frozenset(("relu", "sigmoid", "hsigmoid", "softmax"))
_KEEP_SIGN = frozenset(
    (
        "maxpool", "avgpool", "upsample", "samplepool", "pad", "concat", "channels", "shuffle", "space_to_depth", "flatten",
        "reshape", "add", "mul",
    )
)  # fmt: skip
"""Ops that give nothing below zero if they read nothing below zero."""


@dataclass(slots=True, eq=False)
class Draft:
    """A layer: `inputs` are numbers of drafts; `label` what the file calls it; `module` the draft that owns its weights;
    `range` (low, high) of what it gives, where the file is quantised."""

    op: Op
    inputs: tuple[int, ...]
    type: TensorType
    label: str = ""
    weights: dict[str, Lazy] = field(default_factory=dict)
    module: int | None = None
    steps: Lazy | None = None
    """What one step of its weights stands for, float64 an output channel, where the file has them as whole numbers."""
    range: tuple[float, float] | None = None
    tensor: str = ""
    """The file's tensor that it first gave."""
    maker: str = ""
    """What the file's operator gives first that this is (a part of)."""
    positive: bool = False
    """Whether no number that it gives is below zero."""
    lowest: bool = False
    """A border of the lowest number instead of zeros, which only a max pool can read."""
    affine: tuple[Array, Array] | None = None
    """(factor, summand) a channel, of a batch norm that stands for nothing else."""


@dataclass(slots=True)
class Drawing:
    """`readers` counts how often the file reads each tensor; `order` is that of a map's axes in the file, batch left out."""

    order: tuple[int, int, int]
    drafts: list[Draft] = field(default_factory=list)
    shared: dict[tuple[Any, ...], int] = field(default_factory=dict)
    lent: set[int] = field(default_factory=set)
    """Drafts whose weights others use, and below those whose weights no other may use any more."""
    private: set[int] = field(default_factory=set)
    maker: str = ""
    """What the operator gives first that is being drawn."""
    moved: dict[View, int] = field(default_factory=dict)
    """Layers that put the numbers of a view in place."""

    def add(self, op: str, *inputs: int, label: str = "", **given: Any) -> int:
        """A layer as a spec would write it. Raises Untranslatable where it does not hold together."""
        kind = OPS[op]
        types = [self.drafts[i].type for i in inputs]
        args = {a.name: a.default for a in kind.arguments if not a.required}
        made = kind.make(types, args | given)
        if isinstance(made, Problem):
            raise Untranslatable(made.message)
        return self.put(made, inputs, label)

    def mean(self, node: int) -> int:
        """The mean over rows and columns."""
        return self.put(AvgPool(None), (node,))

    def put(self, op: Op, inputs: Sequence[int], label: str = "") -> int:
        result = op.infer([self.drafts[i].type for i in inputs])
        if isinstance(result, Problem):
            raise Untranslatable(result.message)
        if result.elements > MOST_ELEMENTS:
            raise Untranslatable(f"gives {result.elements:,} numbers; at most {MOST_ELEMENTS:,} are taken")
        passed = op.name in _KEEP_SIGN and all(self.drafts[i].positive for i in inputs)
        positive = passed or op.name in _POSITIVE
        self.drafts.append(Draft(op, tuple(inputs), result, label, positive=positive, maker=self.maker))
        return len(self.drafts) - 1

    def input(self, shape: tuple[int, int, int], label: str) -> int:
        self.drafts.append(Draft(Input(shape), (), TensorType(shape, "u8"), label))
        return len(self.drafts) - 1

    def view(self, node: int) -> View:
        """The whole node as the file sees a map or a vector."""
        shape = self.drafts[node].type.shape
        return view_of(node, shape, self.order if len(shape) == 3 else range(len(shape)))

    def after(self, view: View, node: int) -> View:
        """The same view of a node that changes numbers, not places."""
        return View(node, view.shape, view.axes, view.starts, view.batch)

    # ---- numbers in place -------------------------------------------------------------------------------------------

    def map(self, view: View) -> int:
        """The node with these numbers as [channels, height, width], made if they have been moved. Raises Untranslatable."""
        if self.drafts[view.node].lowest:
            raise Untranslatable("reads a border of the lowest number, which only a max pool can")
        if len(view.axes) != 3:
            raise Untranslatable(f"reads {_shape(view)}, which is no map here")
        if len(view.shape) == 3 and order_of(view) == self.order:
            return view.node
        if view not in self.moved:
            axes: list[tuple[Atom, ...]] = [(), (), ()]
            for place, ours in enumerate(self.order):
                axes[ours] = merged(view.axes[place])
            made = self._moved(view, axes)
            if made is None:
                raise Untranslatable(
                    f"reads {_shape(view)}, whose numbers the file has moved in a way that no layer does"
                )
            self.moved[view] = made
        return self.moved[view]

    def _moved(self, view: View, axes: list[tuple[Atom, ...]]) -> int | None:
        sizes = tuple(prod(atom.size for atom in axis) for axis in axes)
        flat = [atom for axis in axes for atom in axis]
        if len(view.shape) == 1:
            whole = view.whole and merged(tuple(flat)) in ((Atom(0, view.shape[0]),), ())
            return self.add("reshape", view.node, shape=sizes) if whole else None
        c, h, w = view.shape
        if len(axes[0]) == 2 and view.whole and axes[1:] == [_all(1, h), _all(2, w)]:
            outer, inner = axes[0]
            if outer.axis == inner.axis == 0 and outer.step == 1 and inner.step == outer.size:
                return self.add("shuffle", view.node, groups=inner.size)
        if len(axes[0]) in (2, 3) and view.whole:
            return self._to_depth(view, axes)
        if any(len(axis) > 1 or any(atom.axis != ours for atom in axis) for ours, axis in enumerate(axes)):
            return None
        steps = [axis[0].step if axis else 1 for axis in axes]
        node = view.node
        if sizes[0] != c:
            if steps[0] != 1:
                return None
            node = self.add("channels", node, first=view.starts[0], last=view.starts[0] + sizes[0] - 1)
        if sizes[1:] == (h, w):
            return node
        if view.starts[1:] != (0, 0) or sizes[1:] != (-(-h // steps[1]), -(-w // steps[2])):
            return None
        return self.add("samplepool", node, k=(steps[1], steps[2]))

    def _to_depth(self, view: View, axes: list[tuple[Atom, ...]]) -> int | None:
        """Squares of pixels as channels, where the channels of a pixel lie together."""
        c, h, w = view.shape
        *pixels, channels = axes[0] if c > 1 else (*axes[0], Atom(0, 1))
        block = pixels[0].size if pixels else 0
        if channels != Atom(0, c) or block < 2 or h % block or w % block:
            return None
        if axes[1:] != [_all(1, h // block, block), _all(2, w // block, block)]:
            return None
        rows = [Atom(1, block), Atom(2, block)]
        if pixels not in (rows, rows[::-1]):
            return None
        return self.add("space_to_depth", view.node, block=block, order="rows" if pixels == rows else "columns")

    def vector(self, view: View) -> tuple[int, Lazy | None]:
        """The node with these numbers as [features], and where each of the file's numbers stands in it, int64 [features]
        (None: in the same place). Raises Untranslatable."""
        if len(view.axes) != 1 or not view.whole:
            raise Untranslatable(f"reads {_shape(view)}, which is no vector here")
        node = view.node if len(view.shape) == 1 else self.add("flatten", view.node)
        strides = [prod(view.shape[axis + 1 :]) for axis in range(len(view.shape))]
        places = [(atom.size, atom.step * strides[atom.axis]) for atom in view.axes[0]]
        in_order = all(step == prod(size for size, _ in places[n + 1 :]) for n, (_, step) in enumerate(places))
        return node, None if in_order else lambda: _walk(places)

    # ---- changing what is drawn -------------------------------------------------------------------------------------

    def scaled(self, node: int, factor: Array, summand: Array) -> bool:
        """Takes factor and summand a channel into the conv or linear layer that gave the node; False where it is none, or where
        other layers share its weights."""
        import numpy as np

        draft = self.drafts[node]
        op = draft.op
        if not isinstance(op, Conv | Linear) or draft.module is not None or node in self.lent:
            return False
        self.private.add(node)
        old, bias, steps = draft.weights["weight"], draft.weights.get("bias"), draft.steps
        sides = (-1, *(1,) * (3 if isinstance(op, Conv) else 1))
        draft.weights["weight"] = lambda: (old().astype(np.float64) * factor.reshape(sides)).astype(np.float32)
        draft.steps = steps and (lambda: steps() * np.abs(factor))
        before = bias or (lambda: np.zeros(1))
        draft.weights["bias"] = lambda: (before().astype(np.float64) * factor + summand).astype(np.float32)
        from dataclasses import replace

        draft.op = replace(op, bias=True)
        return True


def _all(axis: int, size: int, step: int = 1) -> tuple[Atom, ...]:
    return (Atom(axis, size, step),) if size > 1 else ()


def _walk(places: list[tuple[int, int]]) -> Array:
    import numpy as np

    found = np.zeros(1, np.int64)
    for size, step in places:
        found = (found[:, None] + np.arange(size) * step).reshape(-1)
    return found


def _shape(view: View) -> str:
    return f"[{', '.join(map(str, view.sizes))}]"
