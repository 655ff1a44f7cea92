"""The network of a stage: its class, the weights it begins with, and what the device package makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from detrt.errors import DetrtError
from detrt.heads.detections import Detections
from detrt.lock import Lock, Stage
from detrt.train.checkpoint import check_fits
from detrt.train.contracts import Backend, Counts

ModelClasses = type[nn.Module] | Mapping[str, type[nn.Module]]
"""The generated class, or one for each model of the lock by name."""
Pictures = Callable[[int], Iterable[Tensor]]
"""Encoded batches of about so many training pictures, without augmentation; the same in every process."""


@dataclass(slots=True)
class Network:
    """`model` as it is trained; `scale` turns its outputs into the head's numbers (1 except in a folded stage).

    `caps` of its activations, by name of the relu node, or ends of the ranges of its tensors, where a calibration has
    measured them. `decode` finds what a device would find in a batch of outputs, where it has post-processing of its own.
    `penalties` gives what the stage adds to the loss of the forward pass just done; `counting` watches a model's activity.
    """

    model: nn.Module
    scale: float = 1.0
    caps: dict[str, float] | None = None
    decode: Callable[[Any], list[Detections]] | None = None
    penalties: Callable[[], dict[str, Tensor]] | None = None
    counting: Callable[[nn.Module], AbstractContextManager[Counts]] | None = None

    def head_values(self, outputs: Any) -> Any:
        """Outputs in float32, times `scale`."""
        if isinstance(outputs, Tensor):
            outputs = outputs.float()
            return outputs if self.scale == 1.0 else outputs * self.scale
        return {name: _each(value, self.scale) for name, value in outputs.items()}


def _each(value: object, scale: float) -> object:
    if isinstance(value, Tensor):
        return value.float() if scale == 1.0 else value.float() * scale
    return [_each(item, scale) for item in value] if isinstance(value, list | tuple) else value


def make_model(classes: ModelClasses, lock: Lock, name: str) -> nn.Module:
    """A new instance of the class of model `name`. Raises DetrtError if there is none, or if it is not the model of
    the lock.
    """
    if isinstance(classes, Mapping):
        if name not in classes:
            raise DetrtError(f"no class was given for the model `{name}`")
        kind = classes[name]
    else:
        kind = classes
    model = kind()
    expected = {node.module or node.name for node in lock.model_named(name).nodes if node.op in ("conv", "linear")}
    missing = sorted(expected - {module for module, _ in model.named_modules()})
    if missing:
        raise DetrtError(
            f"model.py and spec.lock.json do not belong together: {kind.__name__} has no layer {missing[0]}",
            remedy="build again, or undo the edit of model.py",
        )
    return model


def load_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Puts `weights`, read from `path`, into `model`. Raises CheckpointError with the keys that differ."""
    check_fits(model, weights, path)
    model.load_state_dict(weights)


def below(name: str, prefixes: Sequence[str]) -> bool:
    """True if `name` is one of `prefixes`, or stands below one."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def frozen(name: str, stage: Stage, epoch: int) -> bool:
    """True if the parameter `name` stands still in `epoch`."""
    until = stage.freeze.epochs
    if stage.heads is not None and below(name, stage.heads.idle):
        return True
    return below(name, stage.freeze.prefixes) and (until is None or epoch < until)


def quantise(
    model: nn.Module,
    lock: Lock,
    stage: Stage,
    caps: Mapping[str, float] | None,
    backend: Backend | None,
    begins: bool,
    pictures: Pictures,
) -> Network:
    """`model` as `stage` trains it. `begins` is true when its weights come from the stage before, false for the
    stage's own.

    Only at the beginning are channels rescaled and caps folded into the weights. Raises DetrtError for a quantised
    stage without a target.
    """
    if not stage.quantize.any() and stage.rescale is None:
        return Network(model)
    if backend is None:
        raise DetrtError(f"stage `{stage.id}` is quantised, but the lock has no target", remedy="build with --target")
    known, raw = dict(caps) if caps is not None else None, lock.raw_of(stage.model)
    if begins and stage.rescale is not None:
        backend.rescale(model, raw, pictures(stage.rescale.images))
    scale = 1.0
    if stage.quantize.folded:
        if known is None:
            raise DetrtError(f"stage `{stage.id}` folds caps, but no stage measured them")
        scale = backend.output_scale(raw, known)
        before = lock.stage_with_id(stage.start.stage) if stage.start else None
        if begins and (before is None or not before.quantize.folded):
            backend.fold(model, raw, known)
    if stage.quantize.any():
        model = backend.prepare(model, raw, stage.plain(), known)
    decoder, penalties = (getattr(backend, name, None) for name in ("decoder", "penalties"))
    return Network(
        model,
        scale,
        known,
        decoder(model, raw) if decoder is not None else None,
        penalties(model, stage.plain()) if penalties is not None else None,
        getattr(backend, "counting", None),
    )
