"""The op registry: every op a spec can name. A new op is one class in a file here and an entry in that file's `OPS`."""

from detc.ir.op import Op
from detc.ir.ops import activation, combine, conv, norm, pool, source

OPS: dict[str, type[Op]] = {op.name: op for family in (conv, norm, activation, pool, combine) for op in family.OPS}
"""Ops by the word that names them in a spec. `input` is declared, not called, and so not among them."""

ALL_OPS: dict[str, type[Op]] = {"input": source.Input, **OPS}
"""Also those that no spec calls: for reading graphs back."""

__all__ = ["ALL_OPS", "OPS"]
