"""Names of layers from a file: what its author called them, without what his tools put around it."""

from __future__ import annotations

import re

from detc.importers.foreign import ForeignModel, ForeignOp

LONGEST = 40
_MADE = re.compile(
    r"(onnx::|val_|node_|/?(Conv|Gemm|MatMul|Add|Mul|Relu|Concat|Reshape|Transpose|QLinear\w*|t|x|y)?_?\d+$)"
)
"""Names that exporters count up."""
_MADE_UP = ("StatefulPartitionedCall:", "serving_default_", "PartitionedCall:", "tfl.")
_KERAS = re.compile(
    r"(re_?lu|activation|(batch_)?normali[sz]ation|\w*conv2d|dense|add|\w+_pooling2d|concatenate|up_sampling2d)(_\d+)?"
)
"""What Keras calls layers that nobody named."""
_TF_OPS = frozenset(
    (
        "Relu", "BiasAdd", "FusedBatchNormV", "FusedBatchNorm", "Conv", "Conv2D", "depthwise", "MatMul", "add", "Add", "mul",
        "Mul", "Pad", "MaxPool", "AvgPool", "concat", "Softmax", "Sigmoid", "ReadVariableOp", "separable_conv2d",
        "depthwise_conv2d", "Mean", "ResizeBilinear", "ResizeNearestNeighbor",
    )
)  # fmt: skip
"""What TensorFlow calls operators, without numbers behind."""


def label(model: ForeignModel, op: ForeignOp, output: str) -> str:
    """A word for the layer that makes `output`; empty where the file has none worth keeping. Not yet a name of the language."""
    found = of_tflite(output) if model.format == "tflite" else _onnx(op, output)
    word = re.sub(r"\W+", "_", found, flags=re.ASCII).strip("_")
    return word[-LONGEST:].strip("_") if word and not word[0].isdigit() else ""


def _onnx(op: ForeignOp, output: str) -> str:
    for name in op.inputs[1:4]:
        for ending in (".weight", ".weight_quantized", "/weight"):
            if name.endswith(ending) and not _MADE.match(name):
                return name.removesuffix(ending)
    for name in (op.name, output):
        parts = [part for part in name.split("/") if part]
        if parts and not _MADE.match(parts[-1]):
            kept = (
                parts[:-1] if len(parts) > 1 and re.fullmatch(rf"{op.kind}(_\d+)?(_output_\d+)?", parts[-1]) else parts
            )
            if kept and not _MADE.match(kept[-1]):
                return "_".join(kept)
    return ""


def of_tflite(output: str) -> str:
    """The first of the layers that were fused into one, as what it follows is called: conv1_relu is the relu of conv1."""
    first = output.split(";")[0]
    if first.startswith(_MADE_UP):
        return ""
    whole = [part for part in first.split("/") if part]
    parts = [
        part for part in whole[1:] or whole if re.sub(r"_?\d*$", "", part) not in _TF_OPS
    ]  # the first is the net's name
    word = re.sub(r"_(relu6?|bn|act|swish)$", "", parts[-1], flags=re.IGNORECASE) if parts else ""
    return "" if _KERAS.fullmatch(word) else word
