"""Safetensors files with one JSON document, checksummed by a digest over every byte.

The document sits in the safetensors metadata. Its field ``sha256`` is the digest of the whole file
with that field's digits set to zero, so that any changed byte is found. Anyone can compute one, so
nothing is trusted because it fits: what the header declares is compared with the bytes that are
there before anything is read, and the document's own schema is the caller's.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.io.arrays import is_possible
from snn_deploy.io.reading import open_regular

__all__ = [
    "Contents",
    "ForeignFileError",
    "Tensors",
    "has_document",
    "read_checksummed",
    "with_checksum",
]

MAX_FILE_BYTES = 4 << 30
MAX_HEADER_BYTES = 16 << 20
MAX_DIMENSIONS = 8

Tensors = dict[str, npt.NDArray[Any]]

_ZEROS = "0" * 64
# the document is a string within the header, so its own quotes are escaped there
_DIGEST_FIELD = b'\\"sha256\\":\\"'
_TYPES = {"I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}


class ForeignFileError(Exception):
    """Bytes that are no such file; the message is one line."""


@dataclass(frozen=True)
class Contents:
    """What is in a file: its document, its tensors, and whether the digest fits (``whole``)."""

    document: dict[str, Any]
    tensors: Tensors
    whole: bool


def with_checksum(
    key: str, document: Mapping[str, Any], tensors: dict[str, npt.NDArray[Any]]
) -> bytes:
    """Give a file's bytes; the same document and tensors give the same bytes.

    ``key`` is the document's name in the metadata, and tells kinds of file apart.
    """
    from safetensors.numpy import save

    text = json.dumps({**document, "sha256": _ZEROS}, sort_keys=True, separators=(",", ":"))
    content: bytes = save(tensors, metadata={key: text})
    digest = hashlib.sha256(content).hexdigest().encode()
    return content.replace(_DIGEST_FIELD + _ZEROS.encode(), _DIGEST_FIELD + digest, 1)


def read_checksummed(key: str, path: str | os.PathLike[str]) -> Contents:
    """Take a file apart, without trusting it.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or larger than ``MAX_FILE_BYTES``.
    ForeignFileError
        If it is damaged beyond reading, or no such file.
    """
    with open_regular(path, MAX_FILE_BYTES) as file:
        available = os.fstat(file.fileno()).st_size
        header = _read_header(file, available)
        declared, metadata = _parse(header)
        size = available - 8 - len(header)
        places = _places(declared, size)  # before the tensors' bytes are read
        document = _document(metadata, key)
        body = bytearray(size)
        if file.readinto(body) != size:  # type: ignore[attr-defined]  # a buffered file has it
            raise ForeignFileError("it became shorter while it was read")
    whole = _is_whole(header, body, document.get("sha256"))
    return Contents(document, {name: _array(body, *place) for name, place in places.items()}, whole)


def has_document(key: str, path: str | os.PathLike[str]) -> bool:
    """Tell by its first bytes whether a file holds such a document, without trusting it."""
    try:
        with open_regular(path) as file:
            size = int.from_bytes(file.read(8), "little")
            return size <= MAX_HEADER_BYTES and f'"{key}":'.encode() in file.read(size)
    except OSError:
        return False


def _read_header(file: IO[bytes], available: int) -> bytes:
    size = int.from_bytes(file.read(8), "little")
    if available < 8 or size > min(available - 8, MAX_HEADER_BYTES):
        raise ForeignFileError(f"a header of {size:,} bytes in a file of {available:,}")
    return file.read(size)


def _parse(header: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the tensors that the header declares, and the metadata."""
    table = _load(header)
    if not isinstance(table, dict):
        raise ForeignFileError("its header is no JSON object")
    metadata = table.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise ForeignFileError("it has no metadata")
    return table, metadata


def _document(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    text = metadata.get(key)
    if not isinstance(text, str):
        raise ForeignFileError(f"it has no description under '{key}'")
    document = _load(text)
    if not isinstance(document, dict):
        raise ForeignFileError("its description is no JSON object")
    return document


def _load(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ForeignFileError("its JSON is nested too deeply") from error
    except ValueError as error:  # also numbers of thousands of digits
        raise ForeignFileError(" ".join(str(error).split())[:200]) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


Place = tuple[np.dtype[Any], tuple[int, ...], int]
"""A tensor's type, shape, and its first byte after the header."""


def _places(declared: dict[str, Any], available: int) -> dict[str, Place]:
    """Compare what is declared with the bytes that are there: no gap, no overlap, no remainder."""
    found = {name: _place(name, entry) for name, entry in declared.items()}
    position = 0
    for name, (dtype, shape, begin) in sorted(found.items(), key=lambda item: item[1][2]):
        size = math.prod(shape) * dtype.itemsize
        end = declared[name]["data_offsets"][1]
        if begin > position or end - begin != size or (size and begin != position):
            raise ForeignFileError(f"tensor {name[:100]!r} of shape {shape} is not where it says")
        position = max(position, end)
    if position != available:
        raise ForeignFileError(f"its tensors have {position:,} bytes, the file {available:,}")
    return found


def _place(name: str, entry: Any) -> Place:
    match entry:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            whole = all(type(n) is int and 0 <= n < 2**48 for n in (begin, end))
            if kind in _TYPES and whole and len(shape) <= MAX_DIMENSIONS and is_possible(shape):
                return np.dtype(_TYPES[kind]), tuple(shape), begin
    raise ForeignFileError(f"its header describes tensor {name[:100]!r} wrongly")


def _array(body: bytearray, dtype: np.dtype[Any], shape: tuple[int, ...], begin: int) -> Any:
    count = math.prod(shape)
    flat = np.frombuffer(body, dtype, count, begin) if count else np.empty(0, dtype)
    native = flat.astype(dtype.newbyteorder("="), copy=not flat.flags.aligned)
    return native.reshape(shape)


def _is_whole(header: bytes, body: bytearray, digest: Any) -> bool:
    """Whether ``digest``, the document's ``sha256``, is that of the file."""
    stored = _DIGEST_FIELD + str(digest)[:64].encode("utf-8", "replace")
    sha = hashlib.sha256(len(header).to_bytes(8, "little"))
    sha.update(header.replace(stored, _DIGEST_FIELD + _ZEROS.encode(), 1))
    sha.update(body)
    return bool(sha.hexdigest() == digest)
