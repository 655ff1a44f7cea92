"""The ONNX files of a detector: what onnxruntime makes of them, beside the program and the float net."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from int8_nets import SEEDS, Case, program, random_net  # noqa: E402

from detrt.devices.stm32.arithmetic import Int8  # noqa: E402
from detrt.devices.stm32.kernels import looked_up, run  # noqa: E402
from detrt.devices.stm32.onnx_export import FLOAT32, INT8, float_bytes, int8_bytes, write  # noqa: E402
from detrt.devices.stm32.postprocess import decoder  # noqa: E402
from detrt.devices.stm32.program import Program, Step, Table, sum_quant  # noqa: E402
from detrt.devices.stm32.simulator import simulate  # noqa: E402
from detrt.errors import DetrtError  # noqa: E402
from detrt.predictor import open_predictor  # noqa: E402


def session(data: bytes) -> Any:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def all_tensors(one: Program, data: bytes, picture: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.int64]]:
    """What onnxruntime makes of every tensor, as whole numbers in the shapes of the program; also "<tensor>.before" a table."""
    running, quant = session(data), one.tensors[one.input].quant
    x = ((picture.astype(np.float32) - 128 - quant.zero) * np.float32(quant.scale)).transpose(2, 0, 1)[None]
    names = [output.name for output in running.get_outputs()]
    quants = {name: tensor.quant for name, tensor in one.tensors.items()}
    quants |= {f"{step.output}.before": sum_quant(step, quants[step.output]) for step in one.steps}
    found = {}
    for name, value in zip(names, running.run(names, {one.input: x}), strict=True):
        flat = value[0].transpose(1, 2, 0) if value.ndim == 4 else value[0]
        found[name] = np.round(flat.astype(np.float64) / quants[name].scale).astype(np.int64) + quants[name].zero
    return found


def one_by_one(seeds: range) -> tuple[Counter[str], Counter[str]]:
    """How many numbers each kind of step makes, and how many of these differ from onnxruntime's of the same inputs: by one."""
    count: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for seed in seeds:
        case, one = random_net(seed), program(seed)
        picture = case.pictures(1, seed)[0]
        theirs = all_tensors(one, int8_bytes(one, case.lock, every=True), picture)
        theirs[one.input] = picture.astype(np.int64) - 128
        for step in one.steps:
            for kind, ours, found in roundings(one, step, theirs):
                off = np.abs(ours.astype(np.int64) - found)
                assert off.max() <= 1, (seed, step.name)
                count[kind] += off.size
                other[kind] += int(off.sum())
    return count, other


def roundings(one: Program, step: Step, theirs: dict[str, npt.NDArray[np.int64]]) -> Iterator[tuple[str, Any, Any]]:
    """Of each rounding in a step: its kind, our numbers from onnxruntime's inputs, and onnxruntime's."""
    output, inputs = one.tensors[step.output], [read(one, theirs, name) for name in step.inputs]
    quants, table = [one.tensors[name].quant for name in step.inputs], getattr(step, "table", None)
    if table is None or isinstance(step, Table):
        yield type(step).__name__, run(step, inputs, quants, output), theirs[step.output]
        return
    before = theirs[f"{step.output}.before"]
    yield type(step).__name__, run(replace(step, table=None), inputs, quants, output), before  # type: ignore[call-arg]
    yield "Table", looked_up(table, before.astype(np.int8)), theirs[step.output]


def read(one: Program, made: dict[str, npt.NDArray[np.int64]], name: str) -> Int8:
    source = name
    while source in one.aliases:
        source = one.aliases[source]
    return made[source].astype(np.int8).reshape(one.tensors[name].shape)


def test_onnxruntime_computes_every_step_as_the_program_does() -> None:
    count, other = one_by_one(range(6))
    assert all(other[kind] * 20 < count[kind] for kind in count), (count, other)


