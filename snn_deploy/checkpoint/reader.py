"""What a checkpoint holds, whatever container it is in: tensors, configuration, the rest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from snn_deploy.checkpoint.config_file import read_config
from snn_deploy.checkpoint.legacy import read_legacy
from snn_deploy.checkpoint.safetensors_file import read_safetensors
from snn_deploy.checkpoint.tensors import Array
from snn_deploy.checkpoint.torch_zip import read_torch_zip
from snn_deploy.errors import CheckpointError
from snn_deploy.io.reading import read_regular

__all__ = ["Checkpoint", "Container", "read_checkpoint", "read_checkpoint_bytes"]

MAX_BYTES = 16 << 30

Container = Literal["zip", "legacy", "safetensors", "module"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The contents of a checkpoint file, as plain data and read-only arrays.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        SHA-256 of the whole file, in hexadecimal.
    container : {"zip", "legacy", "safetensors", "module"}
        PyTorch's format since 1.6, its older one, safetensors, or a module in memory.
    tensors : dict of str to array
        The model's state dict: keys, shapes and element types as stored, but bfloat16 as float32
        (the same values). Arrays are read-only views of the file's bytes where its layout allows.
    config : dict or None
        The hyper-parameters, or what the configuration file says. Interpolations are not resolved:
        ``${...}`` is a string like any other.
    extras : dict
        Everything else at the top level of the file (``optimizer_states``, ``epoch``, ...; the
        ``__metadata__`` of safetensors). Tuples and sets are lists, types are their names.
    """

    path: Path
    sha256: str
    container: Container
    tensors: dict[str, Array]
    config: dict[str, Any] | None
    extras: dict[str, Any]


def read_checkpoint(
    path: str | os.PathLike[str], config: str | os.PathLike[str] | None = None
) -> Checkpoint:
    """Read a PyTorch or safetensors checkpoint without running anything that is in it.

    Lightning checkpoints (``state_dict``, ``hyper_parameters``, ...) and bare state dicts are
    understood. Checksums, sizes and strides are verified; whether the *values* make sense is for
    the converter to say.

    Parameters
    ----------
    path : path
        The checkpoint.
    config : path, optional
        A YAML or JSON file that is used instead of the hyper-parameters in the checkpoint. Without
        it, a ``config.json`` beside a safetensors file is read.

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
        checkpoint = _read(path, _content(path))
    except CheckpointError as error:
        raise CheckpointError(f"cannot use the checkpoint {path}: {str(error)[:1000]}") from None
    if config_path is None and checkpoint.container == "safetensors":
        beside = path.with_name("config.json")
        config_path = beside if os.path.lexists(beside) else None
    if config_path is None:
        return checkpoint
    return dataclasses.replace(checkpoint, config=read_config(config_path))


def read_checkpoint_bytes(content: bytes) -> Checkpoint:
    """Read a checkpoint whose file's bytes are in memory; see :func:`read_checkpoint`.

    Raises
    ------
    CheckpointError
        If they are damaged, or ask for more than tensors and plain data.
    """
    try:
        return _read(Path("checkpoint"), content)
    except CheckpointError as error:
        raise CheckpointError(f"cannot use the checkpoint's bytes: {str(error)[:1000]}") from None


def _content(path: Path) -> bytes:
    """Read the whole file: what is mapped instead can be changed, or cut short, by others."""
    try:
        return read_regular(path, MAX_BYTES)
    except IsADirectoryError:
        raise CheckpointError("it is a folder; name the checkpoint file in it") from None
    except OSError as error:
        raise CheckpointError((error.strerror or str(error)).lower()) from None


def _read(path: Path, file: bytes) -> Checkpoint:
    if not file:
        raise CheckpointError("the file is empty")
    container = _recognise(file)
    if container == "safetensors":
        tensors, metadata = read_safetensors(file)
        config, extras = None, {"__metadata__": metadata} if metadata else {}
        _check_state_dict(tensors)
    else:
        content = read_torch_zip(file) if container == "zip" else read_legacy(file)
        tensors, config, extras = _divide(content)
    if not tensors:
        raise CheckpointError("it holds no tensors")
    return Checkpoint(path, hashlib.sha256(file).hexdigest(), container, tensors, config, extras)


def _recognise(file: bytes) -> Container:
    head = file[:264]
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x80"):
        return "legacy"
    if head[8:9] == b"{":
        return "safetensors"
    if head[257:262] == b"ustar":
        raise CheckpointError("it is a tar file, PyTorch's format before 0.1.10; save it again")
    raise CheckpointError(
        f"it is neither a PyTorch checkpoint nor safetensors (its first bytes are {head[:8]!r})"
    )


def _divide(content: object) -> tuple[dict[str, Array], dict[str, Any] | None, dict[str, Any]]:
    """Tell tensors, configuration and the rest apart, in a Lightning or a bare state dict."""
    if not isinstance(content, dict):
        kind = "array" if isinstance(content, np.ndarray) else type(content).__name__
        raise CheckpointError(f"it holds a single {kind}, not a state dict")
    if "state_dict" not in content:
        return _check_state_dict(content), None, {}
    extras = dict(content)
    tensors = _check_state_dict(extras.pop("state_dict"))
    config = extras.pop("hyper_parameters", None)
    if config is not None and not isinstance(config, dict):
        raise CheckpointError("its hyper_parameters are not a table of names and values")
    return tensors, config, extras


def _check_state_dict(table: object) -> dict[str, Array]:
    if not isinstance(table, dict):
        raise CheckpointError("its state_dict is not a table of tensors")
    for key, value in table.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            names = ", ".join(repr(str(name)[:40]) for name in list(table)[:8])
            raise CheckpointError(
                f"it is not a state dict: its entry {str(key)[:100]!r} is no tensor (it holds "
                f"{names}). Save a dictionary with the model's state_dict() under 'state_dict', "
                "or the state_dict() itself"
            )
        if not key.isprintable():
            raise CheckpointError(f"its state dict has a key of no printable text, {key[:100]!r}")
    return table
