"""What a spec means once elaborated: models with their graphs, data sets, training stages, the target, what was
overridden.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Finding, Source, Span
from detc.ir.graph import Graph

if TYPE_CHECKING:
    from detc.importers.foreign import ForeignModel
    from detc.semantics.pruning.plan import Axis, Group


@dataclass(frozen=True, slots=True)
class Setting:
    """One resolved value and where it came from: "spec", "default", "--set" (or "inherited" from a train block or
    parent target).
    """

    name: str
    value: Any
    origin: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """`head gnetdet on grid { boxes = 2 }`: a decoder and loss by `kind`, the outputs it reads, its resolved
    options.
    """

    kind: str
    on: tuple[str, ...]
    options: dict[str, Any]
    span: Span | None = None
    option_spans: dict[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a model was pruned from `origin`: to `share` of its channels, in multiples of `multiple`, by which groups; `axes` are
    those of the state_dict that are cut."""

    origin: str
    share: Fraction
    multiple: int
    groups: tuple[Group, ...]
    axes: tuple[Axis, ...]


@dataclass(slots=True)
class Model:
    """`kind` is the base it extends: detector or classifier. `host` names nodes that the spec puts on the host."""

    name: str
    kind: str
    graph: Graph
    heads: list[Head]
    span: Span | None = None
    doc: str = ""
    host: frozenset[str] = frozenset()
    derived_from: str = ""
    """The model that this one was cut from (`model small = prune(big, ..)`), empty for a model of its own."""
    derivation: Derivation | None = None
    foreign: ForeignModel | None = None
    """The file that the graph was made from, where another tool's file was judged instead of a spec."""


@dataclass(frozen=True, slots=True)
class Data:
    """A data block: `format` (voc, coco, synthetic ..) and its resolved options as plain JSON values."""

    name: str
    format: str
    options: dict[str, Any]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training. `options` is the fully resolved mapping that goes into the lock file (see ir/lock.md)."""

    name: str
    train: str
    model: str
    kind: str
    options: dict[str, Any]
    span: Span | None = None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of a target: `op` is "=" for a plain value, else how it bounds ("<=", "==", "in"). `message` is its
    own else text.
    """

    name: str
    op: str
    value: Any
    span: Span
    source: str = ""
    placeholder: bool = False
    message: str = ""
    dimension: str = ""
    """What a number measures ("bytes", "hertz", "relative" ..); it is in the base unit."""


@dataclass(slots=True)
class Section:
    """A block of a target with its facts by name and its inner sections in order: `op conv { .. }` has kind op,
    label conv.
    """

    kind: str
    label: str
    span: Span
    facts: dict[str, Fact] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    source: str = ""
    placeholder: bool = False
    doc: str = ""

    def find(self, kind: str, label: str = "") -> Section | None:
        for section in self.sections:  # a loop: this is asked thousands of times a check
            if section.kind == kind and section.label == label:
                return section
        return None

    def all(self, kind: str) -> list[Section]:
        return [s for s in self.sections if s.kind == kind]


@dataclass(slots=True)
class Target:
    """A resolved target: `lineage` from itself to its root; `root.facts` its own values, limits under
    `root.find("limits")`.

    `limit NAME <= v` items are facts of a section of kind "limits"; so `target.limit("majors")` is that Fact.
    """

    name: str
    lineage: tuple[str, ...]
    root: Section
    span: Span | None = None
    doc: str = ""
    params: dict[str, Setting] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)

    def limit(self, name: str) -> Fact | None:
        limits = self.root.find("limits")
        return limits.facts.get(name) if limits else None

    def op(self, name: str) -> Section | None:
        return self.root.find("op", name)

    def placeholders(self) -> list[Fact]:
        """Every fact without a source."""

        def walk(section: Section) -> list[Fact]:
            own = [f for f in section.facts.values() if f.placeholder]
            return own + [f for s in section.sections for f in walk(s)]

        return walk(self.root)


@dataclass(frozen=True, slots=True)
class Gate:
    """A `require`: its condition as JSON (see ir/lock.md), the text as written, its message. `owner` is "spec", a
    deploy or a stage.
    """

    text: str
    condition: dict[str, Any]
    message: str
    span: Span | None
    owner: str = "spec"
    verdict: str = "unjudged"


@dataclass(slots=True)
class Deploy:
    name: str
    target: str
    model: str
    gates: list[Gate]
    options: dict[str, Any]
    span: Span | None = None


@dataclass(slots=True)
class Program:
    """The whole spec. Parts with mistakes are left out and their findings kept, so that all mistakes show at once."""

    name: str
    file: str
    sources: dict[str, Source] = field(default_factory=dict)
    params: dict[str, Setting] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    deploys: list[Deploy] = field(default_factory=list)
    target: Target | None = None
    gates: list[Gate] = field(default_factory=list)
    overrides: list[Setting] = field(default_factory=list)
    settings: dict[str, tuple[Setting, ...]] = field(default_factory=dict)
    """Resolved keys with their origins of data and deploy blocks, by `data.NAME` and `deploy.NAME`; stages hold
    their own.
    """
    findings: list[Finding] = field(default_factory=list)
