"""Number formats: autocast in float stages where the machine is good at it, plain float32 in quantised ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from detrt.lock import Stage


def autocast_dtype(stage: Stage, device: torch.device, say: Callable[[str], None]) -> torch.dtype | None:
    """The dtype that `amp` asks for, or None for float32; tells `say` when the machine would only lose by it.

    A quantised stage has none, whatever the spec says: its integers are only exact in float32.
    """
    if stage.amp is None or stage.quantize.any():
        return None
    dtype = torch.bfloat16 if stage.amp == "bf16" else torch.float16
    if device.type == "cuda":
        if dtype is torch.bfloat16 and not torch.cuda.is_bf16_supported():
            say("this GPU has no bf16; training in float32")
            return None
        return dtype
    if not _cpu_is_good_at(dtype):
        say(f"this CPU is slow in {stage.amp}; training in float32")
        return None
    return dtype


def _cpu_is_good_at(dtype: torch.dtype) -> bool:
    capabilities = torch.backends.cpu.get_cpu_capability()
    bf16 = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    checks = bf16 if dtype is torch.bfloat16 else ("_is_amx_fp16_supported",)
    found = any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)
    return found and "AVX512" in capabilities


def place(model: nn.Module, device: torch.device, form: torch.memory_format) -> None:
    """Moves a model to a device and its four-dimensional weights into a memory format, in place."""
    model.to(device)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=form)


def exact_float32(exact: bool) -> None:
    """With `exact`, no TF32 and no reduced sums in matrix products; without, the GPU may use them."""
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cuda.matmul.allow_tf32 = not exact
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = not exact
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = not exact


def repeatable(seeded: bool) -> None:
    """With a seed the same kernels are chosen each time; without one the GPU picks the fastest by trying."""
    torch.backends.cudnn.deterministic = seeded
    torch.backends.cudnn.benchmark = not seeded
    torch.use_deterministic_algorithms(seeded, warn_only=True)
    # It only shows bugs, and costs a pass over every new tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
