"""Files that are broken, foreign or tampered with give one clear error, never a wrong result."""

from __future__ import annotations

import gc
import io
import json
import os
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import (
    Global,
    New,
    Stored,
    state_dict,
    write_legacy,
    write_safetensors,
    write_safetensors_header,
    write_zip,
)

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.errors import CheckpointError
from snn_deploy.printable import printable

WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
CONTENT = {
    "epoch": 1,
    "state_dict": state_dict({"w": WEIGHT, "n": np.array(3, np.int64)}),
    "hyper_parameters": {"lr": 0.1, "x": [New("omegaconf.nodes.AnyNode", {"_val": "${y}"})]},
    "hparams_type": Global("omegaconf.dictconfig.DictConfig"),
}


def refused(path: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"cannot use the checkpoint {printable(str(path))}: ")


def test_not_a_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.ckpt", "no such file")
    refused(tmp_path, "it is a folder; name the checkpoint file in it")
    refused(tmp_path / ("x" * 300), "name too long")
    refused(Path("a\0b"), "null")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    refused(fifo, "not a regular file")
    refused(Path(os.devnull), "not a regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    path.chmod(0)
    refused(path, "permission denied")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"x", "neither a PyTorch checkpoint nor safetensors"),
        (b"epoch,loss\n1,0.5\n" * 40, "neither a PyTorch checkpoint nor safetensors"),
        (bytes(1000), "neither a PyTorch checkpoint nor safetensors"),
        (random.Random(3).randbytes(1000), "neither a PyTorch checkpoint nor safetensors"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"PK\x03\x04", "truncated"),
        (b"PK\x05\x06" + bytes(18), "without a data.pkl"),
        (b"PK\x05\x06" + b"\xff" * 18, "zip directory is damaged"),
        (b"\x80\x02}q\x00.", "a pickle that was not written by torch.save"),
        (b"\x80", "damaged at byte"),
        (b"\xff" * 8 + b"{}", "its header should have 18446744073709551615 bytes"),
    ],
)
def test_foreign_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(data)
    refused(path, message)


def test_other_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=WEIGHT)
    refused(tmp_path / "x.npz", "archive of numpy arrays; name the checkpoint")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    refused(tmp_path / "x.tar", "a tar file: unpack it first; if PyTorch before 0.1.10")


@pytest.mark.parametrize("name", ["archive/constants.pkl", "archive/code/model.py"])
def test_torchscript(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT, extra={name: b"x"})
    refused(path, "TorchScript archive, which holds code")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "it holds no tensors"),
        ({"state_dict": {}}, "it holds no tensors"),
        (WEIGHT, "a single array, not a state dict"),
        ([1], "a single list, not a state dict"),
        ({"state_dict": [WEIGHT]}, "its state_dict is not a table"),
        ({"model": {"w": "x"}, "epoch": 1}, r"'model' is no tensor \(it holds 'model', 'epoch'"),
        ({"state_dict": {"w": WEIGHT, "extra": {}}}, "'extra' is no tensor"),
        ({5: WEIGHT}, "'5' is no tensor"),
        ({"w\x1b[2J": WEIGHT}, r"no printable text, 'w\\x1b"),
        ({"state_dict": {"w": WEIGHT}, "hyper_parameters": 5}, "hyper_parameters are not a table"),
    ],
)
def test_other_contents(tmp_path: Path, content: Any, message: str) -> None:
    refused(write_zip(tmp_path / "x.pt", content), message)
    refused(write_legacy(tmp_path / "x.pt", content), message)


@pytest.mark.parametrize("member", ["data.pkl", "byteorder", "data/0", "data/1"])
def test_a_wrong_checksum(tmp_path: Path, member: str) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    with zipfile.ZipFile(path) as archive:
        data = archive.read(f"archive/{member}")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"Z" + data) + 1] ^= 1
    path.write_bytes(raw)
    refused(path, f"member 'archive/{member}' is damaged: the checksum")


def test_what_is_appended(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    data = path.read_bytes()
    path.write_bytes(data + b"\0")
    refused(path, "truncated, or something was appended")
    path.write_bytes(data[:-100])
    refused(path, f"end record is not in the last 22 of {len(data) - 100} bytes")
    path.write_bytes(data[:4] + data)
    refused(path, "zip directory is damaged")


def test_compressed_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT, compression=zipfile.ZIP_DEFLATED)
    refused(path, r"'archive/data\.pkl' is compressed or encrypted")


