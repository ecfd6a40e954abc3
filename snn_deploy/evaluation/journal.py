"""The journal of an evaluation: finished shards, one line each, on disk before the next begins.

Its first line says what is evaluated, so that one of other data, settings or versions is never
continued by mistake; it is there from the file's first moment, so that what does not begin with
one is no journal, and is left alone. A killed run leaves at worst half of a last line: that is
dropped, and its shard is run again. A shard counts once, however often it stands in the journal.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snn_deploy.errors import OutputError, SnnDeployWarning
from snn_deploy.io.files import create_file
from snn_deploy.io.schema import DIGEST, TEXT, Choice, Record, Schema, SchemaError, Text, Whole

__all__ = ["Journal", "open_journal"]

MAX_BYTES = 1 << 30
LARGEST = 2**62

TASK = Record(
    {
        "task": Record(
            {
                "schema_version": Whole(0, LARGEST),
                "tool_version": TEXT,
                "deployment_sha256": DIGEST,
                "data_sha256": DIGEST,
                "backend": Text(64, "[a-z]+"),
                "shard_size": Whole(1, LARGEST),
            }
        )
    }
)


class Journal:
    """Finished shards by their number, each a plain JSON value that ``values`` allows.

    Parameters
    ----------
    path, descriptor
        The open file.
    task
        What is evaluated.
    values
        By the shard's number, for each shard that there is: what its value must be.
    """

    def __init__(
        self, path: Path, descriptor: int, task: dict[str, Any], values: Mapping[int, Schema]
    ) -> None:
        self.path = path
        self.done: dict[int, Any] = {}
        self._descriptor = descriptor
        self._recover(task, values)

    def add(self, shard: int, value: Any) -> None:
        """Write a finished shard; it is on disk when this returns."""
        try:
            line = _line({"shard": shard, "value": value})
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; free some space and run the same "
                "command again: it goes on where it stopped"
            ) from error
        self.done[shard] = value

    def remove(self) -> None:
        """Delete the journal, after its contents are safe elsewhere."""
        if _is_at(self.path, self._descriptor):
            self.path.unlink()

    def _recover(self, task: dict[str, Any], values: Mapping[int, Schema]) -> None:
        """Take in the finished shards, and say which cannot be used."""
        first, *lines = _read(self._descriptor).split(b"\n")
        if _entry(first) != {"task": task}:
            raise OutputError(
                f"{self.path} is the journal of another evaluation (other data, deployment or "
                "options): choose another -o, or start anew with --fresh"
            )
        unfinished = len(lines.pop()) if lines else 0
        os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - unfinished)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        damaged = []
        for number, line in enumerate(lines, start=2):
            entry = _entry(line)
            if entry is None:
                damaged.append(number)
            else:
                shard = self._checked(entry, number, values)
                self.done[shard] = entry["value"]
        if damaged:
            told = ", ".join(map(str, damaged[:8])) + (" …" if len(damaged) > 8 else "")
            warnings.warn(
                f"{self.path}: {len(damaged)} of {len(lines)} finished shards are damaged (line "
                f"{told}) and are run again",
                SnnDeployWarning,
                stacklevel=2,
            )

    def _checked(self, entry: Any, number: int, values: Mapping[int, Schema]) -> int:
        try:
            Record({"shard": Choice(values), "value": _Anything()}).check(entry, "")
            shard = int(entry["shard"])
            values[shard].check(entry["value"], f"shard {shard}")
        except SchemaError as error:
            raise OutputError(
                f"{self.path}, line {number}: not what this evaluation would have written: "
                f"{error}; start anew with --fresh"
            ) from error
        return shard


@contextmanager
def open_journal(
    path: Path, task: dict[str, Any], values: Mapping[int, Schema], fresh: bool
) -> Iterator[Journal]:
    """Open or make the journal of ``task``, held by this process alone; see :class:`Journal`.

    ``fresh`` discards one that is there, whatever it is of; what is no journal is left alone.

    Raises
    ------
    OutputError
        If it cannot be written, is no journal or that of another task, or another process holds it.
    """
    descriptor = _open(path, task)
    try:
        _lock(path, descriptor)
        _check(path, descriptor)
        if fresh and _finished(descriptor):
            old, descriptor = descriptor, _begin_anew(path, descriptor, task)
            os.close(old)
            _lock(path, descriptor)
        yield Journal(path, descriptor, task, values)
    finally:
        os.close(descriptor)


def _open(path: Path, task: dict[str, Any]) -> int:
    """Make a journal, or open what is there; never through a link."""
    try:
        return create_file(path, _line({"task": task}))
    except FileExistsError:
        pass
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; nothing was run") from error
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _no_journal(path) from error


def _check(path: Path, descriptor: int) -> None:
    """Refuse, unchanged, what no evaluation wrote."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MAX_BYTES:
        raise _no_journal(path)
    first, *lines = _read(descriptor).split(b"\n")
    try:
        TASK.check(_entry(first), "")
    except SchemaError as error:
        finished = sum(_entry(line) is not None for line in lines)
        if not finished:
            raise _no_journal(path) from error
        raise OutputError(
            f"{path}: the first line of this journal, which says what was evaluated, is damaged, "
            f"so its {finished} finished shards cannot be used; delete it, or choose another -o"
        ) from error


def _no_journal(path: Path) -> OutputError:
    return OutputError(
        f"{path} is there and is no journal of an evaluation, so it is left alone; choose another "
        "-o, or move it away"
    )


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(f"{path} is in use: the same evaluation runs already") from error
    if not _is_at(path, descriptor):  # it was finished, and removed, in this moment
        raise OutputError(f"{path} is in use: the same evaluation ends just now; run again")


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _finished(descriptor: int) -> int:
    """How many shards a journal has; 0 of one that was made just now."""
    return _read(descriptor).count(b"\n") - 1


def _begin_anew(path: Path, descriptor: int, task: dict[str, Any]) -> int:
    """Put a new journal in the place of one that is there, and say what was in that."""
    told = f"{path}: {_finished(descriptor)} finished shards of an earlier run are discarded"
    warnings.warn(f"{told} (--fresh)", SnnDeployWarning, stacklevel=3)
    path.unlink()
    try:
        return create_file(path, _line({"task": task}))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; nothing was run") from error


def _read(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read(min(os.fstat(descriptor).st_size, MAX_BYTES))


def _line(entry: Any) -> bytes:
    text = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _entry(line: bytes) -> Any:
    """Give what a whole line says; None of any other."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class _Anything:
    def check(self, value: Any, where: str) -> None: ...
