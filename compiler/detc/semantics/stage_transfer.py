"""Weights that a stage takes from a file: which files those can be, and whether they saw pictures like the model's."""

from __future__ import annotations

from pathlib import PurePath

from detc.diagnostics import Related, Rule
from detc.semantics.reading import Reader
from detc.semantics.stage_draft import Draft
from detc.semantics.stage_rules import CONTRADICTION, NO_EFFECT

SUFFIXES = (".pt", ".pth", ".safetensors", ".onnx")

NO_WEIGHTS = Rule(
    "TRN170",
    "error",
    """stage `{name}` cannot begin with `{actual}`: weights are read from {allowed} files

    A state dict that torch saved (.pt, .pth), safetensors, or the initialisers of an ONNX file. detc ships no weights: the file
    is yours, and its path is relative to where the data roots are, or absolute.""",
    help="save the weights as one of these, for example torch.save(model.state_dict(), 'weights.pt')",
)
OTHER_CHANNELS = Rule(
    "TRN171",
    "error",
    """the weights of stage `{name}` were trained on pictures of {actual} channels, the input of model `{model}` has {allowed}

    The first layer has a weight for each channel, so weights of another count cannot be taken over as they are.""",
    help="give the model an input of {actual} channels, or load only parts behind its first layer",
)
OTHER_SIZE = Rule(
    "TRN172",
    "note",
    """the weights of stage `{name}` were trained on pictures of {actual}, the input of model `{model}` is {allowed}

    Convolutions do not depend on the size of the picture, and transfer usually works; objects are seen at another scale. A
    linear layer on a flattened map only fits one size.""",
)


def check_transfer(draft: Draft, at: Reader) -> None:
    """`pretrained` is a readable kind of file, stands without `start`, and fits what the spec says of it."""
    path, shape = draft.value("pretrained"), draft.value("pretrained_input_shape")
    if path is None:
        for key in ("pretrained_dataset", "pretrained_input_shape"):
            if draft.value(key) is not None:
                reason, remedy = "there are no weights that it describes", 'add `pretrained = path("weights.pt")`'
                at.report(NO_EFFECT(draft.place(key), key=key, name=draft.name, reason=reason, remedy=remedy))
        return
    if PurePath(path).suffix.lower() not in SUFFIXES:
        allowed = ", ".join(SUFFIXES)
        at.report(NO_WEIGHTS(draft.place("pretrained"), name=draft.name, actual=path, allowed=allowed))
        draft.good = False
    if draft.value("start") is not None:
        problem = "begins with the weights of another stage and with those of a file"
        related = (Related(draft.place("start"), "another stage's"),)
        remedy = "leave out `start` or `pretrained`"
        at.report(
            CONTRADICTION(draft.place("pretrained"), name=draft.name, problem=problem, remedy=remedy, related=related)
        )
        draft.good = False
    if shape is None or draft.model is None or not draft.model.graph.inputs:
        return
    own = list(draft.model.graph.inputs[0].type.shape)[-3:]
    name, model, place = draft.name, draft.model.name, draft.place("pretrained_input_shape")
    if shape[0] != own[0]:
        at.report(OTHER_CHANNELS(place, name=name, model=model, actual=shape[0], allowed=own[0]))
        draft.good = False
    elif shape[1:] != own[1:]:
        actual, allowed = (f"{height}x{width}" for _, height, width in (shape, own))
        at.report(OTHER_SIZE(place, name=name, model=model, actual=actual, allowed=allowed))