def pop(members: dict[str, bytes], name: str) -> None:
    del members[f"archive/{name}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: pop(m, "data.pkl"), r"without a data\.pkl"),
        (lambda m: pop(m, "data/0"), "no data for storage '0'"),
        (
            lambda m: m.update({"archive/data/0": bytes(44)}),
            "44 bytes where the pickle declares 12",
        ),
        (lambda m: m.update({"archive/data/0": bytes(52)}), "12 elements of float32, 48 bytes"),
        (lambda m: m.update({"archive/byteorder": b"middle"}), "its byte order is b'middle'"),
        (lambda m: m.update({"../../etc/passwd": b""}), "several root folders"),
        (lambda m: m.update({"/etc/passwd": b""}), "several root folders"),
        (lambda m: m.update({"other/data.pkl": b"N."}), "several root folders"),
    ],
)
def test_odd_members(tmp_path: Path, change: Callable[..., None], message: str) -> None:
    refused(write_zip(tmp_path / "x.pt", CONTENT, change=change), message)


def edit_directory(path: Path, name: bytes, offset: int, value: bytes) -> None:
    """Overwrite a field of a member's entry in the central directory."""
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
    data[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(data)


def test_a_name_twice(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    data = path.read_bytes().replace(b"archive/data/1", b"archive/data/0")
    path.write_bytes(data)
    refused(path, "names a member twice")


def test_members_that_overlap(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    edit_directory(path, b"archive/data/0", 20, struct.pack("<2L", 500, 500))
    refused(path, "'archive/data/0' overlaps what follows it")


def test_two_sizes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    edit_directory(path, b"archive/data/0", 20, struct.pack("<2L", 48, 40))
    refused(path, "'archive/data/0' has two sizes, 40 and 48 bytes")


def test_a_header_that_is_elsewhere(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    edit_directory(path, b"archive/data/0", 42, struct.pack("<L", 0))
    refused(path, "'archive/data/0' is not where its zip directory says")
    edit_directory(path, b"archive/data/0", 42, struct.pack("<L", 2**31))
    refused(path, "zip directory is damaged")


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.pt", CONTENT)
    edit_directory(path, b"archive/data/0", 8, struct.pack("<H", 1))
    refused(path, "compressed or encrypted")


def test_one_storage_with_two_sizes(tmp_path: Path) -> None:
    long, short = (
        Stored("torch.FloatStorage", bytes(4 * n), n, (1,), (1,), key="0") for n in (3, 2)
    )
    refused(write_zip(tmp_path / "x.pt", {"a": long, "b": short}), "declared with two sizes")


def test_zip64(tmp_path: Path) -> None:
    """Sizes in the zip64 fields, as torch writes them for large files."""
    path = write_zip(tmp_path / "x.pt", CONTENT)
    data = path.read_bytes()
    *_, count, size, start, _ = struct.unpack("<4s4H2LH", data[-22:])
    directory, entries = data[start : start + size], b""
    for _ in range(count):
        fields = list(struct.unpack_from("<4s6H3L5H2L", directory))
        name, rest = directory[46 : 46 + fields[10]], 46 + sum(fields[10:13])
        directory = directory[rest:]
        extra = struct.pack("<2H4s2H3Q", 9, 4, b"else", 1, 24, fields[9], fields[8], fields[16])
        fields[8] = fields[9] = fields[16] = 0xFFFFFFFF
        fields[11] = len(extra)
        entries += struct.pack("<4s6H3L5H2L", *fields) + name + extra
    size = len(entries)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, 2**32 - 1, 2**32 - 1, 0)
    path.write_bytes(data[:start] + entries + end64 + locator + end)
    assert same(read_checkpoint(path), read_checkpoint(write_zip(tmp_path / "y.pt", CONTENT)))
    path.write_bytes(data[:start] + entries + end64[1:] + b"\0" + locator + end)
    refused(path, "zip directory is damaged")


def test_legacy_damage(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "x.pt", {"w": WEIGHT, "v": WEIGHT})
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    refused(path, "the file is truncated: storage '1' ends behind it")
    path.write_bytes(data + b"abc")
    refused(path, "3 bytes too many at its end")
    path.write_bytes(data.replace(struct.pack("<q", 12), struct.pack("<q", 11)))
    refused(path, "storage '0' has another size than its pickle declares")
    keys = b"](X\x01\0\0\0" + b"0X\x01\0\0\0" + b"1e."
    assert keys in data
    path.write_bytes(data.replace(keys, keys.replace(b"1e", b"2e")))
    refused(path, "its list of storages does not match")
    path.write_bytes(data.replace(keys, b"](]Ne."))
    refused(path, "its list of storages does not match")
    path.write_bytes(data.replace(b"\x8a\x02\xe9\x03.", b"\x8a\x02\xe8\x03."))
    refused(path, "a version other than 1001")
    write_legacy(path, {"w": WEIGHT}, little_endian=False)
    refused(path, "big-endian machine in the legacy format")


FLOATS = ("F32", (3,), bytes(12))


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        (b"{", b"", "it is not JSON"),
        (b"{" * 100_000, b"", "it is not JSON"),
        (b'{"a": ' + b"[" * 200_000, b"", "it is not JSON"),
        (b'{"\xff": 1}', b"", "it is not JSON"),
        (b'{"a": 1, "a": 2}', b"", "names something twice"),
        (b'{"a": 1}', b"", "describes tensor 'a' incompletely"),
        (b'{"__metadata__": {"a": 1}}', b"", "its metadata is not a table of strings"),
        (b'{"__metadata__": 1}', b"", "its metadata is not a table of strings"),
        (b"{}", b"", "it holds no tensors"),
    ],
)
def test_safetensors_headers(tmp_path: Path, header: bytes, body: bytes, message: str) -> None:
    refused(write_safetensors_header(tmp_path / "x.safetensors", header, body), message)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F8_E4M3"}, "has type 'F8_E4M3'; known are BOOL, U8"),
        ({"dtype": "F64"}, "has 12 bytes where its shape and type need 24"),
        ({"shape": [4]}, "has 12 bytes where its shape and type need 16"),
        ({"shape": [-3]}, "impossible shape"),
        ({"shape": ["3"]}, "impossible shape"),
        ({"shape": [3] + [1] * 40}, "impossible shape"),
        ({"shape": [10**4000]}, "impossible shape"),
        ({"shape": [2**62] * 30}, "where its shape and type need"),
        ({"shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}, "bytes that are no tensor's"),
        ({"shape": 3}, "describes tensor 'a' incompletely"),
        ({"data_offsets": [0, 8]}, "the file has 4 bytes that are no tensor's"),
        ({"data_offsets": [4, 12]}, "begins at byte 4 of the data where 0 is expected"),
        ({"data_offsets": [0, 16]}, "does not lie in the file: it is truncated"),
        ({"data_offsets": [12, 0]}, "does not lie in the file"),
        ({"data_offsets": [-1, 12]}, "does not lie in the file"),
        ({"data_offsets": [0]}, "describes tensor 'a' incompletely"),
    ],
)
def test_safetensors_entries(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    good = {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}
    header = json.dumps({"a": good | entry}).encode()
    refused(write_safetensors_header(tmp_path / "x.safetensors", header, bytes(12)), message)


def test_a_huge_empty_safetensor(tmp_path: Path) -> None:
    tensors = {"a": ("F32", (0, 2**62, 2**62), b"")}
    refused(write_safetensors(tmp_path / "x.safetensors", tensors), "larger than its storage")


def test_a_safetensors_name_of_control_characters(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"\ud800": FLOATS})
    refused(path, r"no printable text, '\\ud800'")


def same(a: Checkpoint, b: Checkpoint) -> bool:
    return (
        list(a.tensors) == list(b.tensors)
        and all(np.array_equal(a.tensors[key], b.tensors[key]) for key in a.tensors)
        and (a.config, a.extras) == (b.config, b.extras)
    )


def make_zip(path: Path) -> Path:
    return write_zip(path, CONTENT)


def make_legacy(path: Path) -> Path:
    return write_legacy(path, CONTENT)


def make_safetensors(path: Path) -> Path:
    return write_safetensors(path, {"a": FLOATS, "b": ("I64", (), bytes(8))}, {"x": "y"})


makers = pytest.mark.parametrize("make", [make_zip, make_legacy, make_safetensors])


@makers
def test_truncated_files_are_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "x")
    data = path.read_bytes()
    for length in range(0, len(data), 5):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


@makers
def test_changed_bytes(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Either one clear error or, in a zip with its checksums, the very same contents."""
    path = make(tmp_path / "x")
    data, good = path.read_bytes(), read_checkpoint(path)
    generator = random.Random(20_240_131)
    read = 0
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(generator.choice([1, 1, 1, 2, 8])):
            position = generator.randrange(len(data))
            changed[position] = generator.choice([0, 255, changed[position] ^ 1, 46, 82, 98, 40])
        path.write_bytes(changed)
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError:
            continue
        read += 1
        assert make is not make_zip or same(checkpoint, good)
    assert read


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_stays_open(tmp_path: Path) -> None:
    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    path = make_zip(tmp_path / "x.pt")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(path.read_bytes()[:-1])
    before = count()
    for _ in range(5):
        read_checkpoint(path)
        with pytest.raises(CheckpointError):
            read_checkpoint(broken)
    assert count() == before
