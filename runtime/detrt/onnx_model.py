"""A detector in an ONNX file that detc wrote, run by onnxruntime: what the file says, computed as it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detrt.data.encode import Encoding
from detrt.data.sample import Image
from detrt.errors import DetrtError
from detrt.heads import CLASSIFIERS, Decoder, build_decoder
from detrt.heads.detections import Detections

LARGEST = 1 << 30
"""Bytes of a file that is read: far above any detector for a microcontroller."""
REMEDY = "give one that detc wrote: artifacts/model_int8.onnx or artifacts/model_fp32.onnx"

Floats = NDArray[np.float32]


@dataclass(slots=True)
class OnnxPredictor:
    """`shift` and `gain`, float32 [channels], make values of bytes: (byte + shift) * gain; `outputs` names the tensors of each
    output of the model.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    encoding: Encoding
    decode: Decoder
    session: Any
    shift: Floats
    gain: Floats
    outputs: Mapping[str, Sequence[str]]
    whole: bool = False

    def values(self, data: NDArray[np.uint8]) -> dict[str, list[Floats]]:
        """The outputs of the model for u8 [height, width, channels] in its colour order, maps as [channels, rows, columns]."""
        picture = ((data.astype(np.float32) + self.shift) * self.gain).transpose(2, 0, 1)[None]
        names = list(dict.fromkeys(name for each in self.outputs.values() for name in each))
        found = dict(zip(names, self.session.run(names, {self.session.get_inputs()[0].name: picture}), strict=True))
        return {output: [found[name][0] for name in each] for output, each in self.outputs.items()}

    def detect(self, image: Image) -> Detections:
        found = self.decode(self.values(self.encoding.ordered(image)))
        return found.moved(self.encoding.unplaced(found.boxes, image.shape[1], image.shape[0]))


def open_onnx(path: Path) -> OnnxPredictor:
    """The detector in a file. Raises DetrtError without onnxruntime, or for a file that it cannot run or detc did not write.

    Nothing is fused: on processors without VNNI, onnxruntime's fused int8 kernels saturate pairs of products at 16 bits.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise DetrtError("running ONNX needs the package onnxruntime", path, "pip install 'detc[export]'") from error
    try:
        if path.stat().st_size > LARGEST:
            raise DetrtError(f"has more than {LARGEST:,} bytes", path, REMEDY)
        data = path.read_bytes()
    except OSError as error:
        raise DetrtError(f"cannot be read: {error.strerror or error}", path) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        told = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # onnxruntime's own kinds have no base but this
        raise DetrtError(f"onnxruntime cannot run it: {_first_line(error)}", path, REMEDY) from error
    try:
        return _predictor(session, told)
    except (KeyError, TypeError, ValueError) as error:
        raise DetrtError(
            f"its metadata do not describe a detector: {type(error).__name__} {error}", path, REMEDY
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _predictor(session: Any, told: Mapping[str, str]) -> OnnxPredictor:
    """KeyError, TypeError or ValueError where the metadata are not those of `detrt.devices.stm32.onnx_export`."""
    given, outputs, classes, head = (json.loads(told[key]) for key in ("input", "outputs", "classes", "head"))
    encoding = Encoding.of(given)
    shift, gain = (np.asarray(given[key], np.float32) for key in ("shift", "gain"))
    there = {output.name for output in session.get_outputs()}
    if shift.shape != (encoding.channels,) or gain.shape != shift.shape:
        raise ValueError(f"shift and gain for {encoding.channels} channels")
    if not all(name in there for each in outputs.values() for name in each):
        raise ValueError(f"outputs {outputs}")
    shape = [1, encoding.channels, encoding.height, encoding.width]
    if [entry.shape for entry in session.get_inputs()] != [shape]:
        raise ValueError(f"one input of {shape}")
    return OnnxPredictor(
        str(told["model"]),
        f"{told['numbers']} ONNX in onnxruntime",
        tuple(str(name) for name in classes),
        encoding,
        build_decoder(head),
        session,
        shift,
        gain,
        outputs,
        head["kind"] in CLASSIFIERS,
    )
