"""Reading `spec.lock.json`, the only contract between the compiler and this package.

The file is described in the compiler's `ir/lock.md`. Everything is checked once, here; what comes out is frozen and
typed. The raw mapping stays at hand for device packages, which read their own `plan`.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator

from detrt.errors import DetrtError

SCHEMA = 1


class LockError(DetrtError):
    """A lock that cannot be read, or that says something this version does not know."""


class Part(BaseModel):
    """Base of all parts: frozen; keys of later minor versions pass through untouched."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class Spec(Part):
    name: str
    file: str = ""
    sha256: str = ""
    params: dict[str, Any] = {}
    overrides: dict[str, Any] = {}


class Encoding(Part):
    """`u5`: the 8 to 5 bit step of the GTI 5801 (0..31); `affine`: (x / scale - mean) / std, lists a channel."""

    kind: Literal["u5", "affine"]


class Input(Part):
    name: str
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    dtype: str = "u8"
    order: Literal["bgr", "rgb", "ycrcb"] = "bgr"
    encoding: Encoding


class Node(Part):
    name: str
    op: str
    attributes: dict[str, Any] = {}
    inputs: list[str] = []
    shape: Any = None
    dtype: str = ""
    module: str | None = None


class Head(Part):
    kind: str
    on: list[str]
    options: dict[str, Any] = {}


class Model(Part):
    name: str
    class_name: str = Field(alias="class")
    kind: str = "detector"
    input: Input
    nodes: list[Node]
    outputs: dict[str, list[str]]
    heads: list[Head] = []

    def classes(self) -> list[str]:
        """Class names as the first head has them."""
        for head in self.heads:
            names = head.options.get("names")
            if names:
                return [str(name) for name in names]
        return []


class Data(Part):
    format: str
    root: str | None = None
    classes: list[str] | None = None
    train: Any = None
    val: Any = None
    test: Any = None
    options: dict[str, Any] = {}


class Start(Part):
    stage: str
    which: Literal["best", "last"] = "best"


class Freeze(Part):
    prefixes: list[str] = []
    epochs: int | None = None


class Optimizer(Part):
    name: Literal["sgd", "adamw", "adam"] = "sgd"
    lr: float = Field(default=1e-3, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    l2: Literal["loss", "optimizer"] = "optimizer"


class Schedule(Part):
    """Epochs all; `floor` is a fraction of the learning rate, `warmup_from` a learning rate."""

    name: Literal["constant", "step", "multistep", "cosine"] = "constant"
    every: PositiveInt | None = None
    milestones: list[int] = []
    gamma: float = 0.1
    floor: float = Field(default=0.0, ge=0, le=1)
    warmup: int = Field(default=0, ge=0)
    warmup_from: float = 1e-10


class Init(Part):
    convs: Literal["kaiming", "data"] = "kaiming"
    head_bias: float | None = None


class Rescale(Part):
    images: PositiveInt = 64


class EarlyStop(Part):
    patience: PositiveInt


class ActivationSource(Part):
    stage: str


class Quantize(Part):
    weights: str | None = None
    activations: ActivationSource | None = None
    folded: str | None = None

    def any(self) -> bool:
        return bool(self.weights or self.activations or self.folded)


class Caps(Part):
    """`q` is the percentile of the conv outputs; with `choose`, the one of the list that validates best is taken."""

    name: str = "percentile"
    q: float = Field(default=99.0, gt=0, le=100)
    choose: list[float] | None = None


class Calibrate(Part):
    caps: Caps = Caps()


class Gate(Part):
    """`condition` is an EXPR of the lock; its form is checked here, what it asks for is judged after a stage."""

    text: str
    condition: dict[str, Any]
    message: str = ""
    verdict: str = "unjudged"

    @field_validator("condition")
    @classmethod
    def _well_formed(cls, condition: dict[str, Any]) -> dict[str, Any]:
        _check_condition(condition)
        return condition


class Stage(Part):
    name: str
    train: str = ""
    id: str
    model: str
    data: str
    kind: Literal["train", "calibrate"] = "train"
    start: Start | None = None
    load: list[str] = []
    freeze: Freeze = Freeze()
    epochs: int = Field(default=1, ge=0)
    batch: PositiveInt = 16
    images: PositiveInt | None = None
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augment: list[dict[str, Any]] = []
    loss: dict[str, Any] = {}
    init: Init = Init()
    rescale: Rescale | None = None
    ema: float | None = Field(default=None, gt=0, lt=1)
    amp: Literal["bf16", "fp16"] | None = None
    clip: float | None = Field(default=None, gt=0)
    channels_last: bool = True
    validate_every: PositiveInt = 1
    save_every: PositiveInt | None = None
    choose: Literal["map50", "map", "loss"] = "map50"
    early_stop: EarlyStop | None = None
    score: Literal["coco", "pycocotools", "voc", "voc2007"] = "coco"
    seed: int | None = 0
    quantize: Quantize = Quantize()
    calibrate: Calibrate | None = None
    gates: list[Gate] = []


class Target(Part):
    name: str
    lineage: list[str] = []
    facts: dict[str, Any] = {}


class Lock(Part):
    schema_number: int = Field(alias="schema")
    detc: str = ""
    spec: Spec
    model: Model
    models: dict[str, Model] = {}
    data: dict[str, Data] = {}
    stages: list[Stage] = []
    target: Target | None = None
    plan: dict[str, Any] | None = None
    gates: list[Gate] = []
    raw: dict[str, Any] = Field(default={}, exclude=True, repr=False)

    def model_named(self, name: str) -> Model:
        if name == self.model.name:
            return self.model
        return self.models[name]

    def stage_with_id(self, id: str) -> Stage:
        return next(stage for stage in self.stages if stage.id == id)

    def raw_stage(self, id: str) -> dict[str, Any]:
        """A deep copy of the stage as it stands in the file, with every default filled in."""
        plain: dict[str, Any] = self.stage_with_id(id).model_dump(mode="json", by_alias=True)
        return plain

    def raw_copy(self) -> dict[str, Any]:
        raw: dict[str, Any] = copy.deepcopy(self.raw)
        return raw

    def model_sha256(self, name: str) -> str:
        """Identity of a model: its nodes, input, outputs and the structure of its heads."""
        model = self.model_named(name).model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(_without_spans(model), sort_keys=True).encode()).hexdigest()


