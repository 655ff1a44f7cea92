"""A `.net` file in lava's own simulator of the chip, netx on the CPU: what the integer simulator is held against.

Runs in a lava environment. Every process of lava is a process of the system, and one that fails can keep the interpreter from
ending: run `python -m detrt.devices.loihi2.netx NET FRAMES.npy OUTPUTS.npy SPIKE_EXP` with a time limit.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.loihi2.shim import import_netx


def run_netx(path: Path, frames: npt.NDArray[np.integer], vth: int, spike_exp: int = 6) -> tuple[Any, float]:
    """(Outputs int64 [T, O, h, w] or [T, n], seconds of running) of frames [T, C, H, W], values times 64, encoded with the
    threshold `vth` of the file's input. DeviceError where lava is not installed."""
    netx = import_netx()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.sdn.process import Delta

    # 16 bits: with the default of 0, messages become 0 or 1 without a word where there is no input neuron group.
    net = netx.hdf5.Network(str(path), skip_layers=1, input_message_bits=16, spike_exp=spike_exp)
    source = Source(data=frames.T.astype(np.int32))  # [W, H, C, T]
    encoder = Delta(shape=net.inp.shape, vth=vth, spike_exp=spike_exp, state_exp=6)
    sink = Sink(shape=net.out.shape, buffer=len(frames))
    source.s_out.connect(encoder.a_in)
    encoder.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    try:
        # Without the tag the floating models run: no error, other numbers.
        config = Loihi2SimCfg(select_tag="fixed_pt")
        began = time.perf_counter()
        net.run(condition=RunSteps(num_steps=len(frames)), run_cfg=config)
        outputs = sink.data.get().T.astype(np.int64)
        seconds = time.perf_counter() - began
    finally:
        net.stop()
    return outputs, seconds


def main(path: str, frames: str, outputs: str, spike_exp: str) -> None:
    import h5py

    import_netx()
    with h5py.File(path, "r") as file:
        vth = int(file["layer/0/neuron/vThMant"][()])
    found, seconds = run_netx(Path(path), np.load(frames), vth, int(spike_exp))
    np.save(outputs, found)
    print(f"{seconds:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
