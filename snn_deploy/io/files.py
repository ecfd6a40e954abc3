"""Writing result files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from snn_deploy.errors import OutputError

__all__ = ["atomic_write", "check_distinct", "check_outputs", "check_writable", "create_file"]

PREFIX = ".snn-deploy-"
OPEN_FILES = "/proc/self/fd"


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a binary file that becomes ``path`` only if the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to disk, and are renamed over
    ``path``. On any error the temporary file is removed and an existing ``path`` stays as it was.
    Where the system can, that file has no name before it is complete: a killed process leaves none.

    Raises
    ------
    OutputError
        If ``path`` is no regular file, its folder is missing or not writable, or the disk is full.
    """
    target = _regular(path)
    temporary: str | None = None
    try:
        descriptor, temporary = _new_file(target.parent)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            os.chmod(descriptor, 0o666 & ~_umask())
            temporary = temporary or _named(descriptor, target.parent)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise OutputError(_cannot_write(target, error)) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def create_file(path: Path, content: bytes) -> int:
    """Make a file that is not there yet, whole from its first moment, and give its descriptor.

    Raises
    ------
    FileExistsError
        If anything of that name is there, a link that leads nowhere among it.
    OSError
        If it cannot be written; nothing is left behind then.
    """
    descriptor, name = _new_file(path.parent)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
        os.chmod(descriptor, 0o666 & ~_umask())
        name = name or _named(descriptor, path.parent)
        os.link(name, path, follow_symlinks=False)
    except OSError:
        os.close(descriptor)
        raise
    finally:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
    return descriptor


def _new_file(folder: Path) -> tuple[int, str | None]:
    """Open a new file in a folder, and give its name if it has one."""
    unnamed = getattr(os, "O_TMPFILE", None)
    if unnamed is not None and Path(OPEN_FILES).is_dir():
        with contextlib.suppress(OSError):  # not every file system can
            return os.open(folder, unnamed | os.O_RDWR, 0o600), None
    return tempfile.mkstemp(prefix=PREFIX, dir=folder)


def _named(descriptor: int, folder: Path) -> str:
    """Give a file without a name one."""
    name = str(folder / f"{PREFIX}{secrets.token_hex(8)}")
    # with a folder's descriptor, even one that is not looked at, links on the way are followed
    os.link(f"{OPEN_FILES}/{descriptor}", name, src_dir_fd=descriptor)
    return name


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


def check_outputs(
    outputs: Iterable[str | os.PathLike[str] | None], *sources: str | os.PathLike[str] | None
) -> None:
    """Refuse any of ``outputs`` that :func:`check_writable` or :func:`check_distinct` does.

    Raises
    ------
    OutputError
        Naming the first.
    """
    wanted = [path for path in outputs if path]
    check_distinct(*wanted)
    for path in wanted:
        check_writable(path, *sources)


def check_distinct(*paths: str | os.PathLike[str] | None) -> None:
    """Refuse to write two results to one file.

    Raises
    ------
    OutputError
        Naming the file.
    """
    targets = [_regular(path) for path in paths if path]
    for target in targets:
        if targets.count(target) > 1:
            raise OutputError(f"cannot write {target}: two results would go there; name another")


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