@pytest.mark.long
def test_onnxruntime_computes_every_step_of_many_nets_as_the_program_does() -> None:
    count, other = one_by_one(range(6, len(SEEDS)))
    assert all(other[kind] * 50 < count[kind] for kind in count), (count, other)
    assert len(count) == 15


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_the_float_file_is_the_net(seed: int) -> None:
    case = random_net(seed)
    running, x = session(float_bytes(case.lock, case.model.state_dict())), case.encoded(case.pictures(1))
    with torch.no_grad():
        wanted = case.model.values(x)
    names = [output.name for output in running.get_outputs()]
    assert names == list(dict.fromkeys(n for given in case.model.outputs.values() for n in given))
    for name, value in zip(names, running.run(names, {"frame": x.numpy()}), strict=True):
        assert np.allclose(value, wanted[name].numpy(), rtol=1e-4, atol=1e-4 * float(wanted[name].abs().max()))


def with_head(seed: int) -> tuple[Case, Program, dict[str, Any]]:
    """A random net whose first output is taken for a GNetDet grid."""
    case, one = random_net(seed), program(seed)
    name, tensors = next(iter(one.outputs.items()))
    height, width, channels = one.tensors[tensors[0]].shape
    options = {"grid": [height, width], "boxes": 1, "classes": channels - 5, "conf": 0.0, "score": 0.0, "nms": 1.0,
               "max_detections": 1000}  # fmt: skip
    head = {"kind": "gnetdet", "on": [name], "options": options}
    case.lock["model"]["heads"] = [head]
    return case, one, head


def test_a_file_alone_finds_what_the_device_finds(tmp_path: Path) -> None:
    seed = next(seed for seed in SEEDS if fits(program(seed)))
    case, one, head = with_head(seed)
    write(one, case.lock, case.model.state_dict(), tmp_path)
    picture = case.pictures(1)[0]
    shown = np.ascontiguousarray(picture[..., ::-1]) if picture.shape[2] == 3 else picture
    predictor = open_predictor(tmp_path / INT8)
    assert predictor.classes[0] == "class 0"
    found = predictor.detect(shown)
    tensors = {n: t for n, given in simulate(one, picture).items() for n, t in zip(one.outputs[n], given, strict=True)}
    wanted = decoder(one, head)(tensors)
    assert len(found) == len(wanted) > 0
    assert np.abs(np.sort(found.scores) - np.sort(wanted.scores)).max() < 1 / 64
    assert open_predictor(tmp_path / FLOAT32).detect(shown) is not None


def fits(one: Program) -> bool:
    """A net of colour pictures with one output, a map that can be a grid."""
    tensors = [tensor for given in one.outputs.values() for tensor in given]
    shape = one.tensors[tensors[0]].shape
    return len(tensors) == 1 and len(shape) == 3 and shape[2] > 5 and one.tensors[one.input].shape[2] == 3


def test_files_are_equal_and_say_what_they_are() -> None:
    case, one = random_net(1), program(1)
    data = int8_bytes(one, case.lock)
    assert data == int8_bytes(one, case.lock)
    assert float_bytes(case.lock, case.model.state_dict()) == float_bytes(case.lock, case.model.state_dict())
    model = onnx.load_from_string(data)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["numbers"] == "int8" and json.loads(told["input"])["shape"] == case.lock["model"]["input"]["shape"]
    assert [opset.version for opset in model.opset_import] == [18]
    kept = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weight = one.steps[0].weight  # type: ignore[attr-defined]
    assert np.array_equal(kept[f"{one.steps[0].output}/weight/int"], weight.transpose(0, 3, 1, 2))
    assert kept[f"{one.steps[0].output}/weight/int"].dtype == np.int8


def test_bad_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    case, one = random_net(1), program(1)
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "cut.onnx").write_bytes(int8_bytes(one, case.lock)[:-200])
    model = onnx.load_from_string(int8_bytes(one, case.lock))
    for entry in model.metadata_props:
        entry.value = "[]" if entry.key == "input" else entry.value
    (tmp_path / "told.onnx").write_bytes(model.SerializeToString())
    del model.metadata_props[:]
    (tmp_path / "silent.onnx").write_bytes(model.SerializeToString())
    for name, said in {"text": "cannot run", "cut": "cannot run", "told": "metadata", "silent": "metadata"}.items():
        with pytest.raises(DetrtError, match=said):
            open_predictor(tmp_path / f"{name}.onnx")
