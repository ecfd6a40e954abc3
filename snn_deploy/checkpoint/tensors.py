"""Arrays from the raw bytes of a checkpoint: element types, storages, and strided views of them.

A PyTorch file keeps numbers in flat *storages*; a tensor is an offset, a size and strides (all in
elements) into one of them, and several tensors may share a storage. Nothing here trusts what the
file declares: every view is checked against the bytes that are really there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError

__all__ = [
    "DTYPES",
    "Array",
    "ByteOrder",
    "StorageRef",
    "TensorLoader",
    "TensorRef",
    "decode",
    "itemsize",
]

Array = npt.NDArray[Any]
ByteOrder = Literal["<", ">"]

_NUMPY_CODES = {
    "bool": "u1",
    "uint8": "u1",
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "bfloat16": "u2",
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "complex64": "c8",
    "complex128": "c16",
}
"""torch's name of each element type that can be read, and how its bytes are laid out."""

DTYPES = frozenset(_NUMPY_CODES)

_NATIVE: ByteOrder = "<" if sys.byteorder == "little" else ">"
_MAX_DIMENSIONS = 32
_MAX_EXPANDED = 1 << 20
"""Elements that a tensor may repeat (stride 0) beyond the size of its storage."""


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A flat run of ``numel`` elements, named in the pickle and stored elsewhere in the file."""

    key: str
    dtype: str
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * itemsize(self.dtype)


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A strided view of a storage; ``offset`` and ``stride`` count elements of ``dtype``."""

    storage: StorageRef
    dtype: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def itemsize(dtype: str) -> int:
    """Bytes of one element of torch's ``dtype``."""
    return np.dtype(_NUMPY_CODES[dtype]).itemsize


def decode(data: memoryview, dtype: str, byte_order: ByteOrder = "<") -> Array:
    """View ``data`` as a flat, read-only, native, aligned array; copy only where that needs it.

    bfloat16, which numpy does not have, becomes float32 (exactly); a bool is any byte but 0.
    """
    stored = np.dtype(byte_order + _NUMPY_CODES[dtype])
    values: Array = np.frombuffer(data, stored)
    if dtype == "bfloat16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif dtype == "bool":
        values = values != 0
    elif byte_order != _NATIVE or not values.flags.aligned:
        values = values.astype(stored.newbyteorder("="))
    values.flags.writeable = False
    return values


class TensorLoader:
    """Makes arrays of the tensors of one file, decoding each storage once.

    ``storage_bytes`` gives the raw bytes of a storage, or raises CheckpointError.
    """

    def __init__(
        self, storage_bytes: Callable[[StorageRef], memoryview], byte_order: ByteOrder = "<"
    ) -> None:
        self._storage_bytes = storage_bytes
        self._byte_order = byte_order
        self._decoded: dict[tuple[str, str], Array] = {}

    def __call__(self, tensor: TensorRef) -> Array:
        """Give the read-only array that ``tensor`` describes.

        Raises
        ------
        CheckpointError
            If the tensor reaches outside its storage.
        """
        key = tensor.storage.key, tensor.dtype
        flat = self._decoded.get(key)
        if flat is None:
            data = self._storage_bytes(tensor.storage)
            if len(data) % itemsize(tensor.dtype):
                raise CheckpointError(
                    f"storage {tensor.storage.key!r} has {len(data)} bytes, which is no whole "
                    f"number of {tensor.dtype} elements"
                )
            flat = self._decoded[key] = decode(data, tensor.dtype, self._byte_order)
        return _view(flat, tensor)


def _view(flat: Array, tensor: TensorRef) -> Array:
    _check_geometry(tensor, len(flat))
    width = flat.itemsize
    # The stride of a dimension of size 1 is never used and may hold anything.
    strides = [
        step * width if length > 1 else width
        for length, step in zip(tensor.size, tensor.stride, strict=True)
    ]
    if 0 in tensor.size:
        return np.ndarray(tensor.size, flat.dtype, buffer=flat[:0])
    return np.ndarray(tensor.size, flat.dtype, flat, tensor.offset * width, strides)


def _check_geometry(tensor: TensorRef, available: int) -> None:
    size, stride, offset = tensor.size, tensor.stride, tensor.offset
    where = f"a tensor of size {_brief(size)}, stride {_brief(stride)} and offset {offset}"
    if len(size) != len(stride) or len(size) > _MAX_DIMENSIONS:
        raise CheckpointError(f"{where} is impossible (at most {_MAX_DIMENSIONS} dimensions)")
    if min(size, default=0) < 0 or min(stride, default=0) < 0 or offset < 0:
        raise CheckpointError(f"{where} has a negative entry")
    if math.prod(length or 1 for length in size) > max(available, _MAX_EXPANDED):
        raise CheckpointError(f"{where} is larger than its storage of {available} elements")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= available:
        raise CheckpointError(f"{where} reaches outside its storage of {available} elements")


def _brief(numbers: Iterable[int]) -> str:
    shown = list(numbers)
    return f"({', '.join(map(str, shown[:8]))}{', ...' if len(shown) > 8 else ''})"
