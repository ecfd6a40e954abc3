"""The journal of an evaluation: finished shards, one line each, on disk before the next begins.

A killed run leaves at worst half of one line; that line is dropped and its shard is run again. A
shard counts once, however often it stands in the journal. The first line says what is evaluated,
so that a journal of other data, settings or versions is never continued by mistake.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snn_deploy.errors import OutputError

__all__ = ["Journal", "open_journal"]


class Journal:
    """Finished shards by their number, each a plain JSON value."""

    def __init__(self, path: Path, descriptor: int, task: dict[str, Any]) -> None:
        self.path = path
        self.done: dict[int, Any] = {}
        self._descriptor = descriptor
        self._recover(task)

    def add(self, shard: int, value: Any) -> None:
        """Write a finished shard; it is on disk when this returns."""
        self._append({"shard": shard, "value": value})
        self.done[shard] = value

    def remove(self) -> None:
        """Delete the journal, after its contents are safe elsewhere."""
        self.path.unlink()

    def _recover(self, task: dict[str, Any]) -> None:
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            content = file.read()
        good, size = _whole_lines(content)
        if good and good[0] != {"task": task}:
            raise OutputError(
                f"{self.path} is the journal of another evaluation (other data, deployment or "
                "options): choose another -o, or start anew with --fresh"
            )
        os.ftruncate(self._descriptor, size)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        if not good:
            self._append({"task": task})
        self.done = {int(entry["shard"]): entry["value"] for entry in good[1:]}

    def _append(self, entry: Any) -> None:
        text = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(28, "no space left on device")
            os.fsync(self._descriptor)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; free some space and run the same "
                "command again: it goes on where it stopped"
            ) from error


@contextmanager
def open_journal(path: Path, task: dict[str, Any], fresh: bool) -> Iterator[Journal]:
    """Open or make the journal of ``task``, held by this process alone.

    Raises
    ------
    OutputError
        If it cannot be written, belongs to another task, or another process holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; nothing was run") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(f"{path} is in use: the same evaluation runs already") from error
        if fresh:
            os.ftruncate(descriptor, 0)
        yield Journal(path, descriptor, task)
    finally:
        os.close(descriptor)


def _whole_lines(content: bytes) -> tuple[list[Any], int]:
    """Give the entries up to the first damaged or unfinished line, and where they end."""
    entries: list[Any] = []
    position = 0
    while (end := content.find(b"\n", position)) >= 0:
        checksum, _, text = content[position:end].partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            break
        entries.append(json.loads(text))
        position = end + 1
    return entries, position
