"""An .npy on disk, of which only what is asked for is in memory.

It is read, not mapped: whoever shortens a mapped file kills the process that looks at it. Each time
it must still be the file that was opened first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.io.arrays import MalformedArrayError, memory_bytes, read_header
from snn_deploy.io.reading import Stamp, open_regular

__all__ = ["ArrayFile"]


class ArrayFile:
    """An array (sequences, …) in an .npy file.

    It can be indexed by sequences, ``array[rows]``, and by sequences and steps,
    ``array[rows, start:stop]``; rows are a slice or an array of integers. With ``records`` it may
    be one of records of plain numbers.

    Raises
    ------
    DataError
        If there is no such file, or it is no .npy of plain numbers.
    """

    def __init__(self, file: Path, records: bool = False) -> None:
        self.path = file
        try:
            with open_regular(file) as opened:
                self.stamp = Stamp.of(opened.fileno())
                self._header = read_header(opened, records)
        except (OSError, MalformedArrayError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{file}: not a readable .npy ({reason})") from error
        self.shape, self.dtype = self._header.shape, self._header.dtype
        self._check_size()
        if not self.shape:
            raise DataError(f"{file}: not an array of sequences")
        self._whole = self._read_whole() if self._header.fortran else None

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        if self._whole is not None:
            return np.array(self._whole[part])
        with self._opened() as file:
            return self._read(file.fileno(), *(part if isinstance(part, tuple) else (part,)))

    def _read(self, descriptor: int, chosen: Any, steps: slice = slice(None)) -> npt.NDArray[Any]:
        rows = range(*chosen.indices(len(self))) if isinstance(chosen, slice) else chosen
        span = range(*steps.indices(self.shape[1])) if self.ndim > 1 else range(1)
        inner = (len(span), *self.shape[2:]) if self.ndim > 1 else ()
        found = np.empty((len(rows), *inner), self.dtype)
        if inner == self.shape[1:] and isinstance(rows, range) and rows.step == 1:
            self._fill(descriptor, found, rows.start, 0)  # they follow each other without a gap
        else:
            for place, row in enumerate(rows):
                self._fill(descriptor, found[place : place + 1], int(row), span.start)
        return found

    def _fill(self, descriptor: int, target: npt.NDArray[Any], row: int, step: int) -> None:
        """Read what follows a row's step, as much as ``target`` takes."""
        row_size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        step_size = int(np.prod(self.shape[2:])) * self.dtype.itemsize
        position = self._header.start + row * row_size + step * step_size
        view = memoryview(target.reshape(-1).view(np.uint8)) if target.size else memoryview(b"")  # type: ignore[arg-type]
        while view:
            count = os.preadv(descriptor, [view], position)
            if not count:
                raise DataError(f"{self.path}: became shorter while it was read")
            view, position = view[count:], position + count

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """Open the file for the block, before and after which it must be as it was at first."""
        try:
            with open_regular(self.path) as file:
                self._check_stamp(file)
                yield file
                self._check_stamp(file)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read any more: {error.strerror}") from error

    def _check_stamp(self, file: IO[bytes]) -> None:
        if Stamp.of(file.fileno()) != self.stamp:
            raise DataError(f"{self.path} was changed while it was read: run again")

    def _check_size(self) -> None:
        available = self.stamp.size - self._header.start
        if available != self._header.size:
            raise DataError(
                f"{self.path}: not a readable .npy (it declares {self._header.size:,} bytes of "
                f"numbers, and has {available:,})"
            )

    def _read_whole(self) -> npt.NDArray[Any]:
        """Read an array whose sequences do not follow each other."""
        if self._header.size > memory_bytes():
            raise DataError(
                f"{self.path}: larger than memory, and in Fortran's order: save it again with "
                "numpy.ascontiguousarray"
            )
        with self._opened() as file:
            file.seek(self._header.start)
            return self._header.array(bytearray(file.read(self._header.size)))
