"""A quantised network in whole numbers, step by step: what the C code computes, in numpy and without torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from detrt.devices.stm32.arithmetic import Int8, Quant
from detrt.devices.stm32.kernels import run
from detrt.devices.stm32.program import Program
from detrt.errors import DetrtError

Trace = Callable[[str, Int8], None]
"""Called with (name of the tensor, its int8 numbers) in the order in which they are written, the input first."""


class Simulator:
    """A program ready to run. It must be one that `check_program` has passed, as those made here or read from files have."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def run(self, picture: npt.NDArray[np.uint8], trace: Trace | None = None) -> dict[str, tuple[Int8, ...]]:
        """The outputs for one picture, by the names of the model's outputs: int8 in the shapes of their tensors.

        `picture` u8 [height, width, channels], raw bytes in the net's colour order; a byte u enters as u - 128.
        DetrtError for a picture of another shape or dtype.
        """
        entry = self.program.tensors[self.program.input]
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.shape != entry.shape:
            raise DetrtError(f"the network takes u8{list(entry.shape)}, not {picture.dtype}{list(picture.shape)}")
        made: dict[str, Int8] = {entry.name: (picture.astype(np.int16) - 128).astype(np.int8)}
        if trace is not None:
            trace(entry.name, made[entry.name])
        for step in self.program.steps:
            output = self.program.tensors[step.output]
            inputs = [self._read(made, name) for name in step.inputs]
            made[output.name] = run(step, inputs, [self._quant(name) for name in step.inputs], output)
            if trace is not None:
                trace(output.name, made[output.name])
        return {name: tuple(self._read(made, t) for t in tensors) for name, tensors in self.program.outputs.items()}

    def _read(self, made: dict[str, Int8], name: str) -> Int8:
        """A tensor by name; an alias in its own shape."""
        source = name
        while source in self.program.aliases:
            source = self.program.aliases[source]
        return made[source].reshape(self.program.tensors[name].shape)

    def _quant(self, name: str) -> Quant:
        return self.program.tensors[name].quant


def simulate(
    program: Program, picture: npt.NDArray[np.uint8], trace: Trace | None = None
) -> dict[str, tuple[Int8, ...]]:
    """`Simulator(program).run(picture, trace)` for one picture."""
    return Simulator(program).run(picture, trace)
