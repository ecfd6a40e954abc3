"""A test set on disk, read a shard at a time: DATA.npz, one array, or a folder of arrays."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data import Data, check_data, load_data
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network

__all__ = ["Dataset", "open_dataset"]

ARRAYS = ("inputs", "labels", "lengths")


@dataclass(frozen=True)
class Dataset:
    """Sequences that are checked when they are read; arrays may be memory-mapped.

    inputs (B, L, d_input) or (B, L) tokens; labels (B,) or None; lengths (B,).
    """

    path: Path
    inputs: npt.NDArray[Any]
    labels: npt.NDArray[Any] | None
    lengths: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.inputs)

    def shard(self, network: Network, start: int, stop: int) -> Data:
        """Read and check sequences ``start`` … ``stop - 1``.

        Raises
        ------
        DataError
            If they do not fit the network; positions are counted from ``start``.
        """
        part = slice(start, stop)
        labels = None if self.labels is None else self.labels[part]
        where = f"{self.path}, sequences {start} to {stop - 1}"
        return check_data(network, np.asarray(self.inputs[part]), labels, self.lengths[part], where)

    def digest(self) -> str:
        """Give the SHA-256 of shapes, dtypes and every byte of the arrays."""
        sha = hashlib.sha256()
        for array in (self.inputs, self.labels, self.lengths):
            if array is None:
                sha.update(b"none;")
                continue
            sha.update(f"{array.shape}{array.dtype};".encode())
            for row in range(0, len(array), 1024):
                sha.update(np.ascontiguousarray(array[row : row + 1024]).tobytes())
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
    if source.suffix == ".npz" or not source.exists():
        data = load_data(source, network)
        return Dataset(source, data.inputs, data.labels, data.lengths)
    folder = source if source.is_dir() else source.parent
    first = folder / "inputs.npy" if source.is_dir() else source
    arrays = {name: _mapped(folder / f"{name}.npy") for name in ARRAYS[1:]}
    inputs = _mapped(first)
    if inputs is None:
        raise DataError(f"{source}: no inputs.npy in it; name DATA.npz, an .npy or such a folder")
    for name, array in arrays.items():
        if array is not None and len(array) != len(inputs):
            raise DataError(f"{folder}: {len(array)} {name} for {len(inputs)} inputs")
    if not len(inputs):
        raise DataError(f"{first}: no sequences in it")
    lengths = arrays["lengths"]
    if lengths is None:
        lengths = np.full(len(inputs), inputs.shape[1] if inputs.ndim > 1 else 0, dtype=np.int64)
    return Dataset(source, inputs, arrays["labels"], lengths)


def _mapped(file: Path) -> npt.NDArray[Any] | None:
    if not file.is_file():
        return None
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{file}: not a readable .npy ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise DataError(f"{file}: not an array of sequences")
    return array
