"""lava-dl is imported where it is installed, and missed in one clear sentence where it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from detrt.devices.loihi2 import shim
from detrt.errors import DetrtError

RUNTIME = Path(__file__).parents[3] / "runtime"


@pytest.mark.parametrize("import_part", [shim.import_slayer, shim.import_netx])
def test_a_python_without_lava_is_told_what_to_do(import_part, monkeypatch):
    monkeypatch.setattr(shim, "_installed", lambda name: False)
    with pytest.raises(DetrtError) as refusal:
        import_part()
    assert "not installed in this Python" in refusal.value.message
    assert refusal.value.place == sys.executable
    assert "detc env loihi2" in refusal.value.remedy


@pytest.mark.long
def test_slayer_and_netx_import_in_the_lava_environment(lava_python):
    program = (
        "from detrt.devices.loihi2.shim import has_netx, has_slayer, import_netx, import_slayer\n"
        "assert has_slayer() and has_netx()\n"
        "slayer, netx = import_slayer(), import_netx()\n"
        "from lava.magma.core.run_configs import Loihi2SimCfg\n"
        "from lava.proc.sdn.process import Delta\n"
        "print(slayer.block.sigma_delta.Conv.__name__, netx.hdf5.Network.__name__)\n"
    )
    done = subprocess.run(
        [lava_python, "-c", program], env={"PYTHONPATH": str(RUNTIME)}, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "Conv Network\n"), done.stderr
