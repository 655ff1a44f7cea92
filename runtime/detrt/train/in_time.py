"""Outputs of a net that ran in time, as those of the pictures that its batch has entries for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from detrt.data.loader import Batch


def frame_by_frame(outputs: Any, batch: Batch) -> Any:
    """Tensors [n, .., steps], in lists and by name as the model gives them: of clips [n * steps, ..], frame by frame; of
    pictures that are held [n, ..], those of the last step, when the neurons have settled. Without steps as they are.
    """
    if batch.steps is None:
        return outputs
    if isinstance(outputs, Tensor):
        return outputs.movedim(-1, 1).flatten(0, 1) if batch.of_clips else outputs[..., -1]
    if isinstance(outputs, Mapping):
        return {name: frame_by_frame(value, batch) for name, value in outputs.items()}
    return [frame_by_frame(value, batch) for value in outputs]
