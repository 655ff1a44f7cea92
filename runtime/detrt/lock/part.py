"""What every part of a lock is made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from detrt.errors import DetrtError

SCHEMA = 1


class LockError(DetrtError):
    """A lock that cannot be read, or that says something this version does not know."""


class Part(BaseModel):
    """Base of all parts: frozen; keys of later minor versions pass through untouched."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)
