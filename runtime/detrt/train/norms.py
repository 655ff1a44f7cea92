"""Batch norms that see the whole global batch, so that two processes learn what one does."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed.nn.functional
from torch import Tensor, nn

from detrt.layers.neurons import MeanOnly
from detrt.train.distributed import Processes


def _sum(value: Tensor) -> Tensor:
    """`value` summed over all processes; gradients flow back to each."""
    total: Tensor = torch.distributed.nn.functional.all_reduce(value)  # type: ignore[no-untyped-call]
    return total


class SharedBatchNorm2d(nn.BatchNorm2d):
    """A batch norm whose statistics are those of the whole global batch; torch's own is for GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        count = _sum(x.new_tensor(x.numel() / x.shape[1]))
        mean = _sum(x.sum((0, 2, 3))) / count
        centred = x - mean.reshape(1, -1, 1, 1)
        variance = _sum(centred.square().sum((0, 2, 3))) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
                self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), share)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        result: Tensor = centred * scale.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)
        return result


def share_norms(model: nn.Module, processes: Processes) -> nn.Module:
    """Lets every batch norm see the global batch; names and parameters stay. On GPUs with torch's own kernel, which gives
    other modules back; elsewhere in place.
    """
    if processes.world == 1:
        return model
    if processes.device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    for module in model.modules():
        if type(module) is nn.BatchNorm2d and module.affine:
            module.__class__ = SharedBatchNorm2d
    return model


def hold_norms(model: nn.Module, stands_still: Callable[[str], bool]) -> None:
    """Puts the norms whose names `stands_still` into evaluation mode: a frozen part keeps its statistics too."""
    for name, module in model.named_modules():
        if isinstance(module, (nn.modules.batchnorm._BatchNorm, MeanOnly)) and stands_still(name):
            module.eval()
