"""The distributions of many tensors by name, while batches pass by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from detrt.errors import DetrtError
from detrt.quant.histogram import Histogram
from detrt.quant.ranges import Range, counted, range_of


class Observed:
    """What the tensors `names` held, for `trials`: the ways in which ranges will be read (see `range_of`)."""

    def __init__(self, names: Sequence[str], trials: Sequence[Mapping[str, Any]]) -> None:
        self.trials = trials
        counts = any(counted(trial) for trial in trials)
        self._found = {name: Histogram(counts) for name in names}
        self._wrong: dict[str, str] = {}

    def look(self, name: str, values: Tensor) -> None:
        """Takes in what the tensor `name` holds in a batch; other names are passed over."""
        histogram = self._found.get(name)
        if histogram is None or name in self._wrong:
            return
        try:
            histogram.add(values)
        except ValueError as error:
            self._wrong[name] = str(error)

    def ranges(self) -> list[dict[str, Range]]:
        """The range of every tensor, for each trial. DetrtError if nothing was seen of one, or NaN or infinity in one."""
        if self._wrong:
            shown = ", ".join(f"`{name}` {problem}" for name, problem in list(self._wrong.items())[:3])
            more = f" and {len(self._wrong) - 3} more" if len(self._wrong) > 3 else ""
            raise DetrtError(
                f"the net gives no numbers while it is calibrated: {shown}{more}",
                remedy="the weights it starts with are broken: train them again with a lower learning rate or a clip",
            )
        unseen = [name for name, histogram in self._found.items() if not histogram.seen]
        if unseen:
            raise DetrtError(
                "no pictures to calibrate on"
                if len(unseen) == len(self._found)
                else f"nothing was seen of {unseen[0]}",
                remedy="give the calibration `images`, and training data with at least one picture",
            )
        return [{name: range_of(histogram, trial) for name, histogram in self._found.items()} for trial in self.trials]
