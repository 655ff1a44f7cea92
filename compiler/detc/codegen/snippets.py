"""Short helpers that the head of model.py defines where the net needs them, by the name it calls them by."""

from __future__ import annotations

HELPER_TEXTS = {
    "prior": '''
def prior(layer: nn.Conv2d | nn.Linear, bias: float) -> nn.Conv2d | nn.Linear:
    """`layer` with every bias set: what a head says before it has learned anything."""
    nn.init.constant_(layer.bias, bias)
    return layer
''',
    "begun": '''
def begun(layer: nn.Conv2d | nn.Linear, std: float = 0.01, bias: float = 0.0) -> nn.Conv2d | nn.Linear:
    """`layer` with weights drawn from a normal distribution and every bias set."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)
    return layer
''',
    "space_to_depth": '''
def space_to_depth(x: Tensor, block: int = 2, order: str = "rows") -> Tensor:
    """Each `block` x `block` square as channels: those of its top left, then of the others by rows or columns."""
    n, c, h, w = x.shape
    cells = x.view(n, c, h // block, block, w // block, block)
    axes = (0, 3, 5, 1, 2, 4) if order == "rows" else (0, 5, 3, 1, 2, 4)
    return cells.permute(axes).reshape(n, block * block * c, h // block, w // block)
''',
    "PaddedConv2d": '''
class PaddedConv2d(nn.Conv2d):
    """A convolution with `end` more rows of zeros below the map and columns to its right."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, end: tuple[int, int] = (1, 1), **options):
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.end
        return super().forward(F.pad(x, (0, columns, 0, rows)))
''',
    "PaddedMaxPool2d": '''
class PaddedMaxPool2d(nn.MaxPool2d):
    """Max pooling with `end` more rows below the map and columns to its right, which never win."""

    def __init__(self, kernel_size: int, end: tuple[int, int] = (1, 1), **options: int) -> None:
        super().__init__(kernel_size, **options)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.end
        return super().forward(F.pad(x, (0, columns, 0, rows), value=float("-inf")))
''',
    "Holder": '''
class Holder(nn.Module):
    """Modules by name, also by names that nn.ModuleDict has methods of."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
''',
}
