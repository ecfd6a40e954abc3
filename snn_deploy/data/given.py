"""Data as a Python caller has it: arrays, tensors, a table of them, a file, a loader of batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import DataFile, data_file, find_arrays
from snn_deploy.data.forms import as_array, side_by_side
from snn_deploy.data.inputs import Data, check_data, load_data, ports_of
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network

__all__ = ["Given", "Loader", "as_data"]


class Loader(Protocol):
    """What ``torch.utils.data.DataLoader`` is: batches of inputs, or of (inputs, labels, …)."""

    dataset: Any
    batch_size: Any

    def __iter__(self) -> Any: ...


Given = Union[npt.ArrayLike, Mapping[str, Any], str, "os.PathLike[str]", Loader, Data]
"""What is taken for data."""


def as_data(
    network: Network,
    given: Any,
    lengths: npt.ArrayLike | None = None,
    where: str = "inputs",
    with_labels: bool = True,
) -> Data:
    """Read and check data in any form that people have it in.

    Parameters
    ----------
    network
        That it is for.
    given
        Arrays or tensors (B, L, d_input), tokens (B, L); a table with inputs, labels and lengths; a
        file, see :func:`~snn_deploy.data.inputs.load_data`; a loader of batches; or
        :class:`~snn_deploy.data.inputs.Data`, which is given back.
    lengths
        (B,) valid steps, for arrays.
    where
        What messages call it.
    with_labels
        Whether labels of a file or table are wanted.

    Raises
    ------
    DataError
        If it cannot be read, or does not fit the network.
    """
    if isinstance(given, Data):
        return given
    if isinstance(given, str | os.PathLike):
        file = data_file(given)
        return load_data(file if with_labels else replace(file, labels_key=""), network)
    if isinstance(given, Mapping):
        table = {str(key): value for key, value in given.items()}
        file = DataFile(where, labels_key=None if with_labels else "")
        arrays = {
            role: side_by_side([table[name] for name in names], where)
            for role, names in find_arrays(file, table, ports_of(network)).items()
        }
        return check_data(network, **arrays, where=where)
    labels = None
    if hasattr(given, "dataset") and hasattr(given, "batch_size"):
        given, labels = _gathered(given, where)
    return check_data(network, given, labels if with_labels else None, lengths, where)


def _gathered(loader: Iterable[Any], where: str) -> tuple[npt.NDArray[Any], Any]:
    """Put the batches of a loader together: inputs, and labels where they come with them."""
    inputs: list[npt.NDArray[Any]] = []
    labels: list[npt.NDArray[Any]] = []
    for batch in loader:
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        inputs.append(as_array(parts[0], f"{where}: inputs"))
        labels += [as_array(label, f"{where}: labels") for label in parts[1:2]]
    if len({array.shape[1:] for array in inputs}) != 1:
        raise DataError(
            f"{where}: a loader of {len(inputs)} batches whose sequences have different shapes; "
            "pad them alike, and give lengths"
        )
    return np.concatenate(inputs), np.concatenate(labels) if labels else None
