"""Opening and reading what a user, or a file, names: regular files of bounded size, nothing else.

A pipe would hang whoever opens it, and a device has no end.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

__all__ = ["Stamp", "file_digest", "open_regular", "read_regular"]

READ_BYTES = 2**24  # at a time

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Stamp:
    """What tells a file from itself after a change: inode, size in bytes, time of writing in ns."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, file: PathLike | int) -> Stamp:
        """Take the stamp of a path or of an open file's descriptor."""
        found = os.stat(file)  # noqa: PTH116 - of a descriptor, too
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)

    def anywhere(self) -> Stamp:
        """Give the stamp as other machines see the file, which number inodes otherwise."""
        return replace(self, inode=0)

    def fits(self, expected: Stamp) -> bool:
        """Whether this is the stamp that was expected, which may come from elsewhere."""
        return self == expected or self.anywhere() == expected


def open_regular(path: PathLike, most: int | None = None) -> IO[bytes]:
    """Open a regular file of at most ``most`` bytes for reading; links to one are followed.

    Raises
    ------
    OSError
        Whose ``strerror`` says what is there instead, also for names that no file can have.
    """
    try:
        _check(path, Path(path).stat(), most)  # before opening, which can set a device going
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        told = f"no file can have this name ({error})"
        raise OSError(errno.EINVAL, told, os.fspath(path)) from error
    file = os.fdopen(descriptor, "rb")
    try:
        _check(path, os.fstat(descriptor), most)
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: PathLike, most: int) -> bytes:
    """Read the whole of a regular file of at most ``most`` bytes; raises as ``open_regular``."""
    with open_regular(path, most) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)  # not more than there is: as much memory is made ready
    if len(content) != size:
        raise OSError(errno.EIO, "it was changed while it was read", os.fspath(path))
    return content


def file_digest(path: PathLike) -> str:
    """Give the SHA-256 of a regular file in hexadecimal; raises as ``open_regular``."""
    sha = hashlib.sha256()
    with open_regular(path) as file:
        while part := file.read(READ_BYTES):
            sha.update(part)
    return sha.hexdigest()


def _check(path: PathLike, found: os.stat_result, most: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", os.fspath(path))
    if not stat.S_ISREG(found.st_mode):
        told = "it is not a regular file, but a pipe, a device or a socket"
        raise OSError(errno.EINVAL, told, os.fspath(path))
    if most is not None and found.st_size > most:
        raise _too_large(path, most)


def _too_large(path: PathLike, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {most:,} bytes", os.fspath(path))
