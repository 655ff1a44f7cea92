"""The post-processing of one head as C: its tables and its buffer, beside the code that all heads share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from typing import Any

from detrt.devices.stm32.arithmetic import Int32
from detrt.devices.stm32.c.naming import comment
from detrt.devices.stm32.postprocess import buffer_bytes, form_of, outputs_of
from detrt.devices.stm32.postprocess.form import Classifier, Detector, Field, Form, Map
from detrt.devices.stm32.program import Program

SHARED = (
    "detc_postprocess.h",
    "detc_box.c",
    "detc_candidates.c",
    "detc_classify.c",
    "detc_keep.c",
    "detc_suppress.c",
)
"""Files of `c/postprocess` that go with every head."""
NUMBERS_A_LINE = 12


def files(program: Program, head: Mapping[str, Any]) -> dict[str, str]:
    """Name -> text of all C files of the post-processing of an entry of `lock["model"]["heads"]`.

    `postprocess(outputs, &found)` in postprocess.h takes the int8 tensors in the order of `outputs_of`, and gives how many boxes
    it found. Raises DetrtError where the head does not fit the program.
    """
    form, tensors = form_of(program, head), outputs_of(program, head)
    folder = resources("detrt.devices.stm32") / "c" / "postprocess"
    shared = {name: (folder / name).read_text(encoding="utf-8") for name in SHARED}
    kind = str(head.get("kind"))
    source = _classifier(form) if isinstance(form, Classifier) else _detector(form)
    return {
        "postprocess.h": _header(kind, form, [(name, program.tensors[name].shape) for name in tensors]),
        "postprocess.c": f"/* The tables of a {kind} head, made by detc for this network. */\n" + source,
        **shared,
    }


def _header(kind: str, form: Form, tensors: list[tuple[str, tuple[int, ...]]]) -> str:
    reads = "\n".join(
        f"     outputs[{number}]  {comment(name)}, {' x '.join(map(str, shape))}"
        for number, (name, shape) in enumerate(tensors)
    )
    most = form.top if isinstance(form, Classifier) else min(form.candidates, form.detections)
    return f"""/* What a {kind} head finds in the outputs of the network. */
#ifndef POSTPROCESS_H
#define POSTPROCESS_H

#include "detc_postprocess.h"

#define POSTPROCESS_OUTPUTS {len(tensors)}
#define POSTPROCESS_CLASSES {form.classes}
#define POSTPROCESS_MOST {most} /* finds in one picture */
#define POSTPROCESS_BUFFER_BYTES {buffer_bytes(form)}

/* Gives how many finds there are; `found` then points to them, best first, until the next call. It reads

{reads}
*/
uint32_t postprocess(const int8_t *const outputs[POSTPROCESS_OUTPUTS], const detc_detection **found);

#endif
"""


def _classifier(form: Classifier) -> str:
    return f"""#include "postprocess.h"

{_array("power", form.chance)}

static detc_detection buffer[{form.top}];
{_BUFFER_CHECK}
uint32_t postprocess(const int8_t *const outputs[POSTPROCESS_OUTPUTS], const detc_detection **found)
{{
    *found = buffer;
    return detc_classify(outputs[0], {form.classes}, power, {form.top}, buffer);
}}
"""


def _detector(form: Detector) -> str:
    tables = _Tables()
    maps = ",\n".join(_map(number, one, tables) for number, one in enumerate(form.maps))
    units = "\n\n".join(_units(number, one) for number, one in enumerate(form.maps))
    fields = {
        "map_count": len(form.maps),
        "classes": form.classes,
        "bins": form.bins,
        "softmax": int(form.softmax),
        "background": int(form.background),
        "best": int(form.best),
        "loudest": int(form.loudest),
        "boxes_first": int(form.boxes_first),
        "agnostic": int(form.agnostic),
        "score": form.score,
        "nms": form.nms,
        "candidates": form.candidates,
        "detections": form.detections,
    }
    described = "".join(f"    .{key} = {value},\n" for key, value in fields.items())
    return f"""#include "postprocess.h"

{tables.text()}

{units}

static const detc_map maps[] = {{
{maps},
}};

static const detc_head head = {{
    .maps = maps,
{described}}};

static detc_detection buffer[{form.candidates}];
{_BUFFER_CHECK}
uint32_t postprocess(const int8_t *const outputs[POSTPROCESS_OUTPUTS], const detc_detection **found)
{{
    *found = buffer;
    return detc_detect(&head, outputs, buffer);
}}
"""


_BUFFER_CHECK = "typedef char buffer_is_as_planned[sizeof buffer == POSTPROCESS_BUFFER_BYTES ? 1 : -1];\n"


class _Tables:
    """Arrays of a file: equal ones are written once, under the name of the first."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._texts: list[str] = []

    def name(self, wanted: str, values: Int32) -> str:
        key = values.tobytes()
        if key not in self._names:
            self._names[key] = wanted
            self._texts.append(_array(wanted, values))
        return self._names[key]

    def text(self) -> str:
        return "\n\n".join(self._texts)


def _map(number: int, one: Map, tables: _Tables) -> str:
    arrays = {"x": one.x, "y": one.y, "offset": one.offset, "size": one.size, "chance": one.chance}
    if one.sure is not None:
        arrays["sure"] = one.sure
    named = {key: tables.name(f"{key}_{number}", values) for key, values in arrays.items()}
    fields = {
        "rows": str(one.rows),
        "columns": str(one.columns),
        "boxes": str(one.boxes),
        "place": _field(one.place),
        "classes": _field(one.classes),
        **({"confidence": _field(one.confidence)} if one.confidence is not None else {}),
        **named,
        "units": f"units_{number}",
        "least": str(one.least),
    }
    return "    {" + ",\n     ".join(f".{key} = {value}" for key, value in fields.items()) + "}"


def _field(field: Field) -> str:
    return f"{{.first = {field.first}, .cell = {field.cell}, .box = {field.box}, .output = {field.output}}}"


def _units(number: int, one: Map) -> str:
    rows = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row in one.units.tolist())
    return f"static const int32_t units_{number}[{one.boxes}][4] = {{\n{rows},\n}};"


def _array(name: str, values: Int32) -> str:
    return f"static const int32_t {name}[{len(values)}] = {{\n" + "\n".join(_lines(values.tolist())) + "\n};"


def _lines(values: list[int]) -> Iterator[str]:
    for first in range(0, len(values), NUMBERS_A_LINE):
        yield "    " + " ".join(f"{value}," for value in values[first : first + NUMBERS_A_LINE])
