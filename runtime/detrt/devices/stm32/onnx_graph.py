"""An ONNX graph under construction: nodes in their order, constants by name, and the file that becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.errors import DetrtError

OPSET = 18
IR_VERSION = 9
"""What onnxruntime since 1.15 and ST's importers read; onnx itself would write its newest."""


class OnnxGraph:
    """`node` adds an operator and gives the name of its result, `constant` that of an array. Names are made of `scope`."""

    def __init__(self) -> None:
        self.scope = ""
        self._nodes: list[Any] = []
        self._constants: dict[str, npt.NDArray[Any]] = {}
        self._inputs: list[tuple[str, Sequence[int]]] = []
        self._taken: set[str] = set()

    def input(self, name: str, shape: Sequence[int]) -> str:
        """A float32 input."""
        self._inputs.append((name, shape))
        return self._free(name)

    def node(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        """One operator; its result is called `name`, else after the scope and the operator."""
        from onnx import helper

        made = self._free(name or f"{self.scope}/{kind}")
        self._nodes.append(helper.make_node(kind, list(inputs), [made], name=made, **attributes))
        return made

    def constant(self, name: str, values: npt.ArrayLike, kind: type[np.generic]) -> str:
        made = self._free(f"{self.scope}/{name}")
        self._constants[made] = np.asarray(values, kind, order="C")
        return made

    def rename(self, name: str, wanted: str) -> str:
        """Calls the result of the last node otherwise."""
        last = self._nodes[-1]
        assert last.output[0] == name
        last.output[0] = last.name = self._free(wanted)
        return wanted

    def _free(self, name: str) -> str:
        made, number = name, 1
        while made in self._taken:
            number += 1
            made = f"{name}{number}"
        self._taken.add(made)
        return made

    def bytes(self, name: str, outputs: Mapping[str, Sequence[int]], metadata: Mapping[str, str]) -> bytes:
        """The model as a file: checked, its shapes inferred, equal for equal graphs. `outputs` have their shapes.

        DetrtError if the checker refuses it, which is our own fault.
        """
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        def described(value: str, shape: Sequence[int]) -> Any:
            return helper.make_tensor_value_info(value, TensorProto.FLOAT, list(shape))

        graph = helper.make_graph(
            self._nodes,
            name,
            [described(*given) for given in self._inputs],
            [described(*given) for given in outputs.items()],
            [numpy_helper.from_array(values, key) for key, values in self._constants.items()],
        )
        opsets = [helper.make_operatorsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="detc", opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, dict(metadata))
        try:
            model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise DetrtError(f"the ONNX file that was made is not sound: {error}", name) from error
        made: bytes = model.SerializeToString(deterministic=True)
        return made
