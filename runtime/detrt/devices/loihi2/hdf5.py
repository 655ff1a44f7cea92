"""Reading HDF5 files that strangers send: plain data sets in the file itself, looked at before a value of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detrt.devices.errors import ArtifactError, DeviceError

MOST_BYTES = 1 << 28
"""Of a file: a hundred times the nets that a board of chips holds."""
MOST_VALUES = 1 << 26
"""Of all data sets that are read from a file, together."""
LONGEST_WORD = 64

FAULTS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
)
"""What h5py raises over damaged files, in that much variety."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in a file: `place` is the path of a group or data set in it, such as layer/3/weight."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(slots=True)
class Reader:
    """Reads from a file, and writes down in `problems` what is wrong: a value is None then."""

    problems: list[Problem] = field(default_factory=list)
    _values: int = 0

    def tell(self, place: str, message: str) -> None:
        self.problems.append(Problem(place, message))

    def names(self, group: Any, most: int) -> list[str]:
        """The names in a group, but no more than `most` + 1. What points elsewhere counts as well."""
        try:
            return [str(name) for name in islice(group, most + 1)]
        except FAULTS as error:
            self.tell(_place(group), f"is damaged: {_first_line(error)}")
            return []

    def has(self, group: Any, name: str) -> bool:
        """Whether the group has that name."""
        try:
            return name in group
        except FAULTS as error:
            self.tell(f"{_place(group)}/{name}", f"is damaged: {_first_line(error)}")
            return False

    def child(self, group: Any, name: str, kind: str) -> Any:
        """The `kind` ("group" or "data set") of that name. None where it is missing, without a word; else told."""
        import h5py

        place = f"{group.name.strip('/')}/{name}".strip("/")
        if not self.has(group, name):
            return None
        try:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                self.tell(place, "is a link to somewhere else, and only what the file itself holds is read")
                return None
            item = group[name]
            if not isinstance(item, h5py.Group if kind == "group" else h5py.Dataset):
                self.tell(place, f"is no {kind}")
                return None
        except FAULTS as error:
            self.tell(place, f"is damaged: {_first_line(error)}")
            return None
        return item

    def word(self, group: Any, name: str) -> str | None:
        """A string, or the only one of an array."""
        item = self._item(group, name, "SO")
        if item is None:
            return None
        value = self._value(item)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.ravel()[0]
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace")
        if not isinstance(value, str) or len(value) > LONGEST_WORD or not value.isprintable():
            self.tell(_place(item), "is no word")
            return None
        return value

    def whole(self, group: Any, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number in low .. high; `default` where it is missing, told if that is None."""
        found = self.wholes(group, name, (1,), low, high, None if default is None else (default,))
        return None if found is None else found[0]

    def wholes(
        self, group: Any, name: str, sizes: tuple[int, ...], low: int, high: int, default: tuple[int, ...] | None = None
    ) -> tuple[int, ...] | None:
        """Whole numbers in low .. high, as many as one of `sizes`."""
        if not self.has(group, name):
            if default is None:
                self.tell(f"{_place(group)}/{name}", "is missing")
            return default
        item = self._item(group, name, "iub")
        if item is None:
            return None
        count = int(item.size)
        if count not in sizes or len(item.shape) > 1:
            self.tell(_place(item), f"has the shape {item.shape}; {' or '.join(map(str, sizes))} numbers are expected")
            return None
        value = self._value(item)
        if value is None:
            return None
        numbers = tuple(int(v) for v in np.asarray(value).ravel())
        wrong = next((v for v in numbers if not low <= v <= high), None)
        if wrong is not None:
            self.tell(_place(item), f"is {wrong}, and {low} .. {high} is possible")
            return None
        return numbers

    def integers(self, group: Any, name: str, low: int, high: int) -> npt.NDArray[np.int64] | None:
        """An array of whole numbers in low .. high, whatever type it has; None where it is missing, without a word."""
        if not self.has(group, name):
            return None
        item = self._item(group, name, "fiu")
        if item is None:
            return None
        size = int(item.size)
        if not 0 < size <= MOST_VALUES - self._values:
            room = f"{MOST_VALUES:,} of a file are read" + (f", {self._values:,} before" if self._values else "")
            self.tell(_place(item), f"has {size:,} values; {room}" if size else "has no values")
            return None
        self._values += size
        value = self._value(item)
        if value is None:
            return None
        values = np.asarray(value)
        if values.dtype.kind == "f" and not np.all(np.isfinite(values) & (values == np.trunc(values))):
            self.tell(_place(item), "holds numbers that are not whole")
            return None
        outside = (values < low) | (values > high)
        if outside.any():
            worst = values[outside][np.argmax(np.abs(values[outside].astype(np.float64)))]
            count = int(outside.sum())
            self.tell(
                _place(item), f"has {count:,} of {values.size:,} numbers outside {low} .. {high}, such as {worst:.0f}"
            )
            return None
        return values.astype(np.int64)

    def _item(self, group: Any, name: str, kinds: str) -> Any:
        """A data set of one of numpy's kinds of values, held in the file itself."""
        item = self.child(group, name, "data set")
        if item is None:
            if not self.has(group, name):
                self.tell(f"{_place(group)}/{name}", "is missing")
            return None
        try:
            kind, elsewhere = item.dtype.kind, item.external is not None or item.is_virtual
            large = (item.dtype.itemsize > 8 and kind not in "SO") or item.dtype.itemsize > LONGEST_WORD
        except FAULTS as error:
            self.tell(_place(item), f"is damaged: {_first_line(error)}")
            return None
        if elsewhere:
            self.tell(_place(item), "has its values in another file")
        elif kind not in kinds or large or item.shape is None:
            self.tell(_place(item), f"holds {item.dtype}, not {'a word' if 'S' in kinds else 'numbers'}")
        elif kind in "SO" and item.size != 1:
            self.tell(_place(item), f"has {item.size:,} words; one is expected")
        else:
            return item
        return None

    def _value(self, item: Any) -> Any:
        try:
            return item[()]
        except FAULTS as error:
            self.tell(_place(item), f"is damaged: {_first_line(error)}")
            return None


def _place(item: Any) -> str:
    return str(item.name).strip("/")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF5 file to read from. ArtifactError if it cannot be read, is none or is too large."""
    h5py = _h5py()
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ArtifactError(f"{size:,} bytes, at most {MOST_BYTES:,} are read", path)
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise ArtifactError("there is no such file", path) from error
    except FAULTS as error:
        raise ArtifactError(f"is no HDF5 file that can be read: {_first_line(error)}", path) from error
    try:
        yield file
    finally:
        file.close()


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise DeviceError("`.net` files need h5py, which is not installed", remedy="pip install h5py") from error
    return h5py
