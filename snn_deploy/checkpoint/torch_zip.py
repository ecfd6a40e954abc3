"""PyTorch's zip container: ``<root>/data.pkl`` and one member ``<root>/data/<key>`` a storage.

Written by torch.save since 1.6. The storages are stored uncompressed, so arrays are views of the
mapped file.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.checkpoint.plain_data import to_plain_data
from snn_deploy.checkpoint.tensors import ByteOrder, StorageRef, TensorLoader
from snn_deploy.checkpoint.unpickle import unpickle
from snn_deploy.checkpoint.zip_directory import TORCH_SCRIPT, Member, read_directory, read_member
from snn_deploy.errors import CheckpointError

__all__ = ["read_torch_zip"]

_MAX_PICKLE_BYTES = 256 << 20
_BYTE_ORDERS: dict[bytes, ByteOrder] = {b"little": "<", b"big": ">"}


def read_torch_zip(file: bytes) -> Any:
    """Read the object that torch.save stored, as plain data.

    Raises
    ------
    CheckpointError
        If the archive is damaged, is something else, or holds more than tensors and plain data.
    """
    members = read_directory(file)
    root = _find_root(members)

    def storage_bytes(storage: StorageRef) -> memoryview:
        member = members.get(f"{root}/data/{storage.key}")
        if member is None:
            raise CheckpointError(f"the archive has no data for storage {storage.key!r}")
        if member.size != storage.nbytes:
            raise CheckpointError(
                f"its member {member.name!r} has {member.size} bytes where the pickle declares "
                f"{storage.numel} elements of {storage.dtype}, {storage.nbytes} bytes"
            )
        return read_member(file, member)

    loader = TensorLoader(storage_bytes, _byte_order(file, members.get(f"{root}/byteorder")))
    pickled = unpickle(_read_pickle(file, members[f"{root}/data.pkl"]))
    return to_plain_data(pickled.value, loader)


def _read_pickle(file: bytes, member: Member) -> bytes:
    if member.size > _MAX_PICKLE_BYTES:
        raise CheckpointError(f"its pickle has {member.size} bytes, more than {_MAX_PICKLE_BYTES}")
    return bytes(read_member(file, member))


def _find_root(members: dict[str, Member]) -> str:
    """The one folder that holds everything; torch names it after the file, or ``archive``."""
    roots = sorted({name.partition("/")[0] for name in members})
    root = roots[0] if roots else ""
    if len(roots) > 1 and any(name.endswith("/data.pkl") for name in members):
        raise CheckpointError(f"the archive has several root folders ({roots[:5]}), not one")
    if f"{root}/constants.pkl" in members or any(
        name.startswith(f"{root}/code/") for name in members
    ):
        raise CheckpointError(TORCH_SCRIPT)
    if f"{root}/archive_format" in members or f"{root}/models/model.json" in members:
        raise CheckpointError(
            "it is an archive of torch.export, which holds a traced graph. Save the model's "
            "state_dict() with torch.save, beside the run's configuration"
        )
    if f"{root}/data.pkl" not in members:
        raise CheckpointError("it is a zip archive without a data.pkl: not written by torch.save")
    return root


def _byte_order(file: bytes, member: Member | None) -> ByteOrder:
    if member is None:  # before torch 2.1, which only wrote little-endian files
        return "<"
    name = bytes(read_member(file, member))
    if name not in _BYTE_ORDERS:
        raise CheckpointError(f"its byte order is {name[:20]!r}; 'little' and 'big' can be read")
    return _BYTE_ORDERS[name]
