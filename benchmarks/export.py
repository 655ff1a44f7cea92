"""Exporting gnetdet448 at full width: from trained weights to chip.dat and all files beside it, read back and run once."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from detc.compilation import compile_spec
from detc.library import library_folder
from detc.semantics.lock import lock_of
from detrt.devices import backend


def main() -> None:
    done = compile_spec(library_folder() / "gnetdet448.det", "gti5801")
    assert done.model is not None and done.graph is not None
    lock = lock_of(done.program, done.model, done.graph, done.program.target, done.plan)
    rng = np.random.default_rng(0)
    state, caps = {}, {}
    for node in done.graph:
        if node.op.name == "conv":
            shape = node.op.weight_shape(done.graph.input_types(node))
            state[f"{node.name}.weight"] = torch.from_numpy(rng.normal(0, 0.05, shape).astype(np.float32))
            state[f"{node.name}.bias"] = torch.zeros(shape[0])
        if node.op.name == "relu":
            caps[node.name] = 31.0
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        backend("gti5801").export(lock, state, caps, Path(folder) / "artifacts")
        print(json.dumps({"wall": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2)}))


if __name__ == "__main__":
    main()
