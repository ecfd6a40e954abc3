"""Writing an .npz whose arrays are larger than memory, part by part, in any order.

The members of a zip file stand one after another, and arrays that grow side by side do not. So each
waits in a file of its own, which has no name: whatever happens to the process, it leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import OutputError
from snn_deploy.io.files import atomic_write, check_writable

__all__ = ["Member", "Npz", "Spool", "cannot_write", "write_npz"]

npy: Any = np.lib.format  # without types

COPIED_BYTES = 2**20
COMPRESSION = 1  # of zlib: what is slower saves little on spikes

Member = tuple[tuple[int, ...], np.dtype[Any], Iterable[bytes]]
"""An array's shape, type, and bytes in C order."""


class Npz:
    """The arrays that an .npz will have; see :func:`write_npz`."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self._members: dict[str, Callable[[], Member]] = {}

    def add(self, name: str, array: npt.ArrayLike) -> None:
        """Add an array that is here."""
        whole = np.ascontiguousarray(array)
        self.add_later(name, lambda: (np.shape(array), whole.dtype, [whole.tobytes()]))

    def add_later(self, name: str, member: Callable[[], Member]) -> None:
        """Add an array that is asked for when the file is written."""
        self._members[name] = member

    def spool(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Spool:
        """Add an array (samples, steps, …) whose parts are written meanwhile."""
        spool = Spool(self.temporary_file(), self.path, shape, np.dtype(dtype))
        self.add_later(name, lambda: (spool.shape, spool.dtype, spool.parts()))
        return spool

    def temporary_file(self) -> IO[bytes]:
        """Make a file without a name, on the disk that the .npz will be on."""
        with cannot_write(self.path):
            return self._stack.enter_context(tempfile.TemporaryFile(dir=self.path.parent))

    def write(self) -> None:
        """Write the file."""
        with (
            atomic_write(self.path) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive,
        ):
            for name, made in self._members.items():
                shape, dtype, parts = made()
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                    npy.write_array_header_1_0(member, header)
                    for part in parts:
                        member.write(part)


@contextmanager
def write_npz(path: str | os.PathLike[str]) -> Iterator[Npz]:
    """Gather arrays, and write them to ``path`` if the block ends without an error.

    Raises
    ------
    OutputError
        If the file cannot be written, or the disk is full; nothing is left behind then.
    """
    check_writable(path)
    with ExitStack() as stack:
        npz = Npz(Path(path).resolve(), stack)
        yield npz
        npz.write()


class Spool:
    """An array (samples, steps, …) on disk, whose parts come in any order."""

    def __init__(
        self, file: IO[bytes], path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._file, self._path = file, path
        self._missing = int(np.prod(shape))

    def write(self, sample: int, step: int, part: npt.NDArray[Any]) -> None:
        """Write ``part`` (b, t, …), which begins at a sample and a step."""
        steps, size = self.shape[1], int(np.prod(self.shape[2:])) * self.dtype.itemsize
        values = np.ascontiguousarray(part, dtype=self.dtype)
        self._missing -= values.size
        if values.shape[1] == steps:  # samples follow each other without a gap
            values = values.reshape(1, -1)
        with cannot_write(self._path):
            for row, signal in enumerate(values):
                self._file.seek(((sample + row) * steps + step) * size)
                self._file.write(signal.tobytes())

    def parts(self) -> Iterator[bytes]:
        """Give all of it, in order."""
        if self._missing:
            raise RuntimeError(f"{self._missing} values of {self.shape} were never written")
        self._file.seek(0)
        while part := self._file.read(COPIED_BYTES):
            yield part


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Say which result could not be written where its temporary files cannot."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise OutputError(
            f"cannot write {path}: {error.strerror or error} ({free / 2**20:,.0f} MiB are free in "
            f"{path.parent}); nothing was written"
        ) from error
