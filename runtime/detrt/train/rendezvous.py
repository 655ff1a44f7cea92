"""The store through which the processes of a run find each other, fresh each time that torchrun starts them.

torchrun keeps one store for all its attempts, and torch 2.13 puts the addresses of every attempt under the same keys: a
process that comes back may read where a dead one listened, and never connect. The number of restarts tells attempts apart
on one node only. So process 0 names the attempt, and answers to greetings that no earlier process can have left.
"""

from __future__ import annotations

import os
import time
import uuid
from datetime import timedelta
from typing import Any, Protocol

import torch.distributed as dist

from detrt.errors import DetrtError

_PATIENCE = timedelta(minutes=5)


class _Store(Protocol):
    """What is used of torch's store, whose classes torch.distributed does not export to type checkers."""

    def check(self, keys: list[str]) -> bool: ...

    def get(self, key: str) -> bytes: ...

    def set(self, key: str, value: str) -> None: ...


def fresh_store(rank: int, world: int) -> Any:
    """A store of this attempt alone, the same for all `world` processes; None where torchrun offers none to share."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    options: dict[str, Any] = {"is_master": False, "timeout": _PATIENCE, "wait_for_workers": False}
    shared = dist.TCPStore(address, port, **options)  # type: ignore[attr-defined]
    attempt = _named(shared, world) if rank == 0 else _told(shared, rank)
    return dist.PrefixStore(f"detrt/{attempt}", shared)  # type: ignore[attr-defined]


def _named(store: _Store, world: int) -> str:
    """What process 0 does: names the attempt to each process that greets, until all have said that they heard it."""
    attempt = uuid.uuid4().hex
    missing = set(range(1, world))
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    while missing:
        for rank in sorted(missing):
            if store.check([f"detrt/greeting/{rank}"]):
                store.set(f"detrt/answer/{store.get(f'detrt/greeting/{rank}').decode()}", attempt)
            if store.check([f"detrt/heard/{attempt}/{rank}"]):
                missing.discard(rank)
        if time.monotonic() > deadline:
            raise DetrtError(f"process {min(missing)} of {world} has not come within {_PATIENCE}")
        time.sleep(0.02)
    return attempt


def _told(store: _Store, rank: int) -> str:
    """What the others do: greet with a word of their own, and wait for the answer to it."""
    greeting = uuid.uuid4().hex
    store.set(f"detrt/greeting/{rank}", greeting)
    try:
        attempt = str(store.get(f"detrt/answer/{greeting}"), "ascii")
    except dist.DistError:
        raise DetrtError(f"process {rank} has waited {_PATIENCE} for process 0 in vain") from None
    store.set(f"detrt/heard/{attempt}/{rank}", "yes")
    return attempt
