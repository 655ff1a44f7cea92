"""Stages and the target: those that quantise for another device are left out, and a calibration is added where one is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from detc.diagnostics import Related, Rule, Span
from detc.semantics.program import Fact, Program, Section, Setting, Stage

if TYPE_CHECKING:
    from detc.semantics.environment import Environment

FOREIGN = Rule(
    "TRN180",
    "warning",
    """the {what} {names} for another device than `{target}`, which knows {allowed}: left out of this build

    `quantize weights`, `activations` and `folded` with `calibrate caps` are those of the GTI 5801; `quantize int8` with
    `calibrate ranges` is that of microcontrollers; `quantize events` is that of Loihi 2. What starts from
    a stage that is left out is left out too.""",
    help="for `{target}`: {remedy}",
)
IMPLIED = Rule(
    "TRN181",
    "note",
    """no stage quantises `{model}` for `{target}`: a calibration `{name}` behind `{actual}` is added

    It measures the ranges of all tensors ({allowed}) on {images} and takes no step. Write it yourself to choose:
    `stage ptq {{ start = {actual}.best  calibrate ranges = percentile(99.99)  images = 500 }}`.""",
)
NO_PLAN = Rule(
    "TRN182",
    "note",
    """no target is chosen, so {names} can be checked, not trained

    A stage with `quantize events` runs the net as a target's plan lays it out in time.""",
    help="choose one: `--target kapoho_point`",
)
OTHER_MODEL = Rule(
    "TRN183",
    "error",
    """stage `{name}` runs model `{model}` in time, and deployed on `{target}` is {actual}

    A build has a plan for each model that a deploy block puts on the target. Others train at rest.""",
    help="leave `quantize events` out of this stage, or deploy `{model}`: `deploy NAME on {target} {{ model = {model} }}`",
)
RULES = (FOREIGN, IMPLIED, NO_PLAN, OTHER_MODEL)

IMAGES = 200
"""Pictures of a calibration that nobody wrote, unless the data names a share. A choice of ours."""
RANGES = {"name": "percentile", "q": 99.99, "choose": [99.9, 99.99, 100.0], "equalize": False, "correct_bias": False}
"""What it measures: of three percentiles the one that validates best, since nets differ in how much their outliers matter."""


def fit(scope: Environment) -> None:
    """Fits `program.stages` to `program.target`, by the target's section `stages`; nothing without one."""
    program = scope.context.program
    timed = [stage for stage in program.stages if stage.options["quantize"]["events"]]
    if program.target is None and timed:
        names = f"{'stages' if len(timed) > 1 else 'stage'} " + ", ".join(f"`{stage.name}`" for stage in timed)
        scope.context.report(NO_PLAN(timed[0].span, names=names))
    known = program.target.root.find("stages") if program.target else None
    if known is None:
        return
    own, foreign = _parted(program.stages, known)
    if foreign:
        _tell(foreign, known, program, scope)
        program.stages[:] = own
    _check_planned([stage for stage in own if stage.options["quantize"]["events"]], program, scope)
    word = known.facts.get("implied")
    if word is None or not str(word.value).isidentifier():
        return
    for model in dict.fromkeys(deploy.model for deploy in program.deploys):
        stage = _implied(str(word.value), model, program)
        if stage is None:
            continue
        program.stages.append(stage)
        options = stage.options
        images = f"{options['images']} training pictures" if options["images"] else "the data's `quantization_split`"
        assert program.target is not None
        scope.context.report(
            IMPLIED(
                stage.span,
                model=model,
                target=program.target.name,
                name=stage.name,
                images=images,
                actual=options["start"]["stage"].rpartition(".")[2],
                allowed=options["calibrate"]["ranges"]["name"],
            )
        )


def _check_planned(timed: list[Stage], program: Program, scope: Environment) -> None:
    """Stages that run in time are of the model that the target plans."""
    planned = dict.fromkeys(deploy.model for deploy in program.deploys)
    for stage in timed:
        if program.target is not None and planned and stage.model not in planned:
            actual = ", ".join(f"`{name}`" for name in planned)
            scope.context.report(
                OTHER_MODEL(stage.span, name=stage.name, model=stage.model, target=program.target.name, actual=actual)
            )


