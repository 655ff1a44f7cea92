"""The parts of a net in its weights: a list of them, and a file with one part alone."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from detrt.data.classes import nearest
from detrt.errors import DetrtError
from detrt.files import write_bytes
from detrt.weights.found import Found, count, is_below

KINDS = (".safetensors", ".pt")


@dataclass(frozen=True, slots=True)
class Part:
    """`name` is what stands before the first dot of its tensors."""

    name: str
    tensors: dict[str, Tensor]

    @property
    def values(self) -> int:
        return sum(tensor.numel() for tensor in self.tensors.values())

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())


def parts_of(found: Found) -> list[Part]:
    """In the order in which their first tensors stand."""
    parts: dict[str, Part] = {}
    for name, tensor in found.tensors.items():
        front = name.partition(".")[0]
        parts.setdefault(front, Part(front, {})).tensors[name] = tensor
    return list(parts.values())


def select(found: Found, name: str) -> Part:
    """A part, or one inside of a part (`trunk.layer1`). Raises DetrtError where there is none of this name."""
    tensors = {key: tensor for key, tensor in found.tensors.items() if is_below(key, [name])}
    if not tensors:
        known = [part.name for part in parts_of(found)]
        shown = ", ".join(known[:12])
        raise DetrtError(f"there is no part `{name}`{nearest(name, known)}", found.source, f"parts: {shown}")
    return Part(name, tensors)


def lines(parts: Sequence[Part]) -> list[str]:
    """A line a part, and under it one a tensor, with shape, values, type and bytes."""
    names = [name for part in parts for name in part.tensors]
    width = max(map(len, [*names, "all"])) + 2
    found = []
    for part in parts:
        found.append(f"{part.name:<{width}}  {'':<20} {count(part.values):>8}  {_size(part.size):>9}")
        for name, tensor in part.tensors.items():
            kind = str(tensor.dtype).removeprefix("torch.")
            told = _size(tensor.numel() * tensor.element_size())
            found.append(
                f"  {name:<{width - 2}}  {list(tensor.shape)!s:<20} {count(tensor.numel()):>8}  {told:>9}  {kind}"
            )
    values, size = sum(part.values for part in parts), sum(part.size for part in parts)
    return [*found, f"{'all':<{width}}  {'':<20} {count(values):>8}  {_size(size):>9}"]


def write_part(part: Part, source: str, out: Path) -> None:
    """The tensors of a part under their own names, in the form that the suffix of `out` says: .safetensors, or a state
    dict as torch saves it. Whole or not at all. Raises DetrtError.
    """
    if out.suffix not in KINDS:
        raise DetrtError(f"weights are not written as `{out.suffix}`", out, f"known: {', '.join(KINDS)}")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in part.tensors.items()}
    if out.suffix == ".pt":
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        write_bytes(out, buffer.getvalue())
    else:
        about = json.dumps({"part": part.name, "source": source}, sort_keys=True)
        write_bytes(out, safetensors.torch.save(tensors, {"detrt": about}))  # several entries would stand in any order


def _size(number: int) -> str:
    for size, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"
