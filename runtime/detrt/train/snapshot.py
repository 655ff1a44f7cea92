"""The whole state of a training stage as tensors and JSON, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from detrt.train import randomness
from detrt.train.checkpoint import Checkpoint

if TYPE_CHECKING:
    from detrt.train.stages import TrainingStage

RESUMABLE = ("identity", "seed", "standing", "ema_steps", "scaler", "world", "data", "random")
"""What the state of a checkpoint that can be gone on from has."""


@dataclass(slots=True)
class Standing:
    """Where a stage stands. `epoch` and `step` say what comes next; the rest is what choosing and stopping early
    remember. `waited` is the number of epochs since the best one, `sums` the loss terms of the present epoch so far.
    """

    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    ended: str = ""
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)


def snapshot(training: TrainingStage) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint; every process has to take part, for each has random numbers of its own."""
    learner = training.learner
    everyone = training.processes.gather(randomness.capture(learner.device))
    tensors = {f"model/{name}": value for name, value in learner.model.state_dict().items()}
    if learner.ema is not None:
        tensors |= {f"ema/{name}": value for name, value in learner.ema.state_dict().items()}
    tensors |= {f"head/{name}": value for name, value in learner.head.state_dict().items()}
    tensors |= _moments(learner.optimizer, learner.named)
    for rank, (states, _) in enumerate(everyone):
        tensors |= {f"random/{rank}/{name}": value for name, value in states.items()}
    return tensors, {
        "identity": training.identity,
        "seed": training.seed,
        "standing": asdict(training.at),
        "ema_steps": learner.ema.steps if learner.ema else None,
        "scaler": learner.scaler.state_dict(),
        "world": training.processes.world,
        "data": training.data_hash,
        "random": [words for _, words in everyone],
    }


def put_back(training: TrainingStage, checkpoint: Checkpoint) -> None:
    """Everything that `snapshot` took. Tells if the data or the number of processes has changed since."""
    state, learner = checkpoint.state, training.learner
    training.at = Standing(**state["standing"])
    learner.model.load_state_dict(checkpoint.group("model"))
    if learner.ema is not None:
        learner.ema.load_state_dict(checkpoint.group("ema"), state["ema_steps"])
    learner.head.load_state_dict(checkpoint.group("head"))
    _put_back_moments(learner.optimizer, learner.named, checkpoint.group("optimizer"))
    if state["scaler"]:
        learner.scaler.load_state_dict(state["scaler"])
    if state["data"] != training.data_hash:
        training.progress.say("the data set has changed since the checkpoint: the run goes on, but is not the same run")
    rank, world = training.processes.rank, training.processes.world
    if state["world"] == world:
        randomness.restore(checkpoint.group(f"random/{rank}"), state["random"][rank], learner.device)
    else:
        training.progress.say(f"the checkpoint is of {state['world']} processes, this run has {world}")


def _moments(optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    return {
        f"optimizer/{key}/{name}": value
        for name, parameter in named.items()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _put_back_moments(
    optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter], saved: Mapping[str, Tensor]
) -> None:
    """Moments take the memory format of their parameters again: mixed formats give the same numbers, slower."""
    for path, value in saved.items():
        key, _, name = path.partition("/")
        parameter = named[name]
        alike = torch.empty_like(parameter, dtype=value.dtype) if value.shape == parameter.shape else value
        optimizer.state[parameter][key] = alike.copy_(value).detach().to(parameter.device)
