"""Which file data is in, what its arrays are called there, and how they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from snn_deploy.errors import DataError
from snn_deploy.printable import some_of

__all__ = ["ARRAYS", "Binning", "DataFile", "Layout", "data_file", "find_arrays"]

Layout = Literal["bld", "bdl"]

ARRAYS = ("inputs", "labels", "lengths", "targets")
_USUAL: dict[str, tuple[str, ...]] = {
    "inputs": ("input", "x", "xs", "data", "samples", "features", "signal", "signals", "events"),
    "labels": ("label", "y", "ys", "target", "targets", "classes", "class"),
    "targets": (),
    "lengths": ("length", "lens", "seq_len", "seq_lens", "seq_lengths", "sequence_lengths"),
}
"""What else people call the arrays, in small letters; targets of other names are known by their
form, as labels that are no classes."""


@dataclass(frozen=True)
class Binning:
    """How events are binned.

    Parameters
    ----------
    step
        How long a step is, in the unit of the events' times.
    steps
        How many steps there are; None: up to the last event.
    camera
        How many columns and rows of pixels there are; None: as many rows as columns.
    """

    step: float
    steps: int | None = None
    camera: tuple[int, int] | None = None


@dataclass(frozen=True)
class DataFile(os.PathLike[str]):
    """A path of data, and what the file itself does not say; taken wherever a path is.

    Parameters
    ----------
    path
        The file or folder.
    inputs_key, labels_key, lengths_key, targets_key
        What the arrays are called; None: as usual; empty, but for the inputs: there are none.
        Where labels or targets are named, or said to be none, the others must be named to be read.
    layout
        ``"bld"``: (sequences, steps, features); ``"bdl"``: (sequences, features, steps).
    binning
        How events become steps; None: the file holds arrays.
    """

    path: str
    inputs_key: str | None = None
    labels_key: str | None = None
    lengths_key: str | None = None
    targets_key: str | None = None
    layout: Layout = "bld"
    binning: Binning | None = None

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path


def data_file(path: str | os.PathLike[str]) -> DataFile:
    """Give a path as one that says what its arrays are called: as usual."""
    return path if isinstance(path, DataFile) else DataFile(os.fspath(path))


def find_arrays(
    file: DataFile, names: Iterable[str], ports: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Find what inputs, labels, lengths and targets are called in a file.

    Parameters
    ----------
    file, names
        A file, and the names of its arrays.
    ports
        What the network calls its inputs, if it has several: each may have an array of its own.

    Returns
    -------
    dict of str to tuple of str
        By their names in :data:`ARRAYS`: the name in the file, of those that there are; for inputs
        that lie apart all of them.

    Raises
    ------
    DataError
        If there are no inputs, several arrays could be the same one, or a key names none.
    """
    names = list(names)
    labels, targets = file.labels_key, file.targets_key
    if labels is None and targets:
        labels = ""
    elif targets is None and labels is not None:
        targets = ""
    keys = (file.inputs_key, labels, file.lengths_key, targets)
    found: dict[str, tuple[str, ...]] = {}
    for role, key in zip(ARRAYS, keys, strict=True):
        name = _find(file, role, key, names)
        if name is not None and (name,) not in found.values():
            found[role] = (name,)
    if file.inputs_key is None and "inputs" not in names and ports and {*ports} <= {*names}:
        found["inputs"] = tuple(ports)
    if "inputs" not in found:
        raise DataError(
            f"{file}: no array 'inputs' in it; it holds: {some_of(names) or 'nothing'}. Say with "
            "--inputs-key NAME which one is meant"
            + (f", or name them as the network does: {', '.join(ports)}" if ports else "")
        )
    return found


def _find(file: DataFile, role: str, key: str | None, names: list[str]) -> str | None:
    if key == "" and role != "inputs":
        return None
    if key is not None:
        if key not in names:
            raise DataError(
                f"{file}: no array '{key}' in it (--{role}-key); it holds: {some_of(names)}"
            )
        return key
    if role in names:
        return role
    usual = [name for name in names if name.lower() in (role, *_USUAL[role])]
    if len(usual) > 1:
        several = " and ".join(f"'{name}'" for name in usual)
        raise DataError(
            f"{file}: {several} could each be the {role}; say with --{role}-key NAME which one is"
        )
    return usual[0] if usual else None
