"""The whole lock: spec, models, data sets, stages, target and its plan."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import Field

from detrt.lock.data import Data
from detrt.lock.gate import Gate
from detrt.lock.identity import model_sha256
from detrt.lock.model import Model
from detrt.lock.part import Part
from detrt.lock.stage import Stage


class Spec(Part):
    name: str
    file: str = ""
    sha256: str = ""
    params: dict[str, Any] = {}
    overrides: dict[str, Any] = {}


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
    plans: dict[str, dict[str, Any]] = {}
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
        return self.stage_with_id(id).plain()

    def raw_of(self, model: str) -> dict[str, Any]:
        """The lock as it stands in the file, with `model` in the place of its own and the plan of that (null without one)."""
        if model == self.model.name:
            return self.raw
        return {**self.raw, "model": self.raw["models"][model], "plan": self.plans.get(model)}

    def raw_copy(self) -> dict[str, Any]:
        raw: dict[str, Any] = copy.deepcopy(self.raw)
        return raw

    def model_sha256(self, name: str) -> str:
        """Identity of a model: its nodes, input, outputs and the structure of its heads."""
        return model_sha256(self.model_named(name).model_dump(mode="json", by_alias=True))
