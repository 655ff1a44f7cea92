"""Checkpoints: one safetensors file with its JSON state inside, so that one rename commits both.

The state, and a sha256 over the whole file (its own 64 digits taken as zeros), stand in the metadata of the
safetensors header; any flipped or missing byte is seen before a tensor is used. A file of the same name ending in
`.json` repeats the state for people; nothing reads it back. The generation before is kept as
`NAME.previous.safetensors`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from detrt.errors import DetrtError

FORMAT = "detrt-checkpoint-1"
_ZEROS = "0" * 64
AGAIN = "copy it again from where it was trained, or give another: last.previous.safetensors is the one before last"
_SEAL = re.compile(rb'"detrt":"' + FORMAT.encode() + rb" ([0-9a-f]{64}) ")
"""The one entry of the metadata: format, checksum, state. One, because safetensors writes entries in no fixed order."""


class CheckpointError(DetrtError):
    """A checkpoint that is damaged, missing, of another spec, or that cannot be written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`tensors` by name and `state`, plain JSON data."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def require(self, keys: Iterable[str], path: Path) -> None:
        """Raises CheckpointError if the state lacks one of `keys`."""
        missing = sorted(set(keys) - set(self.state)) if isinstance(self.state, dict) else ["a state"]
        if missing:
            raise CheckpointError(f"the checkpoint has no {', '.join(missing)}: it is not of this kind", path)

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named `prefix/...`, under the rest of their names."""
        start = f"{prefix}/"
        return {name[len(start) :]: tensor for name, tensor in self.tensors.items() if name.startswith(start)}


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Writes `path` whole or not at all; what was there becomes `previous`. Raises CheckpointError if the disk does
    not take it.
    """
    content = encode(tensors, state)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = write_beside(path, content)
        if path.exists():
            _keep_previous(path)
        os.replace(temporary, path)
        readable = json.dumps({key: state[key] for key in state if key != "random"}, indent=2, sort_keys=True) + "\n"
        os.replace(write_beside(path.with_suffix(".json"), readable.encode()), path.with_suffix(".json"))
    except OSError as error:
        kept = [str(found) for found in (path, previous(path)) if found.exists()]
        intact = f"; {kept[0]} is intact" if kept else ""
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise CheckpointError(
            f"cannot write a checkpoint: {reason}{intact}", path, "make room, then go on with --resume"
        ) from None


def write_beside(path: Path, content: bytes) -> Path:
    """A finished temporary file in the folder of `path`, on the disk; removed again if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def previous(path: Path) -> Path:
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _keep_previous(path: Path) -> None:
    """A second name for the present file, so that `path` itself never goes missing."""
    link = path.with_name(f".{path.name}.{os.getpid()}.link")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:
        os.replace(path, previous(path))
        return
    os.replace(link, previous(path))


def encode(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint file: the same for the same tensors and state."""
    plain: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        # safetensors refuses memory shared between names (a layer used twice), so each name gets its own copy.
        plain[name] = value.clone() if value.data_ptr() in seen and value.numel() else value
        seen.add(value.data_ptr())
    content = safetensors.torch.save(plain, {"detrt": f"{FORMAT} {_ZEROS} {json.dumps(state, sort_keys=True)}"})
    digest = hashlib.sha256(content).hexdigest()
    start, end = _seal(content)
    return content[:start] + digest.encode() + content[end:]


def decode(content: bytes, path: Path) -> Checkpoint:
    """The checkpoint in `content`. Raises CheckpointError if a byte is not as it was written."""
    start, end = _seal(content, path)
    if hashlib.sha256(content[:start] + _ZEROS.encode() + content[end:]).digest() != bytes.fromhex(
        content[start:end].decode()
    ):
        raise CheckpointError("the checkpoint is damaged: its sha256 does not match its content", path, AGAIN)
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        state = json.loads(header["__metadata__"]["detrt"].split(" ", 2)[2])
        return Checkpoint(safetensors.torch.load(content), state)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"the checkpoint is malformed ({error})", path, AGAIN) from None


def _seal(content: bytes, path: Path = Path()) -> tuple[int, int]:
    """Where in the header the 64 digits of the checksum stand."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise CheckpointError("the checkpoint is cut short", path, AGAIN)
    match = _SEAL.search(content, 8, 8 + length)
    if match is None:
        raise CheckpointError("the file is no checkpoint of detrt, or its header is damaged", path, AGAIN)
    return match.span(1)


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint at `path`, verified. Raises CheckpointError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError("there is no such checkpoint", path) from None
    except OSError as error:
        raise CheckpointError(f"the checkpoint cannot be read: {error.strerror}", path) from None
    return decode(content, path)


def read_newest(path: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The checkpoint at `path`, else the generation before it; None if neither was ever written.

    What is wrong with the newer one is told to `say`. Raises CheckpointError if a file is there but none is good.
    """
    fault: CheckpointError | None = None
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            found = read_checkpoint(candidate)
        except CheckpointError as error:
            fault = fault or error
            continue
        if fault is not None:
            say(f"{fault.message} ({path}); going on from the one before it, {candidate.name}")
        return found
    if fault is not None:
        raise fault
    return None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Model weights from a checkpoint of ours or from any plain safetensors file. Raises CheckpointError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"the weights cannot be read: {error.strerror}", path) from None
    if FORMAT.encode() in content[:4_000_000]:
        checkpoint = decode(content, path)
        return checkpoint.group("ema") or checkpoint.group("model") or checkpoint.tensors
    try:
        return dict(safetensors.torch.load(content))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the file is no safetensors file, or it is damaged ({error})", path) from None


def check_fits(model: torch.nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raises CheckpointError that lists what differs if `weights` are not exactly those of `model`."""
    own = model.state_dict()
    lines = [f"{name}: only in the model" for name in own if name not in weights]
    lines += [f"{name}: only in the checkpoint" for name in weights if name not in own]
    lines += [
        f"{name}: {list(weights[name].shape)} in the checkpoint, {list(own[name].shape)} in the model"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if lines:
        raise CheckpointError("the checkpoint is of another network:\n" + shortened(lines), path)


def differing_keys(saved: Any, present: Any, name: str = "") -> list[str]:
    """`key: old in the checkpoint, new now` for every leaf in which two JSON values differ."""
    if isinstance(saved, Mapping) and isinstance(present, Mapping):
        keys = sorted({*saved, *present})
        return [
            line
            for key in keys
            for line in differing_keys(saved.get(key), present.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if saved == present else [f"{name}: {saved!r} in the checkpoint, {present!r} now"]


def shortened(lines: list[str], limit: int = 12) -> str:
    more = [f"and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(f"  {line}" for line in lines[:limit] + more)
