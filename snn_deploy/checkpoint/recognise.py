"""Which container a file is, by its first bytes; and what else people take for a checkpoint."""

from __future__ import annotations

from typing import Literal

from snn_deploy.errors import CheckpointError

__all__ = ["Container", "recognise"]

Container = Literal["zip", "legacy", "safetensors", "module", "shards"]

_SAVE_AGAIN = "Save the model's state_dict() with torch.save where it was trained"
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer, not the file itself: run 'git lfs pull' where you cloned it",
    ),
    (b"\x89HDF\r\n\x1a\n", f"it is an HDF5 file (Keras, MATLAB or lava-dl). {_SAVE_AGAIN}"),
    (b"\x93NUMPY", f"it is a numpy array, not a network. {_SAVE_AGAIN}"),
    (b"\x1f\x8b", "it is compressed with gzip: unpack it first (gunzip, or tar xzf)"),
    (b"BZh", "it is compressed with bzip2: unpack it first (bunzip2)"),
    (b"\xfd7zXZ\x00", "it is compressed with xz: unpack it first (unxz)"),
    (b"(\xb5/\xfd", "it is compressed with zstd: unpack it first (unzstd)"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first"),
    (b"GGUF", f"it is a GGUF file of a language model. {_SAVE_AGAIN}"),
)
"""First bytes, and what they tell."""
_PAGES = (b"<!doctype", b"<html", b"<?xml")


def recognise(file: bytes) -> Container:
    """Give the container of a checkpoint file.

    Raises
    ------
    CheckpointError
        If it is none: saying what it is instead, as far as that can be seen, and what to do.
    """
    head = file[:264]
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x80"):
        return "legacy"
    if head[8:9] == b"{":
        return "safetensors"
    raise CheckpointError(_what_it_is(head))


def _what_it_is(head: bytes) -> str:
    for start, told in _OTHERS:
        if head.startswith(start):
            return told
    if head[257:262] == b"ustar":
        return (
            "it is a tar file: unpack it first; if PyTorch before 0.1.10 wrote it, save it again "
            "with a later one"
        )
    if head.lstrip().lower().startswith(_PAGES):
        return "it is a web page, not the file: the download was not of the file itself"
    if head.lstrip().startswith(b"{"):
        return (
            "it is JSON text, no weights: name the checkpoint, and give a configuration with "
            "--config FILE"
        )
    return f"it is neither a PyTorch checkpoint nor safetensors (its first bytes are {head[:8]!r})"
