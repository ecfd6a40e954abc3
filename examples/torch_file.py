"""Writes checkpoints as ``torch.save`` does, without torch: a zip with a pickle and raw tensors.

``Encoder`` turns plain data and arrays into a pickle of protocol 2. The tests build on it to write
what no genuine program would.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.io.files import atomic_write

__all__ = [
    "Call",
    "Encoder",
    "Global",
    "Raw",
    "Stored",
    "as_stored",
    "members_of",
    "state_dict",
    "write_members",
    "write_zip",
]

Array = npt.NDArray[Any]

STORAGE_CLASSES = {
    "bool": "BoolStorage",
    "uint8": "ByteStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}


@dataclass(frozen=True)
class Global:
    """A name, such as ``torch.FloatStorage``."""

    path: str


@dataclass(frozen=True)
class Call:
    """``path(*arguments)``, then its items, and then its ``state``."""

    path: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] | None = None


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""

    opcodes: bytes


@dataclass(frozen=True)
class Stored:
    """A tensor: a storage class and its bytes, and how the tensor looks into it."""

    storage: str
    data: bytes
    numel: int
    size: tuple[Any, ...]
    stride: tuple[Any, ...]
    offset: Any = 0
    key: str | None = None
    metadata: dict[str, Any] | None = None


def as_stored(array: Array) -> Stored:
    """Give a contiguous tensor with a storage of its own."""
    stride = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
    storage = f"torch.{STORAGE_CLASSES[array.dtype.name]}"
    return Stored(storage, array.tobytes(), array.size, array.shape, stride)


@dataclass
class Encoder:
    """Pickles values and collects the storages they refer to: by key, elements and bytes."""

    storages: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def encode(self, value: Any) -> bytes:
        """Give the opcodes that make ``value``."""
        match value:
            case Raw():
                return value.opcodes
            case list():
                return b"](" + self._all(value) + b"e"
            case tuple():
                return b"(" + self._all(value) + b"t"
            case dict():
                return b"}" + self._items(value)
            case Global():
                return self._name(value.path)
            case Call():
                items = b"" if value.items is None else self._items(value.items)
                made = self._name(value.path) + self.encode(value.arguments) + b"R" + items
                return made if value.state is None else made + self.encode(value.state) + b"b"
            case Stored():
                return self._tensor(value)
            case np.ndarray():
                return self._tensor(as_stored(value))
        return self._scalar(value)

    def pickle(self, value: Any) -> bytes:
        """Give the whole pickle."""
        return b"\x80\x02" + self.encode(value) + b"."

    def reference(self, storage: str, key: str, numel: int) -> tuple[Any, ...]:
        """Give what names a storage outside the pickle."""
        return ("storage", Global(storage), key, "cpu", numel)

    def _scalar(self, value: Any) -> bytes:
        match value:
            case None:
                return b"N"
            case bool():
                return b"\x88" if value else b"\x89"
            case int():
                width = value.bit_length() // 8 + 1
                return b"\x8a" + bytes([width]) + value.to_bytes(width, "little", signed=True)
            case float():
                return b"G" + struct.pack(">d", value)
            case str():
                return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        raise TypeError(type(value))

    def _all(self, values: Iterable[Any]) -> bytes:
        return b"".join(self.encode(value) for value in values)

    def _items(self, table: dict[Any, Any]) -> bytes:
        return b"(" + b"".join(self._all(pair) for pair in table.items()) + b"u"

    def _name(self, path: str) -> bytes:
        module, _, name = path.rpartition(".")
        return f"c{module}\n{name}\n".encode()

    def _tensor(self, tensor: Stored) -> bytes:
        key = tensor.key or str(len(self.storages))
        self.storages[key] = tensor.numel, tensor.data
        pid = self.encode(self.reference(tensor.storage, key, tensor.numel)) + b"Q"
        hooks = Call("collections.OrderedDict")
        more = () if tensor.metadata is None else (tensor.metadata,)
        view = (Raw(pid), tensor.offset, tensor.size, tensor.stride, False, hooks, *more)
        return self.encode(Call("torch._utils._rebuild_tensor_v2", view))


def state_dict(tensors: dict[str, Any]) -> Call:
    """Give a state dict as modules make it: an OrderedDict with attributes."""
    metadata = Call("collections.OrderedDict", items={"": {"version": 1}})
    return Call("collections.OrderedDict", items=tensors, state={"_metadata": metadata})


def write_zip(path: Path, content: Any) -> None:
    """Write ``content`` (plain data, arrays, a :func:`state_dict`) as ``torch.save`` does."""
    with atomic_write(path) as file:
        write_members(file, members_of(Encoder(), content))


def members_of(encoder: Encoder, content: Any, root: str = "archive") -> dict[str, bytes]:
    """Give a file's members by name: the pickle, the storages, and the two that name versions."""
    members = {f"{root}/data.pkl": encoder.pickle(content), f"{root}/byteorder": b"little"}
    members |= {f"{root}/data/{key}": data for key, (_, data) in encoder.storages.items()}
    return members | {f"{root}/version": b"3\n", f"{root}/.data/serialization_id": b"1" * 40}


def write_members(
    file: IO[bytes], members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED
) -> None:
    """Write a zip, every member padded to a multiple of 64 bytes."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            padding = -(file.tell() + 30 + len(name) + 4) % 64
            info.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            archive.writestr(info, data)
