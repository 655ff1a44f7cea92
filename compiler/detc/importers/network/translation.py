"""What translating operators share: the values of the file's tensors, and the steps that both formats are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from detc.importers.foreign import ForeignModel, ForeignOp
from detc.importers.network.drawing import Draft, Drawing, Lazy
from detc.importers.network.values import NUMPY, Blocked, Constant, Parts, Untranslatable, Value
from detc.importers.network.views import View, merged, order_of, reshaped, sliced, transposed
from detc.importers.unreadable import short
from detc.ir.ops.conv import Conv, Linear

if TYPE_CHECKING:
    from detc.importers.network.values import Array

Sides = tuple[int, int, int, int]
MOST_PARTS = 4096


@dataclass(slots=True)
class Translation:
    """A file being translated: `values` of its tensors so far, `readers` how often each is read (an output counts too)."""

    model: ForeignModel
    drawing: Drawing
    values: dict[str, Value] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        if name not in self.values:
            if not name:
                raise Untranslatable("leaves out an input that it needs")
            tensor = self.model.tensors[name]
            self.values[name] = Constant(tensor, scales=tensor.scales, zeros=tensor.zeros, axis=tensor.axis, name=name)
        return self.values[name]

    def view(self, name: str) -> View:
        value = self.value(name)
        if isinstance(value, View):
            return value
        if isinstance(value, Parts):
            raise Untranslatable("reads several maps one behind the other: decoding is left to the head")
        raise Untranslatable("reads a constant where it needs what a picture gives")

    def constant(self, name: str) -> Constant:
        value = self.value(name)
        if not isinstance(value, Constant):
            raise Untranslatable(f"reads `{short(name)}`, which only a constant can be here")
        if value.tensor is not None and value.tensor.dtype not in (*NUMPY, "bf16"):
            raise Untranslatable(f"reads `{short(name)}`, whose numbers are of a kind that is not read")
        return value

    def bias(self, op: ForeignOp, number: int, channels: int) -> Constant | None:
        """The bias that is input number `number`: one number a channel."""
        found = self.optional(op, number)
        if found is not None and prod(found.shape) != channels:
            raise Untranslatable(f"has a bias of shape {list(found.shape)} for {channels} channels")
        return found

    def optional(self, op: ForeignOp, number: int) -> Constant | None:
        """The constant that is input `number`, None where it is left out."""
        return self.constant(op.inputs[number]) if len(op.inputs) > number and op.inputs[number] else None

    def map(self, name: str) -> int:
        return self.drawing.map(self.view(name))

    def draft(self, node: int) -> Draft:
        return self.drawing.drafts[node]

    def give(self, op: ForeignOp, value: Value | int, number: int = 0) -> None:
        """The value of an output: a node's number stands for the whole of it."""
        name = op.outputs[number]
        if isinstance(value, int):
            value = self.drawing.view(value)
        self.values[name] = value
        if isinstance(value, View):
            draft = self.draft(value.node)
            draft.tensor = draft.tensor or name
            draft.label = draft.label or label_of(self.model, op, name)
            tensor = self.model.tensors[name]
            if len(tensor.scales) == 1 and tensor.dtype in ("i8", "u8"):
                self.ranged(value.node, tensor.scales[0], tensor.zeros[0], tensor.dtype)

    def ranged(self, node: int, scale: float, zero: int, dtype: str) -> None:
        """Notes what the file's 8 bits of this node reach from and to."""
        low, high = (-128, 127) if dtype == "i8" else (0, 255)
        if scale > 0:
            self.draft(node).range = ((low - zero) * scale, (high - zero) * scale)

    # ---- layers -----------------------------------------------------------------------------------------------------

    def conv(
        self, source: str, weight: tuple[int, ...], lazy: Lazy, bias: Lazy | None, key: tuple[Any, ...], *,
        stride: tuple[int, int], sides: Sides | str, dilation: tuple[int, int], groups: int, steps: Lazy | None = None,
    ) -> int:  # fmt: skip
        """A convolution of tensor `source`; `weight` is [out, in / groups, rows, columns], `lazy` its numbers in that order,
        `steps` as in `weighted`."""
        node = self.map(source)
        before = self.draft(node)
        if before.op.name == "pad" and sides in ("valid", (0, 0, 0, 0)) and self.readers[source] == 1:
            top, left, bottom, right = before.op.attributes()["sides"]
            if bottom >= top and right >= left:
                node, sides = before.inputs[0], (top, left, bottom, right)
        if isinstance(sides, tuple):
            top, left, bottom, right = sides
            if bottom < top or right < left:
                node, sides = self.drawing.add("pad", node, sides=sides), "valid"
            elif (top, left) == (bottom, right):
                sides = (top, left)  # type: ignore[assignment]
        channels, per_group, rows, columns = weight
        if per_group * groups != self.draft(node).type.channels:
            raise Untranslatable(f"has weights for {per_group * groups} channels, got {self.draft(node).type.channels}")
        made = self.drawing.add(
            "conv", node, channels=channels, k=(rows, columns), s=stride, pad=sides, dilation=dilation, groups=groups,
            bias=bias is not None,
        )  # fmt: skip
        self.weighted(made, lazy, bias, key, steps)
        return made

    def weighted(
        self, node: int, weight: Lazy, bias: Lazy | None, key: tuple[Any, ...], steps: Lazy | None
    ) -> None:  # fmt: skip
        """Gives a layer its weights; where another has them by the same `key` already, they are shared. `steps` are the real
        numbers, one an output channel, that the file's whole weights count in."""
        draft = self.draft(node)
        key = (draft.op.name, *key, draft.type.channels)
        owner = self.drawing.shared.setdefault(key, node)
        if owner != node and owner not in self.drawing.private:
            draft.module = owner
            self.drawing.lent.add(owner)
            return
        draft.weights["weight"], draft.steps = weight, steps
        if bias is not None:
            draft.weights["bias"] = bias

    def dense(
        self, source: str, weight: Lazy, features: int, inputs: int, bias: Lazy | None, key: tuple[Any, ...],
        steps: Lazy | None = None,
    ) -> int:  # fmt: skip
        """A linear layer on tensor `source`; `weight` [out, in] in the order in which the file has the inputs, `steps` as in
        `weighted`."""
        node, places = self.drawing.vector(self.view(source))
        if self.draft(node).type.elements != inputs:
            raise Untranslatable(f"has weights for {inputs} numbers, got {self.draft(node).type.elements}")
        made = self.drawing.add("linear", node, features=features, bias=bias is not None)
        ordered = weight if places is None else _reordered(weight, places)
        self.weighted(made, ordered, bias, (*key, places is not None), steps)
        return made

    def act(self, source: str, op: str, **given: Any) -> Value:
        """An activation: one number in, one out, so the view stays."""
        value = self.value(source)
        if isinstance(value, Parts):
            return replace(value, after=(*value.after, op))
        view = self.view(source)
        if not view.whole:
            return self.drawing.view(self.drawing.add(op, self.drawing.map(view), **given))
        return self.drawing.after(view, self.drawing.add(op, view.node, **given))

    def fused(self, value: Value | int, word: str) -> Value | int:
        """TFLite's fused activation behind a layer."""
        if word == "NONE":
            return value
        known: dict[str, tuple[str, dict[str, Any]]] = {
            "RELU": ("relu", {}),
            "RELU6": ("relu6", {}),
            "TANH": ("tanh", {}),
        }
        if word not in known:
            raise Untranslatable(f"has the fused activation {word}")
        name, given = known[word]
        view = self.drawing.view(value) if isinstance(value, int) else value
        assert isinstance(view, View)
        return self.drawing.after(view, self.drawing.add(name, view.node, **given))

    # ---- places -----------------------------------------------------------------------------------------------------

    def reshape(self, source: str, shape: Sequence[int]) -> Value:
        value = self.value(source)
        if isinstance(value, Parts):
            if list(shape) == list(value.sizes) or (-1 in shape and len(shape) == len(value.sizes)):
                return value
            raise Untranslatable("reshapes several maps one behind the other: decoding is left to the head")
        found = reshaped(self.view(source), shape)
        if found is None:
            raise Untranslatable(f"gives {list(self.view(source).sizes)} the shape {list(shape)}")
        return found

    def transpose(self, source: str, order: Sequence[int]) -> Value:
        value = self.value(source)
        if isinstance(value, Parts):
            views = [transposed(view, order) for view in value.views]
            if sorted(order) != list(range(len(value.sizes))) or any(view is None for view in views):
                raise Untranslatable(f"cannot have its axes in the order {list(order)}")
            return Parts(tuple(v for v in views if v is not None), list(order).index(value.axis), value.after)
        found = transposed(self.view(source), order)
        if found is None:
            raise Untranslatable(f"cannot have its axes in the order {list(order)}")
        return found

    def slice(self, source: str, axis: int, start: int, count: int, step: int = 1) -> View:
        view = self.view(source)
        if len(view.axes) == 3 and view.whole and any(len(merged(walk)) > 1 for walk in view.axes):
            view = self.drawing.view(self.drawing.map(view))  # shuffled channels, of which a part is taken
        found = sliced(view, axis, start, count, step) if count > 0 and 0 <= axis < len(view.sizes) else None
        if found is None:
            raise Untranslatable(f"takes {count} places from {start} of axis {axis} of {list(view.sizes)}")
        return found

    def concat(self, sources: Sequence[str], axis: int) -> Value:
        views: list[View] = []
        for name in sources:
            value = self.value(name)
            views += value.views if isinstance(value, Parts) else [self.view(name)]
        if len(views) > MOST_PARTS:
            raise Untranslatable(f"puts {len(views):,} tensors one behind the other; at most {MOST_PARTS:,} are taken")
        axis = axis % len(views[0].sizes)
        if len(views[0].axes) == 3 and axis == 1 + self.drawing.order.index(0):
            focus = self._squares(views)
            if focus is not None:
                return self.drawing.view(focus)
            return self.drawing.view(self.drawing.add("concat", *[self.drawing.map(view) for view in views]))
        if all(len(view.shape) == 1 == len(view.axes) and view.whole for view in views):
            return self.drawing.view(self.drawing.add("concat", *[view.node for view in views]))
        return Parts(tuple(views), axis)

    def _squares(self, views: Sequence[View]) -> int | None:
        """Slices of every pixel of a square one behind the other: space_to_depth."""
        block = round(len(views) ** 0.5)
        first = views[0]
        if block < 2 or len(views) != block * block or len({view.node for view in views}) > 1 or len(first.shape) != 3:
            return None
        c, h, w = first.shape
        steps = [tuple(atom.step for atom in axis) for axis in first.axes]
        wanted = {0: (1,), 1: (block,), 2: (block,)}
        if h % block or w % block or steps != [wanted[axis] for axis in self.drawing.order] or c == 1:
            return None
        starts = [view.starts for view in views]
        rows = [(0, i, j) for i in range(block) for j in range(block)]
        columns = [(0, i, j) for j in range(block) for i in range(block)]
        if any(prod(view.sizes) * block * block != c * h * w for view in views) or starts not in (rows, columns):
            return None
        return self.drawing.add(
            "space_to_depth", first.node, block=block, order="rows" if starts == rows else "columns"
        )

    # ---- numbers ----------------------------------------------------------------------------------------------------

    def affine(self, source: str, factor: Array, summand: Array) -> Value | int:
        """x * factor + summand, each one number or one a channel (in the file's layout)."""
        view = self.view(source)
        order = order_of(view)
        draft = self.draft(view.node)
        if order is None:
            raise Untranslatable("scales or shifts numbers that the file has moved")
        channels = draft.type.shape[0]
        place = len(view.sizes) - len(order) + order.index(0)
        spread = [_a_channel(a, place, len(view.sizes), channels) for a in (factor, summand)]
        three = bool((spread[0] == 1).all() and (spread[1] == 3).all())  # may be the beginning of a hard sigmoid
        if not three and self.readers[source] == 1 and self.drawing.scaled(view.node, *spread):
            draft.range = None
            return view
        if draft.affine is not None and self.readers[source] == 1:
            before = draft.affine
            self._normalised(draft, before[0] * spread[0], before[1] * spread[0] + spread[1])
            return view
        if len(draft.type.shape) != 3:
            raise Untranslatable("scales or shifts a vector")
        made = self.drawing.add("bn", view.node, eps=_EPS)
        self._normalised(self.draft(made), *spread)
        return self.drawing.after(view, made)

    def _normalised(self, draft: Draft, factor: Array, summand: Array) -> None:
        """A batch norm that does no more than multiply and add."""
        import numpy as np

        draft.affine = (factor, summand)
        mean, variance = np.zeros(len(factor)), np.full(len(factor), 1 - _EPS)
        for name, array in (("weight", factor), ("bias", summand), ("running_mean", mean), ("running_var", variance)):
            draft.weights[name] = _held(array.astype(np.float32))


