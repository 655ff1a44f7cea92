"""The steps of a network as the lock plans them: kernels, tensors and modules by name, without a weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detrt.devices.stm32.program import Pair, Sides
from detrt.errors import DetrtError

SCHEMA = 1

WEIGHTED = ("conv", "depthwise", "dense")
MOVING = ("max_pool", "concat", "resize", "channels", "shuffle", "space_to_depth", "pad", "reorder")
"""Kernels whose output holds numbers of their inputs, or zeros, or means of neighbours: both share one Quant."""
KERNELS = (*WEIGHTED, "average_pool", "add", "mul", "table", *MOVING)


@dataclass(frozen=True, slots=True)
class Activation:
    """Its word in a spec, and its numbers: ("relu", (6.0,)), ("leaky", (0.1,)); a ReLU without a cap has (None,)."""

    name: str
    values: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One kernel. What a kernel has no use for keeps its default; the words are those of `program`.

    `module` and `norm` are torch modules. `reorder`: the columns of a linear layer's weights are the places of a map
    [channels, height, width], which lies in memory as [height, width, channels].
    """

    name: str
    kernel: str
    inputs: tuple[str, ...]
    output: str
    where: str = ""
    activation: Activation | None = None
    module: str = ""
    norm: str = ""
    eps: float = 1e-5
    weight_norm: bool = False
    reorder: tuple[int, int, int] | None = None
    k: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    factor: Pair = (1, 1)
    bilinear: bool = False
    first: int = 0
    count: int = 0
    every: int = 1
    block: int = 1
    order: tuple[Pair, ...] = ()
    axes: tuple[int, ...] = ()

    @property
    def clamps(self) -> bool:
        """True where the activation only holds the output to a narrower range."""
        return self.activation is not None and self.activation.name == "relu"

    @property
    def tabled(self) -> bool:
        """True where numbers are looked up in a table behind the sum; before that they have a Quant of their own."""
        return self.activation is not None and not self.clamps and self.kernel != "table"

    @property
    def before(self) -> str:
        """The name that the Quant before the table goes by."""
        return f"{self.output}.before"


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """`shape` [height, width, channels] or [features]; `quant` names the tensor whose Quant it has, itself as a rule."""

    shape: tuple[int, ...]
    quant: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`outputs`: tensors by the names of the model's outputs; `aliases`: tensors that are the bytes of another."""

    input: str
    outputs: Mapping[str, tuple[str, ...]]
    tensors: Mapping[str, PlanTensor]
    aliases: Mapping[str, str]
    steps: tuple[PlanStep, ...]

    def source(self, name: str) -> str:
        """The tensor that a step writes (or the input), of which `name` is another view or itself."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def quants(self) -> Iterator[tuple[str, str]]:
        """Each Quant that has to be measured: its name, and where in the spec its numbers are made ("" unknown)."""
        makers = {step.output: step for step in self.steps}
        own = dict.fromkeys(t.quant for t in self.tensors.values() if t.quant != self.tensors[self.input].quant)
        for name in own:
            yield name, makers[name].where if name in makers else ""
        for step in self.steps:
            if step.tabled:
                yield step.before, step.where


def read_plan(lock: Mapping[str, Any]) -> Plan:
    """The plan of a lock. DetrtError if the lock has none or it is damaged."""
    plan = lock.get("plan")
    if not plan:
        raise DetrtError("the lock has no plan for a microcontroller", "spec.lock.json", "build with --target")
    return plan_of(plan)


def plan_of(plan: Mapping[str, Any]) -> Plan:
    """`lock["plan"]` as a Plan. DetrtError if it is damaged."""
    try:
        return _checked(_read(plan))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DetrtError(f"the plan of the lock is damaged at {error}", "spec.lock.json", "build again") from error


def _read(plan: Mapping[str, Any]) -> Plan:
    if plan["schema"] != SCHEMA:
        raise ValueError(f"schema {plan['schema']}, not {SCHEMA}")
    tensors = {n: PlanTensor(_whole(t["shape"]), str(t.get("quant") or n)) for n, t in plan["tensors"].items()}
    outputs = {str(name): tuple(map(str, given)) for name, given in plan["outputs"].items()}
    aliases = {str(one): str(other) for one, other in plan.get("aliases", {}).items()}
    return Plan(str(plan["input"]), outputs, tensors, aliases, tuple(_step(s) for s in plan["steps"]))


def _whole(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


_WHOLE = ("groups", "first", "count", "every", "block")
_TUPLES = {"k": 2, "stride": 2, "pad": 4, "dilation": 2, "factor": 2, "reorder_weights": 3, "axes": None}


def _step(entry: Mapping[str, Any]) -> PlanStep:
    given: dict[str, Any] = {key: int(entry[key]) for key in _WHOLE if entry.get(key) is not None}
    for key, length in _TUPLES.items():
        if entry.get(key) is not None:
            values = _whole(entry[key])
            if length is not None and len(values) != length:
                raise ValueError(f"`{key}` of `{entry['name']}`")
            given["reorder" if key == "reorder_weights" else key] = values
    if entry.get("order") is not None:
        given["order"] = tuple((int(row), int(column)) for row, column in entry["order"])
    if entry.get("activation"):
        name, *values = entry["activation"]
        numbers = tuple(None if value is None else float(value) for value in values)
        given["activation"] = Activation(str(name), numbers)
    if entry["kernel"] not in KERNELS:
        raise ValueError(f"the kernel {entry['kernel']!r} of `{entry['name']}`")
    return PlanStep(
        name=str(entry["name"]),
        kernel=str(entry["kernel"]),
        inputs=tuple(map(str, entry["inputs"])),
        output=str(entry["output"]),
        where=str(entry.get("where") or ""),
        module=str(entry.get("module") or ""),
        norm=str(entry.get("norm") or ""),
        eps=float(entry.get("eps") or 1e-5),
        weight_norm=bool(entry.get("weight_norm")),
        bilinear=bool(entry.get("bilinear")),
        **given,
    )


def _checked(plan: Plan) -> Plan:
    """`plan`, if every step reads what the input, an alias or a step before it gives. ValueError otherwise."""
    made = {plan.input}
    for name, tensor in plan.tensors.items():
        if tensor.quant not in plan.tensors or not tensor.shape or min(tensor.shape) < 1:
            raise ValueError(f"the tensor `{name}`")
    for name in plan.aliases:
        seen = set()
        while name in plan.aliases:
            if name in seen or name not in plan.tensors:
                raise ValueError(f"the alias `{name}`")
            seen.add(name)
            name = plan.aliases[name]
    for step in plan.steps:
        count = {"add": 2, "mul": 2, "concat": len(step.inputs)}.get(step.kernel, 1)
        if len(step.inputs) != count:
            raise ValueError(f"the inputs of `{step.name}`")
        if step.output in made or step.output in plan.aliases or step.output not in plan.tensors:
            raise ValueError(f"the output of `{step.name}`")
        if not step.inputs or any(name not in plan.tensors or plan.source(name) not in made for name in step.inputs):
            raise ValueError(f"the inputs of `{step.name}`")
        made.add(step.output)
    if any(plan.source(name) not in made for given in plan.outputs.values() for name in given):
        raise ValueError("its outputs")
    return plan
