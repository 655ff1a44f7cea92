"""Reading `spec.lock.json`, the only contract between the compiler and this package.

The file is described in the compiler's `ir/lock.md`. Everything is checked once, here; what comes out is frozen and
typed. The raw mapping stays at hand for device packages, which read their own `plan`.
"""

from __future__ import annotations

from detrt.lock.data import Data
from detrt.lock.derived import Derived
from detrt.lock.gate import Gate
from detrt.lock.lock import Lock, Spec, Target
from detrt.lock.model import Encoding, Head, Input, Model, Node
from detrt.lock.optimizing import Optimizer, Schedule
from detrt.lock.part import SCHEMA, LockError, Part
from detrt.lock.reading import parse_lock, read_lock
from detrt.lock.stage import (
    ActivationSource,
    Calibrate,
    Caps,
    EarlyStop,
    Freeze,
    Init,
    Pretrained,
    Prune,
    Quantize,
    Ranges,
    Rescale,
    Stage,
    Start,
    earlier_stages,
)

__all__ = [
    "SCHEMA",
    "ActivationSource",
    "Calibrate",
    "Caps",
    "Data",
    "Derived",
    "EarlyStop",
    "Encoding",
    "Freeze",
    "Gate",
    "Head",
    "Init",
    "Input",
    "Lock",
    "LockError",
    "Model",
    "Node",
    "Optimizer",
    "Part",
    "Pretrained",
    "Prune",
    "Quantize",
    "Ranges",
    "Rescale",
    "Schedule",
    "Spec",
    "Stage",
    "Start",
    "Target",
    "earlier_stages",
    "parse_lock",
    "read_lock",
]
