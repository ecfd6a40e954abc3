"""PyTorch's container before 1.6: five pickles in a row, then the raw storages.

The pickles are a magic number, a protocol number, the writer's system, the object, and the keys of
the storages in the order in which their bytes follow: an int64 element count, then the elements.
The format has no checksums.
"""

from __future__ import annotations

import struct
from typing import Any

from snn_deploy.checkpoint.plain_data import to_plain_data
from snn_deploy.checkpoint.tensors import StorageRef, TensorLoader
from snn_deploy.checkpoint.unpickle import unpickle
from snn_deploy.errors import CheckpointError

__all__ = ["read_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read_legacy(file: bytes) -> Any:
    """Read the object that torch.save stored, as plain data.

    Raises
    ------
    CheckpointError
        If the file is damaged, is something else, or holds more than tensors and plain data.
    """
    magic = unpickle(file)
    if magic.value != _MAGIC:
        raise CheckpointError("it is a pickle that was not written by torch.save")
    protocol = unpickle(file, magic.end)
    system = unpickle(file, protocol.end)
    if protocol.value != _PROTOCOL:
        raise CheckpointError(f"its legacy format has a version other than {_PROTOCOL}")
    if not isinstance(system.value, dict) or system.value.get("little_endian") is not True:
        raise CheckpointError("it was written on a big-endian machine in the legacy format")
    content = unpickle(file, system.end)
    keys = unpickle(file, content.end)
    storages = _locate_storages(file, keys.end, keys.value, content.storages)
    return to_plain_data(content.value, TensorLoader(lambda storage: storages[storage.key]))


def _locate_storages(
    file: bytes, position: int, keys: object, declared: dict[str, StorageRef]
) -> dict[str, memoryview]:
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or sorted(keys) != sorted(declared)
    ):
        raise CheckpointError("its list of storages does not match its pickle")
    found = {}
    for key in keys:
        storage = declared[key]
        header = file[position : position + 8]
        start = position + 8
        position = start + storage.nbytes
        if position > len(file):
            raise CheckpointError(f"the file is truncated: storage {key!r} ends behind it")
        if header != struct.pack("<q", storage.numel):
            raise CheckpointError(f"storage {key!r} has another size than its pickle declares")
        found[key] = memoryview(file)[start:position]
    if position != len(file):
        raise CheckpointError(f"the file has {len(file) - position} bytes too many at its end")
    return found
