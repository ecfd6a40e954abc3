"""Opening a checkpoint file: mapped into memory, read-only, with a clear word when it cannot be."""

from __future__ import annotations

import mmap
import os
import stat
import tempfile
from pathlib import Path

from snn_deploy.errors import CheckpointError

__all__ = ["map_bytes", "map_file"]


def map_file(path: Path) -> mmap.mmap:
    """Map the whole of ``path``; the mapping lives as long as anything uses it.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is a folder, a device, empty or unreadable.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise CheckpointError("it is a folder; name the checkpoint file in it")
        if not stat.S_ISREG(mode):
            raise CheckpointError("it is not a regular file")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError("the file is empty")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise CheckpointError((reason or str(error)).lower()) from None


def map_bytes(content: bytes) -> mmap.mmap:
    """Map bytes as if they were a file's, read-only like it.

    Raises
    ------
    CheckpointError
        If there are none.
    """
    if not content:
        raise CheckpointError("there are no bytes")
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
