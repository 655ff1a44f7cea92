"""From a checkpoint and its ranges to the artifacts folder, its program read back and run before it is put in place."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from detrt.devices.artifacts_folder import DESCRIPTION, SCHEMA, write_folder
from detrt.devices.class_names import class_names
from detrt.devices.errors import ArtifactError
from detrt.devices.stm32.artifacts import CODE
from detrt.devices.stm32.program import Program
from detrt.devices.stm32.program_file import load_program, same_program, save_program
from detrt.devices.stm32.quantising import quantised
from detrt.devices.stm32.quants import Range, ranges_of
from detrt.devices.stm32.simulator import simulate
from detrt.errors import DetrtError
from detrt.files import write_json, write_text


def export(
    lock: Mapping[str, Any],
    state_dict: Mapping[str, Any],
    caps: Mapping[str, float] | None,
    out_dir: str | Path,
    vendor_inputs: bool = False,
) -> dict[str, Any]:
    """Writes the artifacts of an int8 checkpoint to `out_dir`, whole or not at all.

    `caps` are the ends of the ranges of its calibration. Nothing more is written for `vendor_inputs`: ST's tools read
    model_int8.onnx. The program is read back, compared and run on a probe picture first. The report: `files` (name -> bytes,
    sha256) and `findings`, a list of {"level", "message"}. DetrtError for a checkpoint or lock that does not fit, and for
    sums that could overflow.
    """
    model = lock["model"]
    if not model.get("heads"):
        raise DetrtError(f"the model `{model['name']}` has no head, so nothing is detected with it", "model.heads")
    return _export(lock, state_dict, ranges_of(caps or {}), out_dir)


def export_imported(
    lock: Mapping[str, Any], state: Mapping[str, Any], ranges: Mapping[str, Range], out_dir: str | Path,
    steps: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """As `export`, of another tool's network: its own weights and `ranges` (lowest and highest number of each layer's output);
    `steps` by keys of `state` are the real numbers, one an output channel, that its own whole weights count in. A model without
    a head is exported, too: its raw outputs are all that is known of it.
    """
    return _export(lock, state, ranges, out_dir, steps)


def _export(
    lock: Mapping[str, Any], state_dict: Mapping[str, Any], ranges: Mapping[str, Range], out_dir: str | Path,
    steps: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    model = lock["model"]
    head = next(iter(model.get("heads") or ()), None)
    program = quantised(lock["plan"], state_dict, ranges, model["input"], str(model["name"]), steps)
    names = class_names(lock, (head or {}).get("options") or {})
    findings: list[dict[str, Any]] = []

    def fill(folder: Path) -> None:
        from detrt.devices.stm32.c import writing

        save_program(program, folder)
        _check(program, folder)
        writing.write(program, lock["plan"], lock, head, folder / CODE, names)
        if find_spec("onnx") is not None:
            from detrt.devices.stm32 import onnx_export

            onnx_export.write(program, lock, state_dict, folder)
        else:
            message = "model_int8.onnx and model_fp32.onnx are left out: onnx is not installed (pip install onnx)"
            findings.append({"level": "warning", "message": message})
        write_json(folder / DESCRIPTION, _description(lock, program, names))
        write_text(folder / "labels.txt", "".join(f"{name}\n" for name in names))

    target = lock["target"]
    about = {
        "target": target["name"],
        "lineage": list(target.get("lineage") or []),
        "detc": lock.get("detc", ""),
        "spec": lock.get("spec", {}),
    }
    manifest = write_folder(Path(out_dir), fill, about)
    return {"files": manifest["files"], "findings": findings}


def _check(program: Program, folder: Path) -> None:
    """The program, read back, is the one that was written and gives the same numbers; ArtifactError otherwise, our own fault."""
    back = load_program(folder)
    probe = np.random.default_rng(0).integers(0, 256, program.tensors[program.input].shape, dtype=np.uint8)
    found, wanted = simulate(back, probe), simulate(program, probe)
    equal = all(np.array_equal(a, b) for name in wanted for a, b in zip(found[name], wanted[name], strict=True))
    if not (equal and same_program(program, back)):
        raise ArtifactError("the program read back is not the one that was written", "program.json")


def _description(lock: Mapping[str, Any], program: Program, names: list[str]) -> dict[str, Any]:
    model = lock["model"]
    head: Mapping[str, Any] = next(iter(model.get("heads") or ()), {})
    described = {key: value for key, value in model["input"].items() if key != "span"}
    return {
        "schema": SCHEMA,
        "target": lock["target"]["name"],
        "name": str(model["name"]),
        "input": described,
        "classes": names,
        "head": {"kind": head.get("kind", ""), "on": list(head.get("on") or []), "options": head.get("options") or {}},
        "outputs": {name: list(given) for name, given in program.outputs.items()},
        "spec": lock.get("spec", {}),
    }
