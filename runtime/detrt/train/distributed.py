"""The processes of one run under torchrun: who I am, sums over all, and one place that starts and ends the group."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from detrt.errors import DetrtError
from detrt.train.rendezvous import fresh_store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """`rank` of `world` processes; process 0 prints and writes."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """`value` summed over all processes, in place."""
        if self.world > 1:
            dist.all_reduce(value)
        return value

    def gather(self, value: Any) -> list[Any]:
        """`value` of every process, in order of rank, in every process."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def share(self, value: Any) -> Any:
        """Process 0's `value` in every process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device if self.device.type == "cuda" else None)
        return box[0]

    def first_does(self, work: Callable[[], T]) -> T:
        """What `work` gives in process 0, in every process: only its disk needs to have the run. A DetrtError is
        raised in all.
        """
        if self.world == 1:
            return work()
        done: tuple[T | None, DetrtError | None] = (None, None)
        if self.first:
            try:
                done = (work(), None)
            except DetrtError as refusal:
                done = (None, refusal)
        value, problem = self.share(done)
        if problem is not None:
            raise problem
        return cast(T, value)

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def process_group(device: str | None) -> Iterator[Processes]:
    """The processes that torchrun announces in the environment: nccl between GPUs, gloo between CPUs; alone without
    torchrun.

    `device` is `cpu`, `cuda`, `cuda:1` or None for the best there is.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = _device(device, local, world)
    if chosen.type == "cuda":  # without it cuBLAS may sum in another order each time
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    store = fresh_store(rank, world)
    known = {} if store is None else {"store": store, "rank": rank, "world_size": world}
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(minutes=30), **known)
    try:
        yield Processes(rank, world, chosen)
    except RuntimeError as error:
        if not _lost_a_process(error):
            raise
        raise DetrtError(
            "another process of this run is gone",
            f"process {rank} of {world}",
            "go on with --resume; with torchrun --max-restarts=N it goes on by itself",
        ) from None
    finally:
        dist.destroy_process_group()


def _lost_a_process(error: RuntimeError) -> bool:
    """True for what gloo and nccl raise when a peer has died; gloo has no class of its own for it."""
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "Connection closed by peer" in str(error)


def _device(name: str | None, local: int, world: int) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise DetrtError(f"--device {name}: no such device", remedy="cpu, cuda, or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise DetrtError(f"--device {name}: training runs on cpu and cuda")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise DetrtError(
                f"--device {name}: this torch sees no GPU", remedy="--device cpu, or a CUDA build of torch"
            )
        if device.index is None or world > 1:
            device = torch.device("cuda", local)
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise DetrtError(f"process {local} has no GPU of its own: this machine has {torch.cuda.device_count()}")
    return device
