"""The op registry: every op a spec can name. A new op is one class in a file here and an entry in that file's `OPS`."""

from detc.ir.op import Op
from detc.ir.ops import activation, combine, conv, neuron, norm, pool, source

_FAMILIES = (conv, norm, activation, pool, combine, neuron)
OPS: dict[str, type[Op]] = {op.name: op for family in _FAMILIES for op in family.OPS}
"""Ops by the word that names them in a spec; a dotted one is a member of a library. `input` is declared, not called, and so
not among them."""

ALL_OPS: dict[str, type[Op]] = {"input": source.Input, **OPS}
"""Also those that no spec calls: for reading graphs back."""

__all__ = ["ALL_OPS", "OPS"]
