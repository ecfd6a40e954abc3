"""Reading numpy's files, .npy and .npz, without trusting what they declare.

numpy itself takes the word of a header: it evaluates it as Python, and makes room for as many
numbers as it names. Here a header is matched against what numpy writes, and what it declares is
compared with the bytes that are there.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.io.reading import open_regular

__all__ = [
    "Archive",
    "Header",
    "MalformedArrayError",
    "is_possible",
    "memory_bytes",
    "open_archive",
    "read_header",
]

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000  # bytes, as numpy allows
MAX_DIMENSIONS = 32
MAX_MEMBERS = 100_000
MAX_FIELDS = 32  # of a record
READ_BYTES = 2**24  # at a time
DEFLATE_RATIO = 1032  # nothing is compressed more by deflate

_KIND = rb"'([<>|=]?[?a-zA-Z]\d{0,9})'"
_FIELD = re.compile(rb"\s*\(\s*'([^'\\]{1,64})'\s*,\s*" + _KIND + rb"\s*\)\s*(?:,|$)")
_ITEM = (
    rb"\s*'(?:descr'\s*:\s*(?P<descr>" + _KIND + rb"|\[[^\[\]]*\])"
    rb"|fortran_order'\s*:\s*(?P<fortran>True|False)"
    rb"|shape'\s*:\s*\((?P<shape>[\d,\s]*)\))\s*"
)
_ITEMS = re.compile(_ITEM)
_KINDS = "biufcSU"  # plain numbers and text; no objects
_FIELD_KINDS = "biuf"  # of a record


class MalformedArrayError(ValueError):
    """Bytes that are no array, or not the one that they declare; the message is one line."""


def is_possible(shape: Collection[object]) -> bool:
    """Whether an array can have a shape, also an empty one, of which numpy multiplies the rest."""
    sizes = [size for size in shape if type(size) is int and 0 <= size < 2**48]
    every = len(sizes) == len(shape) <= MAX_DIMENSIONS
    return every and math.prod(max(size, 1) for size in sizes) < 2**48


@dataclass(frozen=True)
class Header:
    """What an .npy declares; its numbers begin ``start`` bytes after its own beginning."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self, content: bytearray) -> npt.NDArray[Any]:
        """Give the array that the numbers' bytes are."""
        count = math.prod(self.shape)
        flat = np.frombuffer(content, self.dtype) if count else np.empty(0, self.dtype)
        return flat.reshape(self.shape[::-1]).T if self.fortran else flat.reshape(self.shape)


def read_header(file: IO[bytes], records: bool = False) -> Header:
    """Read the header of an .npy that begins where ``file`` stands.

    Parameters
    ----------
    file
        Open for reading.
    records
        Whether records of plain numbers are taken, too (numpy's structured arrays).

    Raises
    ------
    MalformedArrayError
        If it is no .npy, or one of Python objects or other structures.
    """
    head = file.read(8)
    if len(head) < 8 or not head.startswith(MAGIC):
        raise MalformedArrayError(f"no .npy (its first bytes are {head!r})")
    if head[6] not in (1, 2, 3):
        raise MalformedArrayError(f"an .npy of version {head[6]}; versions 1 to 3 are known")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > MAX_HEADER:
        raise MalformedArrayError(f"an .npy with a header of {length:,} bytes, over {MAX_HEADER:,}")
    text = file.read(length)
    if len(text) != length:
        raise MalformedArrayError("an .npy that ends within its header")
    header = _parse(text, len(head) + width + length)
    if header.dtype.names is not None and not records:
        raise _of_objects(text)
    return header


def _parse(text: bytes, start: int) -> Header:
    body = text.strip()
    fields: dict[str, bytes] = {}
    if body.startswith(b"{") and body.endswith(b"}"):
        position, end = 1, len(body) - 1
        while (match := _ITEMS.match(body, position, end)) is not None:
            fields |= {name: text for name, text in match.groupdict().items() if text is not None}
            position = match.end() + body.startswith(b",", match.end())
        if position == end or not body[position:end].strip():
            return _header(fields, start)
    raise _of_objects(body)


def _of_objects(header: bytes) -> MalformedArrayError:
    objects = b"O'" in header or b"descr': [" in header
    what = "Python objects or structures" if objects else "no array"
    told = f"an .npy of {what}: its header is {header.strip()[:60]!r}; save plain numbers"
    return MalformedArrayError(told)


