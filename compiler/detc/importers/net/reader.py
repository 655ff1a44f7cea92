"""The layers of a `.net` file, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detc.diagnostics import Finding, Rule
from detc.importers.unreadable import UNREADABLE, short

if TYPE_CHECKING:
    from detrt.devices.loihi2.netlayers import NetLayer

FAULT = Rule(
    "IMP207",
    "error",
    """`{actual}` of {path} {message}

    A `.net` file numbers its layers from 0, each with a type, a shape, weights and neurons. It is read where netx (lava-dl)
    would build a chain of it: input, conv, dense and flatten with sigma-delta (SDNN) or spiking (CUBA) neurons, weights even
    in -256 .. 254. Everything else is named here by its place in the file.""",
    help="write the file again: `export_hdf5` of lava-dl, or `detc export`",
)


def read_layers(path: Path) -> list[NetLayer] | list[Finding]:
    """The layers in order; findings where any cannot be read."""
    from detrt.devices.loihi2.netprocess import look_at_apart
    from detrt.errors import DetrtError

    try:
        layers, problems = look_at_apart(path)
    except DetrtError as error:
        remedy = error.remedy or "give the path of a file that can be read"
        reason = error.message.removeprefix("is no HDF5 file that can be read: ")
        return [UNREADABLE(None, path=short(str(path)), format="HDF5", reason=reason, remedy=remedy)]
    found = [FAULT(None, actual=short(p.place), path=short(path.name), message=_shown(p.message)) for p in problems]
    return found or layers


def _shown(message: str) -> str:
    """A sentence of the reader, which quotes words of the file."""
    return "`".join(short(part) for part in message.split("`"))
