"""lava-dl and lava-nc as they are published, imported under today's Python, torch and numpy.

lava-nc 0.10.0 and lava-dl 0.6.0 are written for Python 3.10, numpy 1 and an installed torchvision. Three small measures let them
run elsewhere; none changes a file or a number of theirs. All of lava is imported through here, and only by what cannot do
without it: training with slayer's blocks, and comparisons with netx.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from detrt.devices.errors import DeviceError

REMEDY = "`detc env loihi2` makes an environment with lava-dl, and `detc train` finds it there; all else works without"


def has_slayer() -> bool:
    """Whether lava-dl is installed in this Python."""
    return _installed("lava.lib.dl.slayer")


def has_netx() -> bool:
    """Whether lava-dl and lava-nc are installed in this Python."""
    return _installed("lava.lib.dl.netx") and _installed("lava.magma")


def import_slayer() -> ModuleType:
    """The package `lava.lib.dl.slayer`. DeviceError with a remedy where lava-dl is not installed, or does not import."""
    if not has_slayer():
        raise DeviceError("lava-dl is not installed in this Python", sys.executable, REMEDY)
    _stand_in_for_torchvision()
    _name_trapz()
    return _imported("lava.lib.dl.slayer")


def import_netx() -> ModuleType:
    """The package `lava.lib.dl.netx`, after which all of lava-nc can be imported. DeviceError as by `import_slayer`."""
    if not has_netx():
        raise DeviceError("lava-dl and lava-nc are not installed in this Python", sys.executable, REMEDY)
    _stand_in_for_torchvision()
    _name_trapz()
    with _hashable_byte_encoder():
        _imported("lava.magma.compiler.var_model")
    return _imported("lava.lib.dl.netx")


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # no parent package; a stub of somebody's in sys.modules
        return False


def _imported(name: str) -> ModuleType:
    try:
        with redirect_stdout(io.StringIO()):  # one module advertises a tool box for cameras
            return import_module(name)
    except ImportError as error:
        raise DeviceError(f"{name} does not import: {error}", sys.executable, REMEDY) from error


@contextmanager
def _hashable_byte_encoder() -> Iterator[None]:
    """lava-nc's dataclass ByteEncoder is the default of fields of others, which Python >= 3.11 allows only where a class is
    hashable: it becomes so while its module is imported.
    """
    original: Any = dataclasses.dataclass

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        if cls is not None and cls.__name__ == "ByteEncoder" and cls.__module__ == "lava.magma.compiler.var_model":
            options["unsafe_hash"] = True
        return original(cls, **options)

    module: Any = dataclasses
    module.dataclass = dataclass
    try:
        yield
    finally:
        module.dataclass = original


def _stand_in_for_torchvision() -> None:
    """lava-dl's detection package imports torchvision for reading pictures and drawing, neither of which is used here:
    empty modules will do where it is not installed, or was built for another torch.
    """
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):
        package = ModuleType("torchvision")
        for part in ("ops", "transforms"):
            module = ModuleType(f"torchvision.{part}")
            setattr(package, part, module)
            sys.modules[module.__name__] = module
        sys.modules["torchvision"] = package


def _name_trapz() -> None:
    """numpy 2.4 has `np.trapz` only by its new name; lava-dl's average precision calls the old one."""
    numpy: Any = import_module("numpy")
    if not hasattr(numpy, "trapz"):
        numpy.trapz = numpy.trapezoid
