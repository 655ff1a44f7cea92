"""Generated models as torch modules, and what torch counts of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detc.codegen.model import model_source
from detc.compilation import compile_spec
from detc.semantics.program import Model


def compiled(path: Path, **sets: str) -> Model:
    done = compile_spec(path, None, sets)
    assert done.model is not None and done.fits, done.findings
    return done.model


def generated(model: Model, name: str = "Net") -> Any:
    """The class that the generated text defines."""
    source = model_source(model, name)
    scope: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), scope)
    return scope[name]


def torch_counts(model: Model) -> tuple[int, int]:
    """Parameters, and multiply-accumulates by torch's own counter, of the generated class."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        net = generated(model)().eval()
        with torch.no_grad(), FlopCounterMode(display=False) as flops:
            outputs = net(torch.empty(1, *model.graph.inputs[0].type.shape))
    check_shapes(model, outputs)
    return sum(p.numel() for p in net.parameters()), flops.get_total_flops() // 2


def check_shapes(model: Model, outputs: Any) -> None:
    graph = model.graph
    if not isinstance(outputs, dict):
        outputs = {next(iter(graph.outputs)): outputs}
    assert list(outputs) == list(graph.outputs)
    for name, value in outputs.items():
        shapes = [tuple(v.shape[1:]) for v in (value if isinstance(value, list) else [value])]
        assert shapes == [graph[n].type.shape for n in graph.outputs[name]], name


def expected_keys(model: Model) -> set[str]:
    """The keys of the state_dict: those of each layer that owns weights, under its name."""
    keys = set()
    for node in model.graph:
        held: Any = node.op
        if node.owns_weights:
            keys |= {f"{node.name}.{key}" for key in _keys(held)}
    return keys


def _keys(op: Any) -> tuple[str, ...]:
    if op.name in ("conv", "linear"):
        weights = ("weight_v", "weight_g") if getattr(op, "weight_norm", False) else ("weight",)
        return (*weights, "bias") if op.bias else weights
    mean = ("norm.running_mean",) if getattr(op, "norm", None) else ()
    return {
        "bn": ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"),
        "neuron.encode": ("bias", "threshold"),
        "neuron.sigma_delta": ("bias", "threshold", *mean),
        "neuron.cuba": ("current_decay", "voltage_decay", *mean),
        "unpool": ("weight_v", "weight_g"),
    }.get(op.name, ())
