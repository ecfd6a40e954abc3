"""Reading the arrays of a data file, whatever container it is in; nothing in it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import read_torch
from snn_deploy.data.data_file import ARRAYS, DataFile, find_arrays
from snn_deploy.data.forms import side_by_side
from snn_deploy.errors import CheckpointError, DataError
from snn_deploy.io.arrays import MalformedArrayError, open_archive
from snn_deploy.io.reading import open_regular, read_regular

__all__ = ["read_arrays"]

Arrays = dict[str, npt.NDArray[Any]]

_NEEDED = "data is an .npz with an array 'inputs'"
_REASONS: dict[type, str] = {FileNotFoundError: "no such file", IsADirectoryError: "a folder"}
_UNNAMED = ARRAYS[:3]
_TORCH = (".pt", ".pth")
_MAX_TORCH_BYTES = 4 << 30


def read_arrays(file: DataFile, ports: Sequence[str] = ()) -> Arrays:
    """Read ``inputs``, and ``labels``, ``lengths`` and ``targets`` where there are any.

    ``ports`` are what the network calls its inputs, if it has several: see ``find_arrays``.

    Raises
    ------
    DataError
        If the file cannot be read, or does not say which arrays these are.
    """
    try:
        if Path(file).suffix.lower() in _TORCH:
            return _tensors(file, ports)
        _check_recognisable(file)
        with open_archive(file) as archive:
            found = find_arrays(file, archive.names, ports)
            return {
                role: side_by_side([archive.read(name) for name in names], str(file))
                for role, names in found.items()
            }
    except OSError as error:
        raise DataError(
            f"{file}: {_REASONS.get(type(error), error.strerror)}; {_NEEDED}"
        ) from error
    except MalformedArrayError as error:
        raise DataError(f"{file}: not a readable .npz of plain arrays ({error})") from error


def _check_recognisable(file: DataFile) -> None:
    """Refuse other files by their first bytes."""
    with open_regular(file) as content:
        head = content.read(8)
    if head.startswith(b"\x93NUMPY"):
        raise DataError(f"{file}: one bare array; save it as .npz under the name 'inputs'")
    if not head.startswith(b"PK"):
        raise DataError(
            f"{file}: not a readable .npz of plain arrays (its first bytes are {head!r}); write "
            "one with numpy.savez(file, inputs=…)"
        )


def _tensors(file: DataFile, ports: Sequence[str]) -> Arrays:
    """Read what torch.save wrote: a table of tensors, a list of a few, or one."""
    content = read_regular(file, _MAX_TORCH_BYTES)
    try:
        held = read_torch(content)
    except CheckpointError as error:
        raise DataError(f"{file}: cannot be read as torch.save wrote it: {error}") from error
    if isinstance(held, np.ndarray):
        held = [held]
    if isinstance(held, list) and 1 <= len(held) <= len(_UNNAMED):
        held = dict(zip(_UNNAMED, held, strict=False))
    if isinstance(held, Mapping):
        named = {str(key): value for key, value in held.items() if isinstance(value, np.ndarray)}
        return {
            role: side_by_side([named[name] for name in names], str(file))
            for role, names in find_arrays(file, named, ports).items()
        }
    raise DataError(
        f"{file}: it holds no tensors by name; save a dictionary with 'inputs' and 'labels', or "
        "an .npz"
    )
