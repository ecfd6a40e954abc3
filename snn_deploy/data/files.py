"""Reading the arrays of a data file, whatever container it is in; nothing in it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import read_torch
from snn_deploy.data.data_file import ARRAYS, DataFile, find_arrays
from snn_deploy.data.events import (
    MOST_BYTES,
    Events,
    bin_events,
    binned,
    events_in,
    in_parts,
    orchard_events,
)
from snn_deploy.data.folders import HDF5, class_folders
from snn_deploy.data.forms import side_by_side
from snn_deploy.data.tables import read_table
from snn_deploy.errors import CheckpointError, DataError, SnnDeployWarning
from snn_deploy.io.array_file import ArrayFile
from snn_deploy.io.arrays import MalformedArrayError, open_archive
from snn_deploy.io.hdf5 import read_hdf5
from snn_deploy.io.reading import open_regular, read_regular

__all__ = ["read_arrays"]

Arrays = dict[str, npt.NDArray[Any]]

_NEEDED = "data is an .npz with an array 'inputs'"
_REASONS: dict[type, str] = {FileNotFoundError: "no such file", IsADirectoryError: "a folder"}
_UNNAMED = ARRAYS[:3]
_TABLES = (".csv", ".tsv", ".txt")
_TORCH = (".pt", ".pth")
_MAX_BIN_BYTES = 256 << 20
_MAX_HDF5_BYTES = 2 << 30
_MAX_TORCH_BYTES = 4 << 30


def read_arrays(file: DataFile, ports: Sequence[str] = (), width: int = 1) -> Arrays:
    """Read ``inputs``, and ``labels``, ``lengths`` and ``targets`` where there are any.

    ``ports`` are what the network calls its inputs, if it has several: see ``find_arrays``;
    ``width`` is how many channels it takes, for events.

    Raises
    ------
    DataError
        If the file cannot be read, or does not say which arrays these are.
    BackendUnavailableError
        For HDF5 without h5py.
    """
    kind = Path(file).suffix.lower()
    try:
        if file.binning is not None:
            if Path(file).is_dir():
                return _binned_folder(file, width)
            return binned(_event_arrays(file), file, width)
        if kind in _TABLES:
            return read_table(file)
        with _opened(file, kind) as (names, read):
            found = find_arrays(file, names, ports)
            return {
                role: side_by_side([_array(read(name), name, file) for name in parts], str(file))
                for role, parts in found.items()
            }
    except OSError as error:
        raise DataError(
            f"{file}: {_REASONS.get(type(error), error.strerror)}; {_NEEDED}"
        ) from error
    except MalformedArrayError as error:
        raise DataError(f"{file}: not a readable .npz of plain arrays ({error})") from error


def _event_arrays(file: DataFile) -> dict[str, Any]:
    """Read all arrays of a file of events; fields of records are arrays."""
    kind = Path(file).suffix.lower()
    if kind in _TABLES:
        raise DataError(f"{file}: text holds no events; save them as .npz with t, x, and y and p")
    with _opened(file, kind) as (names, read):
        return in_parts({name: read(name) for name in names})


def _binned_folder(file: DataFile, width: int) -> Arrays:
    """Read a folder of recordings: labels are the names of its folders."""
    assert file.binning is not None
    if file.labels_key or file.targets_key or file.lengths_key:
        raise DataError(
            f"{file}: labels of a folder of recordings are its folders' names, and nothing else is "
            "in it; leave --labels-key and its like out"
        )
    folders = class_folders(file)
    times, channels, labels, size = [], [], [], 0
    for path, label in folders.in_turn():
        part = replace(file, path=str(path))
        try:
            events: Events = events_in(_event_arrays(part), part, width)
        except (OSError, MalformedArrayError) as error:
            raise DataError(f"{path}: not a readable recording ({error})") from error
        times += events.times
        channels += events.channels
        labels += [label] * len(events.times)
        size += sum(row.nbytes for row in (*events.times, *events.channels))
        if size > MOST_BYTES:
            raise DataError(
                f"{file}: events up to {path} take over {MOST_BYTES >> 30} GiB: make a folder of "
                "fewer recordings"
            )
    inputs, lengths = bin_events(times, channels, width, file.binning, str(file))
    if file.labels_key == "":
        return {"inputs": inputs, "lengths": lengths}
    warnings.warn(
        f"labels are the names of folders, {folders}; see that training numbered them so",
        SnnDeployWarning,
        stacklevel=4,
    )
    return {"inputs": inputs, "lengths": lengths, "labels": np.array(labels)}


@contextmanager
def _opened(file: DataFile, kind: str) -> Iterator[tuple[list[str], Callable[[str], Any]]]:
    """Open a container: the names of its arrays, and what reads one."""
    if kind in _TORCH:
        held = _tensors(file)
    elif kind in HDF5:
        held = _tree(file)
    elif kind == ".npy" and file.binning is not None:
        held = {"events": ArrayFile(Path(file), records=True)[:]}
    elif kind == ".bin" and file.binning is not None:
        held = orchard_events(read_regular(file, _MAX_BIN_BYTES), str(file))
    else:
        _check_recognisable(file)
        with open_archive(file) as archive:
            yield archive.names, partial(archive.read, records=file.binning is not None)
        return
    yield list(held), held.__getitem__


def _array(value: Any, name: str, file: DataFile) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    raise DataError(
        f"{file}: '{name}' is no array of numbers, but rows of different lengths or text; events "
        "are binned with --bin STEP"
    )


def _check_recognisable(file: DataFile) -> None:
    """Refuse other files by their first bytes."""
    with open_regular(file) as content:
        head = content.read(8)
    if head.startswith(b"\x93NUMPY"):
        raise DataError(f"{file}: one bare array; save it as .npz under the name 'inputs'")
    if head == b"\x89HDF\r\n\x1a\n":
        raise DataError(f"{file}: HDF5 by its first bytes; call it .h5 or .hdf5")
    if not head.startswith(b"PK"):
        raise DataError(
            f"{file}: not a readable .npz of plain arrays (its first bytes are {head!r}); write "
            "one with numpy.savez(file, inputs=…)"
        )


def _tree(file: DataFile) -> dict[str, Any]:
    """Read an HDF5 file's arrays by their paths, ``group/name``."""
    try:
        tree = read_hdf5(read_regular(file, _MAX_HDF5_BYTES), str(file), "hdf5", events=True)
    except CheckpointError as error:
        raise DataError(str(error)) from error
    return dict(_flat(tree, ""))


def _flat(tree: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value


def _tensors(file: DataFile) -> dict[str, Any]:
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
        return {str(key): value for key, value in held.items() if isinstance(value, np.ndarray)}
    raise DataError(
        f"{file}: it holds no tensors by name; save a dictionary with 'inputs' and 'labels', or "
        "an .npz"
    )
