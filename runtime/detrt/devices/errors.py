"""What device packages raise for a user's mistake: always with the cause, and with the place where there is one."""

from __future__ import annotations

from detrt.errors import DetrtError


class DeviceError(DetrtError):
    """Base of the errors of device packages."""


class ArtifactError(DeviceError):
    """A file that is damaged, incomplete or not what it claims to be."""
