"""Whole numbers as the text of C arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH = 116
TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}


def c_type(values: npt.NDArray[np.integer[Any]]) -> str:
    """The type of C that holds the elements of `values`."""
    return TYPES[values.dtype.name]


def rows(values: npt.NDArray[np.integer[Any]], indent: str = "    ") -> str:
    """All numbers of `values` in the order of memory, as many a line as fit."""
    lines, line = [], indent
    for value in values.reshape(-1).tolist():
        word = f"{_literal(value)}, "
        if len(line) + len(word) > WIDTH and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += word
    return "\n".join([*lines, line.rstrip()])


def _literal(value: int) -> str:
    return "-2147483647 - 1" if value == -(2**31) else str(value)