_EPS = 1e-5


def _held(array: Array) -> Lazy:
    return lambda: array


def _reordered(weight: Lazy, places: Lazy) -> Lazy:
    """Columns in the order of our vector: the file's input i stands at places[i]."""

    def read() -> Array:
        import numpy as np

        given = weight()
        result = np.empty_like(given)
        result[:, places()] = given
        return result

    return read


def _a_channel(array: Array, place: int, rank: int, channels: int) -> Array:
    """One value a channel, float64. Raises Untranslatable where values differ along other axes."""
    import numpy as np

    array = np.asarray(array, np.float64)
    if array.size == 1:
        return np.full(channels, float(array.reshape(-1)[0]))
    shape = (1,) * (rank - array.ndim) + tuple(array.shape)
    if len(shape) != rank or shape[place] != channels or array.size != channels:
        raise Untranslatable(
            f"works with a constant of shape {list(array.shape)}; one value, or one a channel, can be taken in"
        )
    return array.reshape(-1)


def label_of(model: ForeignModel, op: ForeignOp, output: str) -> str:
    """What the file calls a layer, as far as a person would."""
    from detc.importers.network.labels import label

    return label(model, op, output)


Handler = Callable[[Translation, ForeignOp], None]
__all__ = ["Blocked", "Conv", "Handler", "Linear", "Translation"]
