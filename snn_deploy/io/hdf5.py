"""HDF5 files of strangers as plain data: dictionaries of arrays and text, and nothing else.

HDF5 can name other files (external links, external storage, virtual datasets), point in circles
(soft links, groups that hold themselves), and declare more than it holds. All of it is looked for
before anything is read; only numbers and text in the file itself are taken.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import BackendUnavailableError, CheckpointError

__all__ = ["Hdf5Tree", "read_hdf5"]

Hdf5Tree = Mapping[str, Any]
"""By name: a tree again, an array of numbers, a text, an array of texts, or a list of rows."""

MOST_BYTES = 1 << 30  # of all arrays together
MOST_OBJECTS = 100_000
MOST_DEPTH = 32
MOST_DIMENSIONS = 8
MOST_RATIO = 1032  # no compression that is allowed gives more bytes for one
UNSTORED = 1 << 16  # bytes of an array that may be declared and never written: zeros
DAMAGE = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError),
    *(SystemError, TypeError, ValueError),
)
"""What h5py raises, wherever libhdf5 or itself stumbles over damaged bytes."""
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


def read_hdf5(content: bytes, where: str, extra: str, events: bool = False) -> Hdf5Tree:
    """Read all groups and arrays of an HDF5 file.

    Parameters
    ----------
    content
        The whole file.
    where
        What messages call it.
    extra
        The extra of this package that brings h5py.
    events
        Whether what events are kept in is taken, too: rows of different lengths, as lists of
        arrays, and records of numbers.

    Raises
    ------
    CheckpointError
        If it is damaged, or holds what is not plain data of its own.
    BackendUnavailableError
        If h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise BackendUnavailableError(
            f"{where}: HDF5 is read with h5py, which is not installed: pip install "
            f"'snn-deploy[{extra}]'"
        ) from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _Walk(where, h5py, events).tree(file, "/", 0)
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{where}: not a readable HDF5 file ({reason})") from error


@dataclass
class _Walk:
    """A walk through one file, which counts what it has taken."""

    where: str
    h5py: Any
    events: bool = False
    objects: int = 0
    size: int = 0

    def tree(self, group: Any, path: str, depth: int) -> dict[str, Any]:
        if depth > MOST_DEPTH:
            raise self.refused(path, f"is nested in a circle, or deeper than {MOST_DEPTH} groups")
        found: dict[str, Any] = {}
        for name in group:
            inside = f"{path.rstrip('/')}/{name}"
            self.objects += 1
            if self.objects > MOST_OBJECTS:
                raise self.refused(path, f"and what is before it are over {MOST_OBJECTS:,} objects")
            link = group.get(name, getlink=True)
            if type(link) is not self.h5py.HardLink:
                told = "points elsewhere (an external or a soft link), which is not followed"
                raise self.refused(inside, told)
            thing = group[name]
            if isinstance(thing, self.h5py.Group):
                found[name] = self.tree(thing, inside, depth + 1)
            elif isinstance(thing, self.h5py.Dataset):
                self._check(thing, inside)
                found[name] = self._value(thing, inside)
            else:
                raise self.refused(inside, "is neither a group nor an array")
        return found

    def _check(self, array: Any, path: str) -> None:
        """Refuse an array whose numbers are not in the file, or cannot be as many as it says."""
        creation = array.id.get_create_plist()
        if array.is_virtual or array.external:
            raise self.refused(path, "keeps its numbers in another file, which is not opened")
        for index in range(creation.get_nfilters()):
            number = creation.get_filter(index)[0]
            if number not in FILTERS:
                known = ", ".join(FILTERS.values())
                raise self.refused(path, f"is stored with filter {number}, not one of {known}")
        if array.shape is None or len(array.shape) > MOST_DIMENSIONS:
            raise self.refused(path, f"is empty, or has over {MOST_DIMENSIONS} dimensions")
        size = math.prod(array.shape) * max(array.dtype.itemsize, 1)
        if size > max(UNSTORED, MOST_RATIO * array.id.get_storage_size()):
            stored = array.id.get_storage_size()
            told = f"declares shape {array.shape}, {size:,} bytes, and stores {stored:,}"
            raise self.refused(path, f"{told}: it cannot hold so many")
        self.size += size
        self._check_room(path)

    def _check_room(self, path: str) -> None:
        if self.size > MOST_BYTES:
            raise self.refused(path, f"and what is before it are over {MOST_BYTES >> 30} GiB")

    def _rows(self, array: Any, path: str) -> list[npt.NDArray[Any]]:
        """Read rows of different lengths, one at a time: many may point at the same numbers."""
        rows = []
        for index in range(len(array)):
            rows.append(np.asarray(array[index]))
            self.size += rows[-1].nbytes
            self._check_room(path)
        return rows

    def _value(self, array: Any, path: str) -> npt.NDArray[Any] | str | list[npt.NDArray[Any]]:
        if self.h5py.check_string_dtype(array.dtype) is not None:
            texts = np.asarray(array.asstr()[()], dtype=object)
            return str(texts) if texts.ndim == 0 else texts
        base = self.h5py.check_vlen_dtype(array.dtype)
        if self.events and base is not None and base.kind in "biuf" and array.ndim == 1:
            return self._rows(array, path)
        kinds = [array.dtype]
        if self.events and array.dtype.names is not None:
            kinds = [array.dtype[name] for name in array.dtype.names]
        if any(kind.kind not in "biuf" or kind.subdtype is not None for kind in kinds):
            raise self.refused(path, f"is of type {array.dtype}: only numbers and text are read")
        return np.asarray(array[()])

    def refused(self, path: str, told: str) -> CheckpointError:
        return CheckpointError(f"{self.where}: '{path}' {told}")
