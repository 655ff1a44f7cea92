"""What this package raises for a user's mistake, besides the errors of all device packages."""

from __future__ import annotations

from detrt.devices.errors import ArtifactError, DeviceError

__all__ = ["ArtifactError", "DeviceError", "NetworkError"]


class NetworkError(DeviceError):
    """A network the 5801 cannot run, or whose tensors do not fit its description. `problems` holds one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))
