"""Safetensors files with one JSON document, checksummed by a digest over every byte.

The document sits in the safetensors metadata. Its field ``sha256`` is the digest of the whole file
with that field's digits set to zero, so that any changed byte is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ForeignFileError", "is_whole", "read_checksummed", "with_checksum"]

_ZEROS = "0" * 64
# the document is a string within the header, so its own quotes are escaped there
_DIGEST_FIELD = b'\\"sha256\\":\\"'


class ForeignFileError(Exception):
    """Bytes that are no such file; the message is one line."""


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


def read_checksummed(
    key: str, content: bytes
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Take a file apart, without trusting it: see :func:`is_whole`.

    Raises
    ------
    ForeignFileError
        If it is damaged beyond reading, or no such file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, npt.NDArray[np.generic]] = load(content)
        size = int.from_bytes(content[:8], "little")
        document = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][key])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ForeignFileError(_first_line(error)) from error
    if not isinstance(document, dict):
        raise ForeignFileError("its description is no JSON object")
    return document, tensors


def is_whole(content: bytes, digest: Any) -> bool:
    """Whether ``digest``, the document's ``sha256``, is that of the file."""
    stored = _DIGEST_FIELD + str(digest).encode()
    blank = content.replace(stored, _DIGEST_FIELD + _ZEROS.encode(), 1)
    return bool(hashlib.sha256(blank).hexdigest() == digest)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
