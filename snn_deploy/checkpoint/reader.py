"""What a checkpoint holds, whatever container it is in: tensors, configuration, the rest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snn_deploy.checkpoint.config_file import read_config
from snn_deploy.checkpoint.contents import ANY, Choice, divide
from snn_deploy.checkpoint.folder import INDEX, file_in, read_shards
from snn_deploy.checkpoint.legacy import read_legacy
from snn_deploy.checkpoint.recognise import Container, recognise
from snn_deploy.checkpoint.safetensors_file import read_safetensors
from snn_deploy.checkpoint.tensors import Array
from snn_deploy.checkpoint.torch_zip import read_torch_zip
from snn_deploy.errors import CheckpointError
from snn_deploy.io.reading import read_regular

__all__ = ["Checkpoint", "Container", "read_checkpoint", "read_checkpoint_bytes", "read_torch"]

MAX_BYTES = 16 << 30


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The contents of a checkpoint file, as plain data and read-only arrays.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        SHA-256 of the whole file, in hexadecimal; of several files, of the SHA-256s of each.
    container : {"zip", "legacy", "safetensors", "module", "shards"}
        PyTorch's format since 1.6, its older one, safetensors, a module in memory, or several
        files and their index.
    tensors : dict of str to array
        The model's state dict: keys, shapes and element types as stored, but bfloat16 as float32
        (the same values). Arrays are read-only views of the file's bytes where its layout allows.
    config : dict or None
        The hyper-parameters, or what the configuration file says. Interpolations are not resolved:
        ``${...}`` is a string like any other.
    extras : dict
        Everything else at the top level of the file (``optimizer_states``, ``epoch``, ...; the
        ``__metadata__`` of safetensors). Tuples and sets are lists, types are their names, objects
        of other classes a :class:`~snn_deploy.checkpoint.plain_data.Record` of their attributes.
    found_under : str
        The key that holds the state dict, where it is neither ``state_dict`` nor the whole file.
    """

    path: Path
    sha256: str
    container: Container
    tensors: dict[str, Array]
    config: dict[str, Any] | None
    extras: dict[str, Any]
    found_under: str = ""


def read_checkpoint(
    path: str | os.PathLike[str],
    config: str | os.PathLike[str] | None = None,
    choice: Choice = ANY,
) -> Checkpoint:
    """Read a PyTorch or safetensors checkpoint without running anything that is in it.

    Lightning checkpoints (``state_dict``, ``hyper_parameters``, ...), bare and nested state dicts
    and whole modules are understood. Checksums, sizes and strides are verified; whether the
    *values* make sense is for the converter to say.

    Parameters
    ----------
    path : path
        The checkpoint; or a folder of Hugging Face's libraries, or the index of its shards.
    config : path, optional
        A YAML or JSON file that is used instead of the hyper-parameters in the checkpoint. Without
        it, a ``config.json`` beside a safetensors file is read.
    choice
        Which state dict is meant, where there are several, and what in it is left out.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is damaged, or asks for more than tensors and plain data.
    ConfigError
        If the configuration file cannot be used.
    """
    path = Path(path)
    config_path = None if config is None else Path(config)
    try:
        if os.path.isdir(path):  # noqa: PTH112 - names that no file can have are no folders
            path = file_in(path)
        if path.name.endswith(INDEX):
            checkpoint = _read_index(path, choice)
        else:
            checkpoint = _read(path, _content(path), choice)
    except CheckpointError as error:
        raise CheckpointError(f"cannot use the checkpoint {path}: {str(error)[:1000]}") from None
    if config_path is None and checkpoint.container in ("safetensors", "shards"):
        beside = path.with_name("config.json")
        config_path = beside if os.path.lexists(beside) else None
    if config_path is None:
        return checkpoint
    return dataclasses.replace(checkpoint, config=read_config(config_path))


def read_checkpoint_bytes(content: bytes, choice: Choice = ANY) -> Checkpoint:
    """Read a checkpoint whose file's bytes are in memory; see :func:`read_checkpoint`.

    Raises
    ------
    CheckpointError
        If they are damaged, or ask for more than tensors and plain data.
    """
    try:
        return _read(Path("checkpoint"), content, choice)
    except CheckpointError as error:
        raise CheckpointError(f"cannot use the checkpoint's bytes: {str(error)[:1000]}") from None


def read_torch(file: bytes) -> Any:
    """Read what torch.save stored, in either of its containers, as plain data.

    Raises
    ------
    CheckpointError
        If it is neither, damaged, or holds more than tensors and plain data.
    """
    container = recognise(file)
    if container == "safetensors":
        raise CheckpointError("it is a safetensors file, which torch.save does not write")
    return read_torch_zip(file) if container == "zip" else read_legacy(file)


def _content(path: Path) -> bytes:
    """Read the whole file: what is mapped instead can be changed, or cut short, by others."""
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise CheckpointError((error.strerror or str(error)).lower()) from None


def _read_index(index: Path, choice: Choice) -> Checkpoint:
    """Read the shards that an index lists as one state dict."""
    try:
        tensors, contents = read_shards(
            index, MAX_BYTES, lambda file: _read(index, file, ANY).tensors
        )
    except OSError as error:
        raise CheckpointError((error.strerror or str(error)).lower()) from None
    found = divide(tensors, choice)
    sha = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents))
    return Checkpoint(index, sha.hexdigest(), "shards", found.tensors, None, {})


def _read(path: Path, file: bytes, choice: Choice) -> Checkpoint:
    if not file:
        raise CheckpointError("the file is empty")
    container = recognise(file)
    if container == "safetensors":
        content, metadata = read_safetensors(file)
        found = divide(content, choice)
        found = dataclasses.replace(found, extras={"__metadata__": metadata} if metadata else {})
    else:
        found = divide(read_torch(file), choice)
    if not found.tensors:
        raise CheckpointError("it holds no tensors")
    return Checkpoint(
        path,
        hashlib.sha256(file).hexdigest(),
        container,
        found.tensors,
        found.config,
        found.extras,
        found.found_under,
    )