def _check_condition(expr: Any, depth: int = 0) -> None:
    """Raises ValueError, which pydantic puts beside the key, if `expr` is no EXPR."""
    if not isinstance(expr, dict) or depth > 50:
        raise ValueError("expected an expression" if depth <= 50 else "nested too deeply")
    match expr:
        case {"value": bool() | int() | float() | str() | None, **rest} if set(rest) <= {"unit"}:
            parts: list[Any] = []
        case {"name": str(), **rest} if not rest:
            parts = []
        case {"call": str(), "args": list(args), "kwargs": dict(kwargs), **rest} if not rest:
            parts = [*args, *kwargs.values()]
        case {"op": "not" | "neg", "operand": operand, **rest} if not rest:
            parts = [operand]
        case {"op": str(), "left": left, "right": right, **rest} if not rest:
            parts = [left, right]
        case _:
            raise ValueError(f"no expression has the keys {', '.join(sorted(map(str, expr))) or 'of nothing'}")
    for part in parts:
        _check_condition(part, depth + 1)


def read_lock(path: Path) -> Lock:
    """The lock at `path`. Raises LockError, with the key at fault, for anything that is not a lock of schema 1."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LockError(f"{path} does not exist", remedy="run `detc build SPEC` to write it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}") from None
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise LockError(f"{path} is not JSON: {error}", remedy="run `detc build SPEC` to write it again") from None
    return parse_lock(raw, str(path))


def parse_lock(raw: Any, name: str = "spec.lock.json") -> Lock:
    """A lock from its JSON value; `name` is used in messages."""
    if not isinstance(raw, dict):
        raise LockError(f"{name} holds {type(raw).__name__}, not an object")
    schema = raw.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        found = "has no schema number" if schema is None else f"has schema {schema!r}"
        raise LockError(
            f"{name} {found}; this detrt reads schema {SCHEMA}", remedy="build again with the detc of this package"
        )
    try:
        lock = Lock.model_validate({**raw, "raw": raw})
    except ValidationError as error:
        lines = [
            f"  {_path(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False, include_context=False)
        ]
        raise LockError(f"{name} is not a valid lock:\n" + "\n".join(lines)) from None
    _check_references(lock, name)
    return lock


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _check_references(lock: Lock, name: str) -> None:
    """Stages name models, data and earlier stages that exist."""
    seen: set[str] = set()
    for number, stage in enumerate(lock.stages):
        where = f"stages[{number}] ({stage.id})"
        if stage.id in seen:
            raise LockError(f"{name}: {where} has the id of an earlier stage")
        if stage.model != lock.model.name and stage.model not in lock.models:
            raise LockError(f"{name}: {where} trains the unknown model {stage.model!r}")
        if stage.data not in lock.data:
            raise LockError(f"{name}: {where} reads the unknown data {stage.data!r}")
        for other in earlier_stages(stage):
            if other not in seen:
                raise LockError(f"{name}: {where} needs {other!r}, which is no earlier stage")
        seen.add(stage.id)


def earlier_stages(stage: Stage) -> Iterator[str]:
    """Ids of the stages whose results `stage` reads."""
    if stage.start is not None:
        yield stage.start.stage
    if stage.quantize.activations is not None:
        yield stage.quantize.activations.stage


def _without_spans(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_spans(item) for key, item in value.items() if key not in ("span", "raw")}
    if isinstance(value, list):
        return [_without_spans(item) for item in value]
    return value
