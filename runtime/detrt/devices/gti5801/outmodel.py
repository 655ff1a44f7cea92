"""out.model: the compact model.json, zeros, then chip.dat. Form and offsets: measured on the vendor's composer."""

from __future__ import annotations

import json
from typing import Any

from detrt.devices.gti5801.errors import ArtifactError

ROOM_PER_LAYER = 128
"""The data start this many bytes a layer behind the length of model.json as given."""


def compose(model_json: bytes, chip_dat: bytes, name: str = "model.json") -> bytes:
    """out.model of a model.json (as text bytes) and its chip.dat. ArtifactError if model.json has no chip layer."""
    try:
        document = json.loads(model_json)
        layers = document["layer"]
        chips = [layer for layer in layers if layer["operation"] == "GTICNN"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError("not a model.json of the vendor's form", name) from error
    if len(chips) != 1:
        raise ArtifactError(f"{len(chips)} GTICNN layers, expected 1", name)
    offset = len(model_json) + ROOM_PER_LAYER * len(layers)
    chips[0].pop("data file", None)
    chips[0] |= {"data offset": offset, "data size": len(chip_dat)}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    if len(text) >= offset:
        raise ArtifactError(f"{len(text)} bytes of header do not fit the {offset} before the data", name)
    return text.ljust(offset, b"\0") + chip_dat


def split(data: bytes, name: str = "out.model") -> tuple[dict[str, Any], bytes]:
    """(header, chip.dat) of an out.model. ArtifactError if it is truncated or damaged."""
    end = data.find(b"\0")
    try:
        document = json.loads(data[:end])
        chip = next(layer for layer in document["layer"] if layer["operation"] == "GTICNN")
        offset, size = chip["data offset"], chip["data size"]
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise ArtifactError("not an out.model: its JSON header is damaged", name) from error
    if type(offset) is not int or type(size) is not int or not end < offset or size < 0:
        raise ArtifactError(f"the header puts the data at {offset!r}, length {size!r}", name)
    if len(data) != offset + size:
        raise ArtifactError(f"{len(data):,} bytes, its header says {offset + size:,}", name)
    if data[end:offset].strip(b"\0"):
        raise ArtifactError("bytes between header and data are not zero", name)
    return document, data[offset:]
