"""The YOLO head of lava-dl's sigma-delta nets: maps with anchors, perhaps with a time axis (lava-nc/lava-dl@d825ac5,
object_detection/yolo_base.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from detrt.errors import DetrtError
from detrt.heads.base import Head, Reduce, maps_of
from detrt.heads.darknet import laid_out
from detrt.heads.detections import Detections
from detrt.heads.overlap import ciou, corners
from detrt.heads.sdnn_target import SdnnTarget, assign
from detrt.heads.yolo_decode import decode_sdnn, paired
from detrt.heads.yolo_options import SdnnLoss, SdnnOptions, read_sdnn

TERMS = ("coord", "obj", "noobj", "cls", "iou")


class YoloSdnnHead(Head):
    """Reads one map or a list of maps [n, A * (5 + classes), rows, columns], with steps [.., T] where the model has clips.
    The truth [n, G, 5] holds at all steps; [n, T, G, 5] is that of each step. Where `head` names `maps`, only those are read: the
    others of the list neither learn nor find anything.
    """

    kind = "yolo_sdnn"

    def __init__(self, head: Mapping[str, Any], loss: Mapping[str, Any]) -> None:
        super().__init__(head)
        self.options: SdnnOptions
        self.options, self._loss = read_sdnn(head.get("options") or {}, loss)
        self._maps = _chosen(head.get("maps"), len(self.options.anchors))
        if self._maps is not None:
            self.options = replace(self.options, anchors=tuple(self.options.anchors[number] for number in self._maps))
        self._last: dict[str, Tensor] = {}

    def loss(
        self, outputs: Any, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """`coord`, `obj`, `noobj`, `cls`, `iou`: means over the global batch's places at each step and map, summed over
        maps, and averaged over steps.

        Upstream adds the steps up; their mean keeps the learning rate independent of the clip's length. A mean over no
        places is 0 (upstream: not a number, and the batch is skipped).
        """
        (maps,) = maps_of(outputs, self.on)
        maps = self._of_these(maps)
        options = self.options
        steps = maps[0].shape[4] if maps[0].ndim == 5 else 1
        pairs = paired([_frames(map, steps) for map in maps], options.anchors, self.kind)
        truth = targets if targets.ndim == 4 else targets[:, None]
        if truth.ndim != 4 or truth.shape[1] not in (1, steps):
            raise DetrtError(f"the targets {tuple(targets.shape)} are not those of {steps} steps", "targets")
        found = assign(
            truth.detach().to("cpu", torch.float32).flatten(0, 1).numpy(),
            [(map.shape[2], map.shape[3]) for map, _ in pairs],
            options.anchors,
            self._loss.tgt_iou_thr,
        )
        repeats = steps // truth.shape[1]
        with torch.autocast(targets.device.type, enabled=False):
            sums, counts = [], []
            for (map, anchors), target in zip(pairs, found, strict=True):
                raw = laid_out(map, len(anchors), options.classes, self.kind)
                each, count = sdnn_loss(raw, target, raw.new_tensor(anchors), options.clamp, self._loss, steps, repeats)
                sums.append(each)
                counts.append(count)
            norms = torch.stack(counts)
            norms = (reduce(norms) if reduce is not None else norms).clamp_min(1)
            terms = {}
            for name in TERMS:
                by = norms[:, 1] if name == "noobj" else norms[:, 0]
                terms[name] = (torch.stack([each[name] for each in sums]) / by).sum() / steps
        if update:
            self._last = {name: value.detach() for name, value in terms.items()}
        return terms

    def track(self, step: int) -> dict[str, float] | None:
        """The terms of the last loss of training, every `track_iter` steps; else None."""
        every = self._loss.track_iter
        if every is None or step % every or not self._last:
            return None
        return {name: float(value) for name, value in self._last.items()}

    def decode_one(self, outputs: Mapping[str, list[NDArray[np.float32]]], options: Any) -> Detections:
        return decode_sdnn(self._of_these(outputs[self.on[0]]), options)

    def _of_these(self, maps: Sequence[Any]) -> list[Any]:
        """The maps that are read."""
        if self._maps is None:
            return list(maps)
        if max(self._maps) >= len(maps):
            raise DetrtError(
                f"there is no map {max(self._maps)} among the {len(maps)} that the model gives", "heads.maps"
            )
        return [maps[number] for number in self._maps]


def _chosen(maps: Any, count: int) -> list[int] | None:
    """The numbers of the maps that are read; None for all."""
    if maps is None:
        return None
    if not maps or not all(isinstance(number, int) and 0 <= number < count for number in maps):
        raise DetrtError(f"{maps} are no numbers of the {count} maps of the head", "heads.maps")
    return list(maps)


def sdnn_loss(
    raw: Tensor, target: SdnnTarget, anchors: Tensor, clamp: float, weights: SdnnLoss, steps: int, repeats: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted sums of one map by name, float [steps] each, and the counts they are to be divided by, float [2, steps]:
    places with an object, and without one. `raw` [n * steps, A, rows, columns, 5 + classes], `anchors` [A, 2] in cells.
    `target` is that of n * steps / repeats pictures: each stands for `repeats` steps.

    coord: mean squared error of the sigmoids of x and y and of raw w and h against the place in the cell and
    log(size / anchor). obj: cross entropy of the confidence against 1 - alpha + alpha * CIoU, at least 1 - alpha, which
    takes no gradient; noobj: against 0. cls: cross entropy with smoothed labels. iou: (1 - CIoU)^2 of the boxes, whose
    exponent is bounded by `clamp`.
    """
    device = raw.device
    places = torch.from_numpy(target.places).to(device)
    frames = torch.arange(repeats, device=device)
    first = (places[:, 0, None] * repeats + frames).flatten()
    at = (first, *(places[:, axis].repeat_interleave(repeats) for axis in (1, 2, 3)))
    box = torch.from_numpy(target.boxes).to(raw).repeat_interleave(repeats, 0)
    labels = torch.from_numpy(target.labels).to(device).repeat_interleave(repeats)
    free = torch.from_numpy(target.state == 0).to(device).repeat_interleave(repeats, 0)

    def by_step(values: Tensor, frame: Tensor) -> Tensor:
        return raw.new_zeros(steps).index_add(0, frame % steps, values)

    picked, anchor = raw[at], anchors[at[1]]
    xy = picked[:, :2].sigmoid()
    aim = torch.cat([box[:, :2], (box[:, 2:] / anchor).log()], 1)
    off = (torch.cat([xy, picked[:, 2:4]], 1) - aim).square().mean(1)
    size = picked[:, 2:4].clamp_max(clamp).exp() * anchor
    overlap = ciou(corners(torch.cat([xy, size], 1)), corners(box))
    goal = (1 - weights.alpha_iou) + weights.alpha_iou * overlap.detach().clamp_min(0)
    object = binary_cross_entropy_with_logits(picked[:, 4], goal, reduction="none")
    classes = cross_entropy(picked[:, 5:], labels, reduction="none", label_smoothing=weights.label_smoothing)
    nothing = binary_cross_entropy_with_logits(raw[..., 4], torch.zeros_like(raw[..., 4]), reduction="none")
    everywhere = torch.arange(len(raw), device=device)
    sums = {
        "coord": weights.coord * by_step(off, at[0]),
        "obj": weights.obj * by_step(object, at[0]),
        "noobj": weights.noobj * by_step((nothing * free).sum((1, 2, 3)), everywhere),
        "cls": weights.cls * by_step(classes, at[0]),
        "iou": weights.iou * by_step((1 - overlap).square(), at[0]),
    }
    counts = torch.stack([by_step(torch.ones_like(off), at[0]), by_step(free.to(raw).sum((1, 2, 3)), everywhere)])
    return sums, counts


def _frames(map: Tensor, steps: int) -> Tensor:
    """[n * steps, channels, rows, columns] of a map that may have steps. Raises DetrtError where maps differ in them."""
    if (map.shape[4] if map.ndim == 5 else 1) != steps:
        raise DetrtError("the maps of the head have different numbers of steps", "model.heads.yolo_sdnn")
    return map.movedim(4, 1).flatten(0, 1) if map.ndim == 5 else map
