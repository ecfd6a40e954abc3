"""Writing result files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from snn_deploy.errors import OutputError

__all__ = ["atomic_write", "check_writable"]


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a binary file that becomes ``path`` only if the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to disk, and are renamed over
    ``path``. On any error the temporary file is removed and an existing ``path`` stays as it was.

    Raises
    ------
    OutputError
        If ``path`` is no regular file, its folder is missing or not writable, or the disk is full.
    """
    target = _regular(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".snn-deploy-", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise OutputError(_cannot_write(target, error)) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: str | os.PathLike[str], *sources: str | os.PathLike[str] | None) -> None:
    """Refuse an unwritable ``path`` before long work starts.

    Raises
    ------
    OutputError
        If ``path`` is no regular file, or one of ``sources``, which are read; or if its folder is
        missing or not writable.
    """
    target = _regular(path)
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: the folder {target.parent} does not exist")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"cannot write {target}: no permission to write in {target.parent}")
    for source in sources:
        if source and target.exists() and Path(source).exists() and target.samefile(source):
            raise OutputError(f"cannot write {target}: this command reads it; name another")


def _regular(path: str | os.PathLike[str]) -> Path:
    """Give the file that ``path`` names, through symbolic links; it need not be there yet."""
    try:
        target = Path(path).resolve()
        folder, special = target.is_dir(), target.exists() and not target.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, a null byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"cannot write {os.fspath(path)!r}: {reason}; name another") from error
    if folder:
        raise OutputError(f"cannot write {target}: it is a folder; name a file")
    if special:  # renaming over a device would replace it
        raise OutputError(f"cannot write {target}: it is not a regular file; name another")
    return target


def _cannot_write(target: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"cannot write {target}: {reason}; nothing was written"


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
