"""Data with answers: checked, divided into what is trained on and what is judged by, and cut up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import Data
from snn_deploy.errors import DataError

__all__ = ["hold_out", "labels_of", "require_labels", "take"]

IntArray = npt.NDArray[np.int64]


def take(data: Data, rows: IntArray) -> Data:
    """Give the sequences at ``rows``."""
    return replace(
        data,
        inputs=data.inputs[rows],
        labels=None if data.labels is None else data.labels[rows],
        lengths=data.lengths[rows],
        targets=None if data.targets is None else data.targets[rows],
    )


def labels_of(data: Data, where: str = "data") -> IntArray:
    """Give the labels (B,).

    Raises
    ------
    DataError
        If there are none.
    """
    if data.labels is None:
        raise DataError(
            f"{where}: no array 'labels' of integers, one class for each sequence; training learns "
            "from them"
        )
    return data.labels


def hold_out(data: Data, seed: int, where: str) -> tuple[Data, Data]:
    """Split data at random, nine parts to one.

    Raises
    ------
    DataError
        If there is only one sequence.
    """
    if len(data) < 2:
        raise DataError(
            f"{where}: one sequence cannot be trained on and validated by; give more, or separate "
            "data with --validation"
        )
    order = np.random.default_rng(seed).permutation(len(data))
    count = max(1, len(data) // 10)
    return take(data, np.sort(order[count:])), take(data, np.sort(order[:count]))


def require_labels(data: Data, classes: int, where: str) -> None:
    """Refuse data without one class, 0 … classes - 1, for each sequence.

    Raises
    ------
    DataError
        Naming the first label that is out of range.
    """
    labels = labels_of(data, where)
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"{where}: labels[{wrong[0]}] = {labels[wrong[0]]} is outside the network's classes, "
            f"0 … {classes - 1}"
        )
