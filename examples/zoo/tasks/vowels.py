"""Japanese Vowels (Kudo, Toyama & Shimbo 1999): who of nine speakers says "ae"; it lies in aeon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import BackendUnavailableError
from snn_deploy.examples.zoo.tasks.task import Arrays, Split

__all__ = ["make"]


def make(random: np.random.Generator) -> Split:
    """Give 270 sequences to train on and 370 to test with, of 7 to 29 steps of 12 LPC cepstra,
    padded with zeros to the longest of all; nothing is drawn.

    Raises
    ------
    BackendUnavailableError
        If aeon is not installed.
    """
    try:
        from aeon.datasets import load_japanese_vowels
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            f"Japanese Vowels need {error.name}, which is not installed: "
            "pip install 'snn-deploy[zoo]'"
        ) from None
    parts = [load_japanese_vowels(split) for split in ("train", "test")]
    steps = max(series.shape[1] for part, _ in parts for series in part)
    train, test = (_padded(series, speakers, steps) for series, speakers in parts)
    return train, test


def _padded(
    series: Sequence[npt.NDArray[np.float64]], speakers: Sequence[str], steps: int
) -> Arrays:
    lengths = np.array([one.shape[1] for one in series])
    inputs = np.zeros((len(series), steps, len(series[0])), np.float32)
    for row, one in zip(inputs, series, strict=True):
        row[: one.shape[1]] = one.T
    return {"inputs": inputs, "labels": np.array(speakers, np.int64) - 1, "lengths": lengths}