def _header(fields: dict[str, bytes], start: int) -> Header:
    try:
        dtype = _dtype(fields["descr"])
        sizes = [part.strip() for part in fields["shape"].split(b",")]
        shape = tuple(int(part) for part in sizes if part)
        fortran = fields["fortran"] == b"True"
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise MalformedArrayError(f"an .npy whose header lacks or mistypes {error}") from error
    if dtype.names is None and dtype.kind not in _KINDS:
        raise MalformedArrayError(f"an .npy of {dtype}, which is no plain number; save such")
    if not is_possible(shape):
        raise MalformedArrayError("an .npy of an impossible shape")
    return Header(dtype, shape, fortran, start)


def _dtype(text: bytes) -> np.dtype[Any]:
    """Give what ``'<f8'`` means, or ``[('x', '<i2'), …]``; raises ValueError or TypeError."""
    if not text.startswith(b"["):
        return np.dtype(text.strip(b"'").decode())
    fields: list[tuple[str, np.dtype[Any]]] = []
    position, end = 1, len(text) - 1
    while position < end:
        match = _FIELD.match(text, position, end)
        if match is None or len(fields) == MAX_FIELDS:
            raise ValueError(f"descr: {text[:60]!r}")
        fields.append((match[1].decode(), np.dtype(match[2].decode())))
        position = match.end()
    if not fields or any(kind.kind not in _FIELD_KINDS for _, kind in fields):
        raise ValueError(f"descr: {text[:60]!r}")
    return np.dtype(fields)


class Archive:
    """An open .npz: its arrays by name, each read and checked when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, most: int) -> None:
        self._archive, self._left = archive, most
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise MalformedArrayError(f"{len(infos):,} arrays, over {MAX_MEMBERS:,}")
        self._members = {info.filename.removesuffix(".npy"): info for info in infos}
        if len(self._members) < len(infos):
            raise MalformedArrayError("two arrays of one name")

    @property
    def names(self) -> list[str]:
        """The names of all arrays."""
        return list(self._members)

    def header(self, name: str) -> Header:
        """Read an array's header; raises KeyError, and as :meth:`read`."""
        with self._open(name)[0] as member, _ours():
            return read_header(member)

    def read(self, name: str, records: bool = False) -> npt.NDArray[Any]:
        """Read an array, with ``records`` one of records, too.

        Raises
        ------
        KeyError
            If there is none of that name.
        MalformedArrayError
            If it is damaged, no array, not as long as it says, or too large with those before it.
        """
        stream, info = self._open(name)
        with stream as member, _ours():
            header = read_header(member, records)
            if header.start + header.size != info.file_size:
                raise MalformedArrayError(
                    f"'{name}' declares {header.size:,} bytes of numbers, and has "
                    f"{info.file_size - header.start:,}"
                )
            self._left -= header.size
            if self._left < 0:
                raise MalformedArrayError(f"its arrays need more memory than there is: '{name}'")
            content = bytearray()
            while part := member.read(READ_BYTES):  # the checksum is compared at the end
                content += part
            if len(content) != header.size:
                raise MalformedArrayError(f"'{name}' ends early")
        return header.array(content)

    def _open(self, name: str) -> tuple[IO[bytes], zipfile.ZipInfo]:
        info = self._members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise MalformedArrayError(f"'{name}' is compressed otherwise than numpy does")
        if info.file_size > info.compress_size * DEFLATE_RATIO + 64:
            raise MalformedArrayError(
                f"'{name}' cannot have {info.file_size:,} bytes in {info.compress_size:,}"
            )
        with _ours():
            return self._archive.open(info), info


@contextmanager
def open_archive(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open an .npz while the block runs.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file.
    MalformedArrayError
        If it is no zip file, or a damaged one.
    """
    with open_regular(path) as file:
        with _ours():
            opened = zipfile.ZipFile(file)
        with opened as archive:
            yield Archive(archive, memory_bytes())


@contextmanager
def _ours() -> Iterator[None]:
    """Say of whatever zipfile raises for a damaged archive that it is one."""
    try:
        yield
    except MalformedArrayError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ValueError,
        EOFError,
        KeyError,
        IndexError,
        OverflowError,
        RuntimeError,  # encrypted, or of a method that is not known
        OSError,  # a seek to before the beginning
    ) as error:
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise MalformedArrayError(f"a damaged .npz: {told}") from error


def memory_bytes() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
