"""Writes checkpoint files byte by byte, so that the suite needs neither torch nor real files.

``Encoder`` turns a description into a pickle as torch.save would (protocol 2), or as no genuine
program would: ``Global``, ``Call`` and ``New`` put any name and any call into it.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snn_deploy.examples import torch_file
from snn_deploy.examples.torch_file import (
    STORAGE_CLASSES,
    Call,
    Global,
    Raw,
    Stored,
    as_stored,
    state_dict,
)

__all__ = [
    "STORAGE_CLASSES",
    "Call",
    "Encoder",
    "Global",
    "New",
    "Raw",
    "Stored",
    "as_stored",
    "state_dict",
    "write_legacy",
    "write_safetensors",
    "write_safetensors_header",
    "write_zip",
]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class New:
    """An object of class ``path`` with a ``state``."""

    path: str
    state: Any = None
    arguments: tuple[Any, ...] = ()


@dataclass
class Encoder(torch_file.Encoder):
    """Also makes objects without calling their class, and references as files before 1.6 have."""

    legacy: bool = False

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, New):
            return super().encode(value)
        made = self._name(value.path) + self.encode(value.arguments) + b"\x81"
        return made if value.state is None else made + self.encode(value.state) + b"b"

    def reference(self, storage: str, key: str, numel: int) -> tuple[Any, ...]:
        named = super().reference(storage, key, numel)
        return (*named, None) if self.legacy else named


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
    members = torch_file.members_of(Encoder(), content, root)
    if byte_order is None:
        del members[f"{root}/byteorder"]
    else:
        members[f"{root}/byteorder"] = byte_order
    members |= extra or {}
    change(members)
    with path.open("wb") as file:
        torch_file.write_members(file, members, compression)
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
