"""The safetensors container: the length of a JSON header, the header, then all tensors in a row.

Source of the format: https://github.com/huggingface/safetensors, "Format". The header is checked
here, against the bytes, so that a damaged file gets a message of ours.
"""

from __future__ import annotations

import json
import math
from typing import Any

from snn_deploy.checkpoint.tensors import Array, StorageRef, TensorLoader, TensorRef
from snn_deploy.errors import CheckpointError

__all__ = ["read_safetensors"]

_MAX_HEADER_BYTES = 32 << 20
_MAX_DIMENSIONS = 32
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}


def read_safetensors(file: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the tensors by name, and the free metadata.

    Raises
    ------
    CheckpointError
        If the file is truncated, or its header is damaged or does not fit the file.
    """
    length = int.from_bytes(file[:8], "little")
    start = 8 + length
    if length > _MAX_HEADER_BYTES or start > len(file):
        raise CheckpointError(
            f"its header should have {length} bytes, but the file has {len(file)}: it is "
            "truncated, or not a safetensors file"
        )
    header = _parse_header(file[8:start])
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError("its metadata is not a table of strings")
    body = memoryview(file)[start:]
    ranges = {name: _byte_range(name, entry, len(body)) for name, entry in header.items()}
    _check_coverage(ranges, len(body))

    def storage_bytes(storage: StorageRef) -> memoryview:
        begin, end = ranges[storage.key]
        if end - begin != storage.nbytes:
            raise CheckpointError(
                f"tensor {storage.key!r} has {end - begin} bytes where its shape and type need "
                f"{storage.nbytes}"
            )
        return body[begin:end]

    load = TensorLoader(storage_bytes)
    return {name: load(_describe(name, entry)) for name, entry in header.items()}, metadata


def _parse_header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise CheckpointError("its header is damaged: it is not JSON") from None
    if not isinstance(header, dict):
        raise CheckpointError("its header is damaged: it is not a table of tensors")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise CheckpointError("its header names something twice")
    return table


def _byte_range(name: str, entry: object, available: int) -> tuple[int, int]:
    match entry:
        case {"dtype": str(), "shape": list(), "data_offsets": [int(begin), int(end)]}:
            if not 0 <= begin <= end <= available:
                raise CheckpointError(f"tensor {name!r} does not lie in the file: it is truncated")
            return begin, end
    raise CheckpointError(f"its header describes tensor {name!r} incompletely")


def _check_coverage(ranges: dict[str, tuple[int, int]], available: int) -> None:
    """The tensors must follow each other without gap or overlap, up to the end of the file."""
    position = 0
    for name, (begin, end) in sorted(ranges.items(), key=lambda item: item[1]):
        if begin != position:
            raise CheckpointError(
                f"tensor {name!r} begins at byte {begin} of the data where {position} is expected: "
                "the header is damaged"
            )
        position = end
    if position != available:
        raise CheckpointError(f"the file has {available - position} bytes that are no tensor's")


def _describe(name: str, entry: dict[str, Any]) -> TensorRef:
    dtype, shape = _DTYPES.get(entry["dtype"]), tuple(entry["shape"])
    if dtype is None:
        known = ", ".join(_DTYPES)
        raise CheckpointError(f"tensor {name!r} has type {entry['dtype']!r}; known are {known}")
    if len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or n >> 63 for n in shape):
        raise CheckpointError(f"tensor {name!r} has an impossible shape")
    stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return TensorRef(StorageRef(name, dtype, math.prod(shape)), dtype, 0, shape, stride)
