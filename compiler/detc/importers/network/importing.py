"""A file of another tool's network as the text of a spec, its weights and its ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detc.codegen.det import Unwritable, det_name, plain_spec
from detc.diagnostics import Finding, Rule
from detc.importers.foreign import ForeignModel
from detc.importers.network.drawing import Lazy
from detc.importers.network.finishing import finish, picture_of
from detc.importers.network.heads import Outputs, find_outputs
from detc.importers.network.labels import of_tflite
from detc.importers.network.translating import UNSUPPORTED, translate, unsupported
from detc.importers.network.values import Constant, Parts, Untranslatable
from detc.importers.network.views import View
from detc.importers.reading import read_network
from detc.importers.unreadable import UNREADABLE, short
from detc.ir.graph import Graph
from detc.semantics.program import Model
from detc.syntax.format import format_file

NAMED = 4
"""Weights that a message names."""
TOLD = Rule(
    "IMP206",
    "note",
    """{actual}

    A file does not say all that a spec says: how pictures are encoded, what its outputs mean. What was taken for granted is
    told, so that it can be put right in the imported spec.""",
)


@dataclass(frozen=True, slots=True)
class Imported:
    """`text` of a spec with the graph `graph`; `weights` by state_dict key, read when called; `ranges` (low, high) by layer,
    empty where the file is not quantised; `foreign` is the file as it stands, where targets look at it; `notes` are findings."""

    name: str
    text: str
    foreign: ForeignModel | None
    graph: Graph
    weights: dict[str, Lazy]
    ranges: dict[str, tuple[float, float]]
    notes: list[Finding] = field(default_factory=list)
    steps: dict[str, Lazy] = field(default_factory=dict)
    """Of weights that the file has as whole numbers: what one step stands for, float64 an output channel, by the same keys."""
    makers: dict[str, str] = field(default_factory=dict)
    """By layer, what the file's operator gives first that it comes from."""


def import_network(path: Path, outputs: Sequence[str] = (), name: str = "") -> Imported | list[Finding]:
    """The network in `path` as a spec whose model is called `name` (after the file if none is given), up to the file's tensors
    `outputs` (its own outputs if none are named). Findings where it cannot be read or has no counterpart here."""
    if path.suffix.lower() == ".net":
        from detc.importers.net.importing import import_net

        return import_net(path, outputs, name)
    model = read_network(path)
    if isinstance(model, Finding):
        return [model]
    done = translate(model, outputs)
    if isinstance(done, list):
        return done
    if done.faults:
        return [unsupported(done)]
    name = det_name(name or path.stem)
    drawing = done.translation.drawing
    values: dict[str, View | Parts] = {}
    notes = list(done.translation.notes)
    for output, value in done.outputs.items():
        if isinstance(value, Constant):
            notes.append(f"output `{short(output)}` is constant, whatever the picture: left out")
        elif isinstance(value, View | Parts):
            values[_output_name(output, model.format, len(values), {name, *values})] = value
    try:
        found = find_outputs(drawing, values)
        source = model.tensors[drawing.drafts[0].tensor]
        picture = picture_of(drawing, found, source.dtype, source.scales, source.zeros)
        finished = finish(drawing, found, name, picture)
        about = [f"{name}: made from {short(path.name)} by `detc import`; its layers have the names of its weights."]
        text = _with_head(plain_spec(Model(name, found.kind, finished.graph, []), about), found, name)
    except (Untranslatable, Unwritable) as error:
        return [
            UNSUPPORTED(None, count="what the file gives", have="has", actual=str(error), remedy="name other --outputs")
        ]
    if spoilt := _without_numbers(finished.weights):
        remedy = "look at the training that made it, and export the model again"
        return [UNREADABLE(None, path=short(path.name), format=model.format, reason=spoilt, remedy=remedy)]
    told = [TOLD(None, actual=note) for note in (*notes, *found.notes)]
    return Imported(
        name, text, model, finished.graph, finished.weights, finished.ranges, told, finished.steps, finished.makers
    )


def _without_numbers(weights: Mapping[str, Lazy]) -> str:
    """Which weights are NaN or infinite, in words; "" for none. Reads them all."""
    import numpy as np

    spoilt = [name for name, read in weights.items() if not np.isfinite(read()).all()]
    named = ", ".join(f"`{short(name)}`" for name in spoilt[:NAMED])
    more = f" and {len(spoilt) - NAMED} more" if len(spoilt) > NAMED else ""
    return f"{named}{more} hold numbers that are none (NaN or infinity)" if spoilt else ""


def _output_name(name: str, format: str, number: int, taken: set[str]) -> str:
    """A name for an output after the file's, where that is one."""
    word = of_tflite(name) if format == "tflite" else name.rpartition("/")[2]
    usable = word.isidentifier() and word.isascii() and word.lower() != "output"
    return det_name(f"{word}_out" if usable else f"y{number + 1}", taken)


def _with_head(text: str, outputs: Outputs, name: str) -> str:
    """The spec with its head, and what training needs where there is one."""
    if not outputs.head:
        return text
    comments, body = text.split("\n", 1)
    kind = "folders" if outputs.kind == "classifier" else "coco"
    data = f'data pictures = data.{kind}(root = path("data/{kind}"))\n'
    train = (
        f"train tuning on {name} {{\n  data = pictures\n  batch = 32\n  optimizer = adam(lr = 1e-4)\n"
        f'  stage float {{ pretrained = path("{name}.safetensors")  epochs = 50  schedule = cosine() }}\n}}\n'
    )
    whole = f"{comments}\n{outputs.use}{data}{body.rstrip()[:-1]}  {outputs.head}\n}}\n\n{train}"
    return format_file(whole, "imported.det")[0]
