"""A test set on disk, read a shard at a time: DATA.npz, one array, or a folder of arrays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import ARRAYS, DataFile, Layout, data_file
from snn_deploy.data.folders import class_folders
from snn_deploy.data.inputs import Data, check_data, load_data, rows_of
from snn_deploy.errors import DataError
from snn_deploy.io.array_file import ArrayFile
from snn_deploy.io.reading import Stamp
from snn_deploy.ir.network import Network

__all__ = ["Dataset", "check_unchanged", "open_dataset"]

HASHED_BYTES = 2**24  # at a time


@dataclass(frozen=True)
class Dataset:
    """Sequences that are checked when they are read; arrays may be on disk.

    ``stamps`` are those that the files had when they were opened.

    inputs (B, L, d_input) or (B, L) tokens; labels (B,) or None; lengths (B,); targets of a
    regression, (B, …), or None. With ``pairs`` inputs and lengths hold 2 B sequences: all first
    ones, then all second ones.
    """

    path: Path
    inputs: npt.NDArray[Any] | ArrayFile
    labels: npt.NDArray[Any] | ArrayFile | None
    lengths: npt.NDArray[Any] | ArrayFile
    pairs: bool = False
    layout: Layout = "bld"
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)
    targets: npt.NDArray[Any] | ArrayFile | None = None

    def __len__(self) -> int:
        """Give how many sequences, or pairs of them, there are."""
        return len(self.inputs) // 2 if self.pairs else len(self.inputs)

    @property
    def steps(self) -> int:
        """How long the sequences are, L."""
        time = 2 if self.layout == "bdl" and self.inputs.ndim > 2 else 1
        return int(self.inputs.shape[time]) if self.inputs.ndim > time else 0

    def shard(self, network: Network, start: int, stop: int) -> Data:
        """Read and check sequences, or pairs of them, ``start`` … ``stop - 1``.

        Raises
        ------
        DataError
            If they do not fit the network; positions are counted from ``start``.
        """
        rows = rows_of(start, stop, len(self), self.pairs)
        labels = None if self.labels is None else self.labels[start:stop]
        targets = None if self.targets is None else self.targets[start:stop]
        what = "pairs" if self.pairs else "sequences"
        where = f"{self.path}, {what} {start} to {stop - 1}"
        inputs = np.asarray(self.inputs[rows])
        return check_data(network, inputs, labels, self.lengths[rows], where, self.layout, targets)

    def first(self, network: Network, limit: int | None) -> Data:
        """Read and check the first ``limit`` sequences, or all."""
        return self.shard(network, 0, len(self) if limit is None else min(limit, len(self)))

    def digest(self) -> str:
        """Give the SHA-256 of shapes, dtypes and every byte of the arrays."""
        sha = hashlib.sha256(b"" if self.layout == "bld" else self.layout.encode())
        told = () if self.targets is None else (self.targets,)
        for array in (self.inputs, self.labels, self.lengths, *told):
            if array is None:
                sha.update(b"none;")
                continue
            sha.update(f"{array.shape}{array.dtype};".encode())
            size = int(np.prod(array.shape[1:])) * array.dtype.itemsize
            rows = max(1, HASHED_BYTES // max(size, 1))
            for row in range(0, len(array), rows):
                sha.update(np.ascontiguousarray(array[row : row + rows]).tobytes())
        return sha.hexdigest()


def open_dataset(path: str | os.PathLike[str], network: Network) -> Dataset:
    """Open DATA.npz, an inputs.npy, or a folder of it, labels.npy or targets.npy, and lengths.npy.

    ``.npy`` files stay on disk: sets larger than memory are fine. Beside a lone ``inputs.npy``
    the others are taken too.

    Raises
    ------
    DataError
        If there is no such data, or its arrays do not fit together.
    """
    named = data_file(path)
    source = Path(named)
    is_folder = os.path.isdir(source)  # noqa: PTH112 - of any name, a null byte in it too
    is_array = is_folder or (source.suffix == ".npy" and os.path.lexists(source))
    if not is_array or named.binning is not None:
        return _whole(named, network)
    folder = source if is_folder else source.parent
    first = folder / "inputs.npy" if is_folder else source
    inputs = _opened(first)
    arrays = {name: _opened(folder / f"{name}.npy") for name in ARRAYS[1:]}
    stamps = {array.path: array.stamp for array in (inputs, *arrays.values()) if array is not None}
    if inputs is None:
        raise DataError(
            f"{source}: no inputs.npy in it; name DATA.npz, an .npy or such a folder; recordings "
            "of events, in a folder for each class, are read with --bin STEP"
        )
    if network.pairs and len(inputs) % 2:
        raise DataError(f"{first}: {len(inputs)} sequences, but this network compares pairs")
    answers = len(inputs) // (2 if network.pairs else 1)
    expected = {"lengths": len(inputs), "labels": answers, "targets": answers}
    for name, array in arrays.items():
        if array is not None and len(array) != expected[name]:
            raise DataError(
                f"{folder}: {len(array)} {name} for {len(inputs)} inputs; need {expected[name]}"
            )
    if not len(inputs):
        raise DataError(f"{first}: no sequences in it")
    lengths = arrays["lengths"]
    valid = np.zeros(0, dtype=np.int64) if lengths is None else lengths
    labels, targets = arrays["labels"], arrays["targets"]
    opened = Dataset(source, inputs, labels, valid, network.pairs, named.layout, stamps, targets)
    if lengths is not None:
        return opened
    return replace(opened, lengths=np.full(len(inputs), opened.steps, dtype=np.int64))


def check_unchanged(stamps: Mapping[Path, Stamp]) -> None:
    """Refuse to go on where a file is not any more what it was when it was opened.

    Raises
    ------
    DataError
        Naming the file.
    """
    for file, stamp in stamps.items():
        if not _stamp(file).fits(stamp):
            raise DataError(
                f"{file} was changed while it was evaluated, so nothing after it counts; what was "
                "finished before is kept for the file as it was. Run again when it is complete"
            )


def _whole(named: DataFile, network: Network) -> Dataset:
    file = Path(named)
    files = [file]
    if file.is_dir():
        files = [path for path, _ in class_folders(named).in_turn()]
    stamps = {each: _stamp(each) for each in files if each.exists()}  # if not, it is refused below
    data = load_data(named, network)
    held = (data.inputs, data.labels, data.lengths, data.pairs)
    return Dataset(file, *held, stamps=stamps, targets=data.targets)


def _stamp(file: Path) -> Stamp:
    try:
        return Stamp.of(file)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error


def _opened(file: Path) -> ArrayFile | None:
    """Open an array if there is one; a link that leads nowhere is one that cannot be read."""
    return ArrayFile(file) if os.path.lexists(file) else None
