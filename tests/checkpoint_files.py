"""Writes checkpoint files byte by byte, so that the suite needs neither torch nor real files.

``encode`` turns a description into a pickle as torch.save would (protocol 2), or as no genuine
program would: ``Global``, ``Call`` and ``New`` put any name and any call into it.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class Global:
    """A name, such as ``os.system``."""

    path: str


@dataclass(frozen=True)
class Call:
    """``path(*arguments)``, and then ``state`` set with BUILD."""

    path: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] | None = None


@dataclass(frozen=True)
class New:
    """An object of class ``path`` with a ``state``."""

    path: str
    state: Any = None
    arguments: tuple[Any, ...] = ()


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
    """A contiguous tensor with a storage of its own."""
    stride = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
    storage = f"torch.{STORAGE_CLASSES[array.dtype.name]}"
    return Stored(storage, array.tobytes(), array.size, array.shape, stride)


@dataclass
class Encoder:
    """Pickles values and collects the storages they refer to."""

    legacy: bool = False
    storages: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def encode(self, value: Any) -> bytes:
        match value:
            case Raw():
                return value.opcodes
            case list():
                return b"](" + self._all(value) + b"e"
            case tuple():
                return b"(" + self._all(value) + b"t"
            case dict():
                return b"}" + self._items(value)
            case Global() | Call() | New():
                return self._object(value)
            case Stored():
                return self._tensor(value)
            case np.ndarray():
                return self._tensor(as_stored(value))
        return self._scalar(value)

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

    def _object(self, value: Global | Call | New) -> bytes:
        name = self._name(value.path)
        match value:
            case Call():
                items = b"" if value.items is None else self._items(value.items)
                made = name + self.encode(value.arguments) + b"R" + items
            case New():
                made = name + self.encode(value.arguments) + b"\x81"
            case Global():
                return name
        return made if value.state is None else made + self.encode(value.state) + b"b"

    def pickle(self, value: Any) -> bytes:
        return b"\x80\x02" + self.encode(value) + b"."

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
        reference = ("storage", Global(tensor.storage), key, "cpu", tensor.numel)
        pid = self.encode((*reference, None) if self.legacy else reference) + b"Q"
        hooks = Call("collections.OrderedDict")
        more = () if tensor.metadata is None else (tensor.metadata,)
        view = (Raw(pid), tensor.offset, tensor.size, tensor.stride, False, hooks, *more)
        return self.encode(Call("torch._utils._rebuild_tensor_v2", view))


def state_dict(tensors: dict[str, Any]) -> Call:
    """A state dict as modules make it: an OrderedDict with attributes."""
    metadata = Call("collections.OrderedDict", items={"": {"version": 1}})
    return Call("collections.OrderedDict", items=tensors, state={"_metadata": metadata})


def write_zip(
    path: Path,
    content: Any,
    *,
    root: str = "archive",
    extra: dict[str, bytes] | None = None,
    change: Callable[[dict[str, bytes]], None] = lambda members: None,
    byte_order: bytes | None = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Write ``content`` as torch.save does, every member padded to a multiple of 64 bytes."""
    encoder = Encoder()
    members = {f"{root}/data.pkl": encoder.pickle(content)}
    if byte_order is not None:
        members[f"{root}/byteorder"] = byte_order
    members |= {f"{root}/data/{key}": data for key, (_, data) in encoder.storages.items()}
    members |= {f"{root}/version": b"3\n", f"{root}/.data/serialization_id": b"1" * 40}
    members |= extra or {}
    change(members)
    with path.open("wb") as file, zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            padding = -(file.tell() + 30 + len(name) + 4) % 64
            info.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            archive.writestr(info, data)
    return path


def write_legacy(path: Path, content: Any, *, little_endian: bool = True) -> Path:
    """Write ``content`` as torch.save did before 1.6."""
    encoder = Encoder(legacy=True)
    system = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"int": 4}}
    body = encoder.pickle(content)
    heads = [encoder.pickle(value) for value in (LEGACY_MAGIC, 1001, system)]
    keys = encoder.pickle(list(encoder.storages))
    data = [struct.pack("<q", numel) + data for numel, data in encoder.storages.values()]
    path.write_bytes(b"".join([*heads, body, keys, *data]))
    return path


def write_safetensors(
    path: Path,
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]],
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write tensors given as (type, shape, bytes)."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    position = 0
    for name, (dtype, shape, data) in tensors.items():
        end = position + len(data)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    body = b"".join(data for _, _, data in tensors.values())
    return write_safetensors_header(path, json.dumps(header).encode(), body)


def write_safetensors_header(path: Path, header: bytes, body: bytes) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path