def _parted(stages: list[Stage], known: Section) -> tuple[list[Stage], list[Stage]]:
    """The stages that the target can run, and the others."""
    own: list[Stage] = []
    foreign: list[Stage] = []
    out: set[str] = set()
    for stage in stages:
        options = stage.options
        if any(not _knows(known, *word) for word in _words(options)) or out.intersection(_needed(options)):
            out.add(options["id"])
            foreign.append(stage)
        else:
            own.append(stage)
    return own, foreign


def _words(options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The quantising words of a stage: ("quantize", "int8"), ("calibrate", "caps")."""
    yield from (("quantize", word) for word, value in options["quantize"].items() if value)
    yield from (("calibrate", word) for word in options["calibrate"] or ())


def _needed(options: dict[str, Any]) -> Iterator[str]:
    quantize = options["quantize"]
    sources = (options["start"], quantize["activations"], quantize["int8"])
    return (source["stage"] for source in sources if source)


def _knows(known: Section, key: str, word: str) -> bool:
    fact = known.facts.get(key)
    return fact is not None and word in _words_of(fact)


def _words_of(fact: Fact) -> tuple[str, ...]:
    return tuple(map(str, fact.value)) if isinstance(fact.value, (list, tuple)) else (str(fact.value),)


def _tell(foreign: list[Stage], known: Section, program: Program, scope: Environment) -> None:
    """One finding for all of them, at the first word that the target does not know."""
    assert program.target is not None
    names = ", ".join(f"`{stage.name}`" for stage in foreign)
    facts = [known.facts[key] for key in ("quantize", "calibrate") if key in known.facts]
    allowed = ", ".join(f"`{fact.name} {word}`" for fact in facts for word in _words_of(fact))
    remedy = "write stages with these words, or leave it to the calibration that is added"
    if "implied" not in known.facts:
        remedy = "write stages with these words"
    related = tuple(Related(fact.span, "what the target knows") for fact in facts[:1])
    many = len(foreign) > 1
    scope.context.report(
        FOREIGN(
            _place(foreign[0], known),
            what="stages" if many else "stage",
            names=f"{names} {'are' if many else 'is'}",
            target=program.target.name,
            allowed=allowed or "no quantisation",
            remedy=remedy,
            related=related,
        )
    )


def _place(stage: Stage, known: Section) -> Span | None:
    for key, word in _words(stage.options):
        setting = next((setting for setting in stage.settings if setting.name == f"{key}.{word}"), None)
        if setting is not None and setting.span is not None and not _knows(known, key, word):
            return setting.span
    return stage.span


def _implied(name: str, model: str, program: Program) -> Stage | None:
    """The calibration behind the last training stage of `model`; None where a stage of it quantises, or nothing trains it."""
    stages = [stage for stage in program.stages if stage.model == model]
    if any(list(_words(stage.options)) for stage in stages):
        return None
    last = next((stage for stage in reversed(stages) if stage.kind in ("train", "prune")), None)
    if last is None:
        return None
    taken = {stage.name for stage in program.stages if stage.train == last.train}
    name = next(word for word in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if word not in taken)
    data = program.data.get(last.options["data"])
    share = data is not None and "quantization_split" in data.options["options"]
    options = last.options | {
        "name": name,
        "id": f"{last.train}.{name}",
        "kind": "calibrate",
        "start": {"stage": last.options["id"], "which": "best"},
        "pretrained": None,
        "load": [],
        "freeze": {"prefixes": [], "epochs": None},
        "epochs": 1,
        "start_epoch": 0,
        "images": None if share else IMAGES,
        "rescale": None,
        "amp": None,
        "calibrate": {"ranges": dict(RANGES)},
        "prune": None,
        "gates": [],
    }
    settings = (
        Setting("start", f"{last.name}.best", "default"),
        Setting("data", options["data"], "default"),
        Setting("images", options["images"], "default"),
        Setting("calibrate.ranges", {key: RANGES[key] for key in ("name", "q", "choose")}, "default"),
    )
    return Stage(name, last.train, model, "calibrate", options, last.span, settings)
