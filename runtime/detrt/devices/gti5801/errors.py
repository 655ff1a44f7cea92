"""What the device package raises for a user's mistake: always with the cause, and with the place where there is one."""

from __future__ import annotations

from detrt.errors import DetrtError


class DeviceError(DetrtError):
    """Base of all errors of this package."""


class NetworkError(DeviceError):
    """A network the 5801 cannot run, or whose tensors do not fit its description. `problems` holds one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class ArtifactError(DeviceError):
    """A file that is damaged, incomplete or not what it claims to be."""
