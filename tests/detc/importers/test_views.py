"""Views follow what a file does to its tensors: they say of each number where it lies in ours, as numpy finds by moving them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detc.importers.network.views import View, order_of, reshaped, sliced, transposed, view_of


def places(view: View) -> np.ndarray:
    """Of each number that the file sees, where it lies in the node."""
    strides = [int(np.prod(view.shape[axis + 1 :])) for axis in range(len(view.shape))]
    flat = np.array([sum(s * stride for s, stride in zip(view.starts, strides, strict=True))])
    for axis in view.axes:
        for atom in axis:
            flat = flat[..., None] + np.arange(atom.size) * atom.step * strides[atom.axis]
            flat = flat.reshape(-1)
    return flat.reshape(view.sizes)


@settings(max_examples=30)
@given(st.data())
def test_reshapes_transposes_and_slices_are_those_of_numpy(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.sampled_from((1, 2, 3, 4, 6, 8))) for _ in range(3))
    order = data.draw(st.permutations((0, 1, 2)))
    view = view_of(0, shape, order)
    truth = np.arange(np.prod(shape)).reshape(shape).transpose(order)[None]
    assert (places(view) == truth).all() and order_of(view) is not None
    for _ in range(data.draw(st.integers(1, 4))):
        rank = truth.ndim
        word = data.draw(st.sampled_from(("reshape", "transpose", "slice")))
        if word == "transpose":
            axes = (0, *(1 + n for n in data.draw(st.permutations(range(rank - 1)))))
            found, moved = transposed(view, axes), truth.transpose(axes)
        elif word == "reshape":
            split = data.draw(st.integers(1, rank - 1))
            side = truth.shape[split]
            part = data.draw(st.sampled_from([n for n in range(1, side + 1) if side % n == 0]))
            sizes = (*truth.shape[:split], part, side // part, *truth.shape[split + 1 :])
            if data.draw(st.booleans()) and rank > 2:
                sizes = (1, truth.shape[1] * truth.shape[2], *truth.shape[3:])
            found, moved = reshaped(view, sizes), truth.reshape(sizes)
        else:
            axis = data.draw(st.integers(1, rank - 1))
            start = data.draw(st.integers(0, truth.shape[axis] - 1))
            step = data.draw(st.integers(1, 2))
            count = data.draw(st.integers(1, len(range(start, truth.shape[axis], step))))
            found = sliced(view, axis, start, count, step)
            moved = truth.take(range(start, start + count * step, step), axis)
        if found is None:  # a walk that would be cut unevenly: refused, never wrong
            assert word != "transpose"
            return
        view, truth = found, moved
        assert view.sizes == truth.shape and (places(view) == truth).all()


def test_a_shape_of_another_size_is_none() -> None:
    view = view_of(0, (4, 6, 2), (0, 1, 2))
    assert (
        reshaped(view, (1, 47)) is None and reshaped(view, (1, -1, 5)) is None and reshaped(view, (1, -1, -1)) is None
    )
    assert reshaped(view, (1, 16, 3)) is None  # the walk over six rows would be cut
    assert sliced(view, 0, 1, 1, 1) is None
