"""The loss of a GNetDet head with its moving normaliser (GNetDet MDK, loss.py), in torch without a loop over pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from detrt.heads.gnetdet_options import HeadOptions, LossOptions

Reduce = Callable[[Tensor], Tensor]
TERMS = ("loc", "contain", "not_contain", "noobj", "cls")
TINY = 1e-8


class GnetdetLoss(nn.Module):
    """Smooth-L1 terms, summed over this process's pictures and divided by one normaliser that follows the count of
    object cells.

    Buffer `norm` float64 [1]: the normaliser, 0 before the first call where it starts at the first batch's count.
    """

    norm: Tensor
    class_weights: Tensor | None

    def __init__(self, head: HeadOptions, options: LossOptions) -> None:
        super().__init__()
        self.head = head
        self.options = options
        self.register_buffer("norm", torch.tensor([options.norm_init or 0.0], dtype=torch.float64))
        weights = options.class_weights
        self.register_buffer("class_weights", None if weights is None else torch.tensor(weights), persistent=False)

    def forward(
        self, outputs: Tensor, targets: Tensor, reduce: Reduce | None = None, update: bool = True
    ) -> dict[str, Tensor]:
        """Weighted, normalised terms by name; their sum is the loss.

        `outputs` and `targets` [n, rows, columns, boxes * 5 + classes]. `reduce` sums a tensor over processes:
        the normaliser then counts the object cells of the global batch, and the terms of all processes add up
        to its loss. `update` moves the normaliser first.
        """
        sums, count = self._sums(outputs.float(), targets)
        if update:
            self._move(reduce(count) if reduce is not None else count)
        norm = self.norm.to(torch.float32).clamp_min(TINY)[0]
        return {name: getattr(self.options, name) * sums[name] / norm for name in TERMS}

    def _move(self, count: Tensor) -> None:
        count = count.detach().to(torch.float64).clamp_min(1.0).reshape(1)
        momentum = self.options.norm_momentum
        moved = momentum * self.norm + (1 - momentum) * count
        if self.options.norm_init is None:
            moved = torch.where(self.norm == 0, count, moved)
        self.norm.copy_(moved)

    def _sums(self, outputs: Tensor, targets: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        boxes = self.head.boxes
        outputs = outputs + TINY
        has_object = targets[..., 4] > 0
        confidence = outputs[..., 4 : boxes * 5 : 5]
        noobj = smooth_l1_loss(confidence, torch.zeros_like(confidence), reduction="none").sum(-1)

        cells, wanted = outputs[has_object], targets[has_object]
        slots, aims = (t[:, : boxes * 5].reshape(-1, boxes, 5) for t in (cells, wanted))
        iou = self._iou(slots[..., :4], aims[:, :1, :4])
        best, responsible = iou.max(dim=1)
        if self.options.detach_iou:
            best = best.detach()
        chosen = responsible[:, None, None].expand(-1, 1, 5)
        slot, aim = slots.gather(1, chosen)[:, 0], aims.gather(1, chosen)[:, 0]
        others = slots[..., 4].scatter(1, responsible[:, None], 0.0)
        eps = self.options.sqrt_eps
        place = smooth_l1_loss(slot[:, :2], aim[:, :2], reduction="sum")
        extent = smooth_l1_loss(torch.sqrt(slot[:, 2:4] + eps), torch.sqrt(aim[:, 2:4] + eps), reduction="sum")
        classes = smooth_l1_loss(cells[:, boxes * 5 :], wanted[:, boxes * 5 :], reduction="none")
        if self.class_weights is not None:
            # a rare class weighs more both where it is and where it is mistaken for
            classes = classes * self.class_weights
        sums = {
            "loc": place + extent,
            "contain": smooth_l1_loss(slot[:, 4], best, reduction="sum"),
            "not_contain": smooth_l1_loss(others, torch.zeros_like(others), reduction="sum"),
            "noobj": (noobj * ~has_object).sum(),
            "cls": classes.sum(),
        }
        return sums, has_object.sum()

    def _iou(self, slots: Tensor, aims: Tensor) -> Tensor:
        """IoU of boxes [n, boxes, 4] with targets [n, 1, 4]; centres in grid cells, sizes as shares of the picture."""
        cells = slots.new_tensor([self.head.grid[1], self.head.grid[0]])
        low_a, high_a = slots[..., :2] / cells - 0.5 * slots[..., 2:], slots[..., :2] / cells + 0.5 * slots[..., 2:]
        low_b, high_b = aims[..., :2] / cells - 0.5 * aims[..., 2:], aims[..., :2] / cells + 0.5 * aims[..., 2:]
        side = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp_min(0)
        inner = side.prod(-1)
        union = (high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - inner
        return inner / union
