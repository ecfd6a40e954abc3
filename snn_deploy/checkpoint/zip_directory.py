"""The members of a zip archive as torch.save writes it: stored, unencrypted, one after the other.

Only what lies where the directory says is accepted: no compression (so nothing can expand), no
duplicate names, no members that overlap, nothing before or behind the archive.

Source of the format: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from snn_deploy.errors import CheckpointError

__all__ = ["TORCH_SCRIPT", "Member", "read_directory", "read_member"]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MAX_MEMBERS = 250_000
_MAX_NAME_BYTES = 1000
_IN_ZIP64 = 0xFFFFFFFF
_ENCRYPTED = 1

TORCH_SCRIPT = (
    "it is a TorchScript archive, which holds code. Load it where it was made (torch.jit.load), "
    "and save its state_dict() with torch.save, beside the run's configuration"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member's bytes are ``file[start : start + size]``; its header begins at ``header``.

    There is no ``crc`` where the archive was written without checksums.
    """

    name: str
    header: int
    start: int
    size: int
    crc: int | None


def read_directory(file: bytes) -> dict[str, Member]:
    """List the members of the archive by their name.

    Raises
    ------
    CheckpointError
        If the archive is truncated or not of the plain kind that torch.save writes.
    """
    try:
        start, end, count = _find_directory(file)
        members = list(_read_entries(file, start, end, count))
    except (struct.error, UnicodeDecodeError):
        raise CheckpointError("its zip directory is damaged") from None
    _check_layout(members, start)
    if all(member.crc == 0 for member in members):  # torch.save leaves checksums out if told to
        members = [replace(member, crc=None) for member in members]
    return {member.name: member for member in members}


def read_member(file: bytes, member: Member) -> memoryview:
    """Give the bytes of ``member``, without a copy, after checking them against their CRC."""
    data = memoryview(file)[member.start : member.start + member.size]
    if member.crc is not None and zlib.crc32(data) != member.crc:
        raise CheckpointError(
            f"its member {member.name!r} is damaged: the checksum (CRC-32) does not match"
        )
    return data


def _find_directory(file: bytes) -> tuple[int, int, int]:
    """Where the central directory starts and ends, and how many entries it has."""
    end = len(file) - _END.size
    if end < 0 or file[end : end + 4] != b"PK\x05\x06":
        raise CheckpointError(
            f"the zip archive is truncated, or something was appended to it: its end record is not "
            f"in the last {_END.size} of {len(file)} bytes. Copy or download it again"
        )
    *_, count, size, start, _ = _END.unpack_from(file, end)
    locator = end - _END64_LOCATOR.size
    if locator >= 0 and file[locator : locator + 4] == b"PK\x06\x07":
        _, _, end, _ = _END64_LOCATOR.unpack_from(file, locator)
        if end > locator or file[end : end + 4] != b"PK\x06\x06":
            raise CheckpointError("its zip directory is damaged")
        *_, count, size, start = _END64.unpack_from(file, end)
    if start + size != end or count > _MAX_MEMBERS:
        raise CheckpointError("its zip directory is damaged")
    return start, end, count


def _read_entries(file: bytes, position: int, end: int, count: int) -> Iterator[Member]:
    for _ in range(count):
        magic, *fields = _CENTRAL.unpack_from(file, position)
        _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment, *rest = fields
        body = position + _CENTRAL.size
        position = body + n_name + n_extra + n_comment
        if magic != b"PK\x01\x02" or position > end or n_name > _MAX_NAME_BYTES:
            raise CheckpointError("its zip directory is damaged")
        name = file[body : body + n_name].decode("utf-8")
        if name.endswith(".npy"):
            raise CheckpointError("it is an archive of numpy arrays; name the checkpoint")
        if method != 0 or flags & _ENCRYPTED:
            raise CheckpointError(_packed(name))
        extra = file[body + n_name : body + n_name + n_extra]
        size, packed, header = _wide_sizes([size, packed, rest[-1]], extra)
        start = _skip_local_header(file, header, name)
        if size != packed:
            raise CheckpointError(f"its member {name!r} has two sizes, {size} and {packed} bytes")
        yield Member(name, header, start, size, crc)


def _packed(name: str) -> str:
    """Say what an archive with a packed member is: TorchScript packs its code."""
    if "/code/" in name:
        return TORCH_SCRIPT
    return (
        f"its member {name!r} is compressed or encrypted, which torch.save never does; "
        "pack the archive again without compression"
    )


def _wide_sizes(sizes: list[int], extra: bytes) -> list[int]:
    """Replace the sizes that do not fit 32 bits by those in the zip64 extra field."""
    position = 0
    while _IN_ZIP64 in sizes:
        tag, length = struct.unpack_from("<2H", extra, position)
        if tag == 1:
            wide = struct.iter_unpack("<Q", extra[position + 4 : position + 4 + length // 8 * 8])
            return [next(wide, (0,))[0] if size == _IN_ZIP64 else size for size in sizes]
        position += 4 + length
    return sizes


def _skip_local_header(file: bytes, header: int, name: str) -> int:
    magic, *_, n_name, n_extra = _LOCAL.unpack_from(file, header)
    body = header + _LOCAL.size
    if magic != b"PK\x03\x04" or file[body : body + n_name] != name.encode():
        raise CheckpointError(f"its member {name!r} is not where its zip directory says")
    start: int = body + n_name + n_extra
    return start


def _check_layout(members: list[Member], directory: int) -> None:
    if len({member.name for member in members}) != len(members):
        raise CheckpointError("its zip directory names a member twice")
    ordered = sorted(members, key=lambda member: member.header)
    limits = [*(member.header for member in ordered[1:]), directory]
    for member, limit in zip(ordered, limits, strict=False):
        if member.start + member.size > limit:
            raise CheckpointError(f"its member {member.name!r} overlaps what follows it")
