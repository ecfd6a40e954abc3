"""A test set on disk, read a shard at a time: DATA.npz, one array, or a folder of arrays."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import Data, check_data, load_data, rows_of
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network

__all__ = ["Dataset", "MappedArray", "open_dataset"]

HASHED_BYTES = 2**24  # at a time
ARRAYS = ("inputs", "labels", "lengths")


class MappedArray:
    """An .npy file on disk; what is asked for is read, and nothing else is held.

    A mapping that stays open would keep every page that was ever read in this process's memory.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        array = self._mapped()
        self.shape, self.dtype = array.shape, array.dtype

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        return np.array(self._mapped()[part])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def _mapped(self) -> npt.NDArray[Any]:
        try:
            array = np.load(self._file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{self._file}: not a readable .npy ({error})") from error
        if not isinstance(array, np.ndarray) or array.ndim == 0:
            raise DataError(f"{self._file}: not an array of sequences")
        return array


@dataclass(frozen=True)
class Dataset:
    """Sequences that are checked when they are read; arrays may be on disk.

    inputs (B, L, d_input) or (B, L) tokens; labels (B,) or None; lengths (B,). With ``pairs``
    inputs and lengths hold 2 B sequences: all first ones, then all second ones.
    """

    path: Path
    inputs: npt.NDArray[Any] | MappedArray
    labels: npt.NDArray[Any] | MappedArray | None
    lengths: npt.NDArray[Any] | MappedArray
    pairs: bool = False

    def __len__(self) -> int:
        """Give how many sequences, or pairs of them, there are."""
        return len(self.inputs) // 2 if self.pairs else len(self.inputs)

    def shard(self, network: Network, start: int, stop: int) -> Data:
        """Read and check sequences, or pairs of them, ``start`` … ``stop - 1``.

        Raises
        ------
        DataError
            If they do not fit the network; positions are counted from ``start``.
        """
        rows = rows_of(start, stop, len(self), self.pairs)
        labels = None if self.labels is None else self.labels[start:stop]
        what = "pairs" if self.pairs else "sequences"
        where = f"{self.path}, {what} {start} to {stop - 1}"
        return check_data(network, np.asarray(self.inputs[rows]), labels, self.lengths[rows], where)

    def first(self, network: Network, limit: int | None) -> Data:
        """Read and check the first ``limit`` sequences, or all."""
        return self.shard(network, 0, len(self) if limit is None else min(limit, len(self)))

    def digest(self) -> str:
        """Give the SHA-256 of shapes, dtypes and every byte of the arrays."""
        sha = hashlib.sha256()
        for array in (self.inputs, self.labels, self.lengths):
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
    """Open DATA.npz, an inputs.npy, or a folder with inputs.npy, labels.npy and lengths.npy.

    ``.npy`` files are memory-mapped: sets larger than memory are fine. Beside a lone ``inputs.npy``
    its labels.npy and lengths.npy are taken too.

    Raises
    ------
    DataError
        If there is no such data, or its arrays do not fit together.
    """
    source = Path(path)
    if not source.is_dir() and (source.suffix != ".npy" or not source.exists()):
        data = load_data(source, network)
        return Dataset(source, data.inputs, data.labels, data.lengths, data.pairs)
    folder = source if source.is_dir() else source.parent
    first = folder / "inputs.npy" if source.is_dir() else source
    arrays = {name: _mapped(folder / f"{name}.npy") for name in ARRAYS[1:]}
    inputs = _mapped(first)
    if inputs is None:
        raise DataError(f"{source}: no inputs.npy in it; name DATA.npz, an .npy or such a folder")
    if network.pairs and len(inputs) % 2:
        raise DataError(f"{first}: {len(inputs)} sequences, but this network compares pairs")
    expected = {"lengths": len(inputs), "labels": len(inputs) // (2 if network.pairs else 1)}
    for name, array in arrays.items():
        if array is not None and len(array) != expected[name]:
            raise DataError(
                f"{folder}: {len(array)} {name} for {len(inputs)} inputs; need {expected[name]}"
            )
    if not len(inputs):
        raise DataError(f"{first}: no sequences in it")
    every_step = np.full(len(inputs), inputs.shape[1] if inputs.ndim > 1 else 0, dtype=np.int64)
    lengths = arrays["lengths"]
    valid = every_step if lengths is None else lengths
    return Dataset(source, inputs, arrays["labels"], valid, network.pairs)


def _mapped(file: Path) -> MappedArray | None:
    return MappedArray(file) if file.is_file() else None
