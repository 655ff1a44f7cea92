"""What a tensor of the file has become: a constant, a view of a node, or several views one behind the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detc.importers.foreign import ForeignTensor
from detc.importers.network.views import View

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Lazy = Callable[[], Array]

_WHOLE = {f"{kind}{bits}": f"<{kind}{bits // 8}" for kind in "iu" for bits in (8, 16, 32, 64)}
NUMPY = {"f16": "<f2", "f32": "<f4", "f64": "<f8", "bool": "?", **_WHOLE}
"""numpy's words for the dtypes of files; bf16 is widened by hand."""


class Untranslatable(Exception):
    """Why an operator has no counterpart here. Leaves a translation; never leaves `translating`."""


@dataclass(slots=True, eq=False)
class Constant:
    """A tensor that no picture changes. `tensor` is the file's, or `array` what was worked out; both None: nobody asked.

    `scales` and `zeros` read whole numbers, where a DequantizeLinear stands before its reader.
    """

    tensor: ForeignTensor | None = None
    array: Array | None = None
    scales: tuple[float, ...] = ()
    zeros: tuple[int, ...] = ()
    axis: int = 0
    name: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        if self.array is not None:
            return tuple(self.array.shape)
        return self.tensor.shape if self.tensor is not None else ()

    @property
    def known(self) -> bool:
        return self.array is not None or self.tensor is not None

    def stored(self) -> Array:
        """The numbers as they are stored. Raises Untranslatable where there are none."""
        import numpy as np

        if self.array is not None:
            return self.array
        if self.tensor is None or self.tensor.data is None:
            raise Untranslatable("needs numbers that the file does not hold")
        shape = tuple(max(side, 1) if side < 0 else side for side in self.tensor.shape)
        if self.tensor.dtype == "bf16":
            wide = np.frombuffer(self.tensor.data, "<u2").astype(np.uint32) << 16
            return wide.view(np.float32).reshape(shape)
        if self.tensor.dtype not in NUMPY:
            raise Untranslatable(f"has a constant of dtype {self.tensor.dtype}")
        return np.frombuffer(self.tensor.data, NUMPY[self.tensor.dtype]).reshape(shape)

    def real(self) -> Array:
        """The real numbers that it stands for, float32."""
        import numpy as np

        stored = self.stored()
        if not self.scales:
            return stored.astype(np.float32)
        sides = [1] * stored.ndim
        if len(self.scales) > 1:
            sides[self.axis] = -1
        scales, zeros = (np.array(v, np.float64).reshape(sides) for v in (self.scales, self.zeros))
        return ((stored.astype(np.float64) - zeros) * scales).astype(np.float32)

    def steps(self, axis: int) -> Lazy | None:
        """The real numbers that one step of its whole ones stands for, float64, one for each place along `axis`; None where
        it has real numbers, or scales along another axis."""
        if not self.scales or (len(self.scales) > 1 and self.axis != axis % len(self.shape)):
            return None
        scales, count = self.scales, self.shape[axis]

        def read() -> Array:
            import numpy as np

            return np.broadcast_to(np.array(scales, np.float64), (count,))

        return read

    def numbers(self) -> list[int]:
        """Its whole numbers, one after the other: shapes, axes and the like."""
        found = self.stored().reshape(-1)[:64]
        if found.dtype.kind not in "iub":
            raise Untranslatable("reads real numbers where it needs whole ones")
        return [int(n) for n in found]

    def read_by(self, scales: tuple[float, ...], zeros: tuple[int, ...], axis: int) -> Constant:
        """Its whole numbers as the real ones that they stand for. Raises Untranslatable where the scales do not fit them."""
        axis = axis % max(1, len(self.shape))
        if len(scales) != len(zeros) or (
            len(scales) > 1 and (axis >= len(self.shape) or self.shape[axis] != len(scales))
        ):
            raise Untranslatable(
                f"has {len(scales)} scales and {len(zeros)} zero points for numbers of {list(self.shape)}"
            )
        if not all(math.isfinite(scale) and scale > 0 for scale in scales):
            raise Untranslatable("has a scale that is zero, negative or no number")
        return Constant(self.tensor, self.array, scales, zeros, axis, self.name)


@dataclass(frozen=True, slots=True)
class Parts:
    """Views one behind the other along axis `axis` (batch included): what heads of several maps give. `after` names functions
    that every number goes through."""

    views: tuple[View, ...]
    axis: int
    after: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        sizes = list(self.views[0].sizes)
        sizes[self.axis] = sum(view.sizes[self.axis] for view in self.views)
        return tuple(sizes)


@dataclass(frozen=True, slots=True)
class Blocked:
    """What an operator without a counterpart gives, and all that follows from it; `nodes` stand before it."""

    nodes: tuple[int, ...] = ()


Value = Constant | View | Parts | Blocked
