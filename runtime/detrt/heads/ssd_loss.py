"""The loss of an SSD head: classes of the positive priors and of the hardest negatives, offsets of the positive ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, smooth_l1_loss

from detrt.heads.ssd_options import LossOptions


def ssd_loss(loc: Tensor, conf: Tensor, targets: Tensor, options: LossOptions) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted sums by name, not yet divided, and the number of positive priors they are to be divided by.

    `loc` [n, P, 4], `conf` [n, P, classes + 1] logits with the background first, `targets` [n, P, 6]: class number from
    1, IoU, offsets (SsdHead.targets). Cross entropy and smooth L1 are summed (qfgaohao/pytorch-ssd,
    nn/multibox_loss.py; Liu et al., SSD, 2016, section 2.2).
    """
    positive = targets[..., 1] >= options.iou
    labels = torch.where(positive, targets[..., 0], 0).long()
    counted = positive | hardest_negatives(conf, positive, options.neg_ratio)
    sums = {
        "cls": options.cls * cross_entropy(conf[counted], labels[counted], reduction="sum"),
        "loc": options.loc * smooth_l1_loss(loc[positive], targets[..., 2:][positive], reduction="sum"),
    }
    return sums, positive.sum()


@torch.no_grad()
def hardest_negatives(conf: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """bool [n, P]: of each picture's other priors the `ratio` times as many as it has positive ones that are least sure
    of the background, by -log p(background); of equals the first.
    """
    surprise = conf.logsumexp(-1) - conf[..., 0]
    order = surprise.masked_fill(positive, -torch.inf).argsort(dim=1, descending=True, stable=True)
    wanted = positive.sum(1, keepdim=True) * ratio
    early = torch.arange(order.shape[1], device=order.device) < wanted
    return torch.zeros_like(positive).scatter_(1, order, early) & ~positive
