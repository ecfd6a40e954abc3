"""Long sequences on disk, read a chunk of time at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.compare.metrics import share_of_right
from snn_deploy.compare.regression import Regression
from snn_deploy.data.data_file import data_file
from snn_deploy.data.inputs import rows_of, vocabulary_of
from snn_deploy.data.targets import labels_and_targets
from snn_deploy.errors import DataError
from snn_deploy.evaluation.dataset import open_dataset
from snn_deploy.io.array_file import ArrayFile
from snn_deploy.ir.network import Network

__all__ = ["Recording", "open_recording"]


@dataclass(frozen=True)
class Recording:
    """Sequences side by side.

    Parameters
    ----------
    inputs
        (B, L, d_input) or (B, L) tokens; without the first axis if it is a ``single`` sequence.
    labels, targets, lengths
        What is right, as in the file; (B,) valid steps, None where every step is.
    samples, rows
        How many of the sequences are read, and which.
    """

    inputs: npt.NDArray[Any] | ArrayFile
    labels: npt.NDArray[Any] | None
    lengths: npt.NDArray[Any] | None
    samples: int
    rows: Any = slice(None)
    single: bool = False
    targets: npt.NDArray[Any] | None = None

    @property
    def scored(self) -> bool:
        """Whether the data says what is right."""
        return self.labels is not None or self.targets is not None

    def scores(
        self, answers: npt.NDArray[np.float64], network: Network
    ) -> tuple[float | None, Regression | None]:
        """Give the accuracy, or a regression's errors, of one answer a sequence, (B, width).

        Raises
        ------
        DataError
            If what is right has another form.
        """
        lengths = self.lengths
        if lengths is None:
            lengths = np.full(self.samples, self.steps)
        labels, targets = labels_and_targets(
            network, self.labels, self.targets, lengths, self.steps, "the recording"
        )
        if targets is not None:
            return None, Regression.of(answers, targets)
        return share_of_right(answers.argmax(axis=-1), labels), None

    @property
    def steps(self) -> int:
        """How long the sequences are, L."""
        return int(self.inputs.shape[0 if self.single else 1])

    def chunks(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Read ``size`` steps at a time, (B, size, …); the last chunk may be shorter."""
        for start in range(0, self.steps, size):
            part = slice(start, start + size)
            yield self.inputs[part][None] if self.single else self.inputs[self.rows, part]


def open_recording(
    path: str | os.PathLike[str], network: Network, limit: int | None = None
) -> Recording:
    """Open DATA.npz, an .npy or a folder for a stream; an .npy may be one sequence, (L, d_input).

    ``.npy`` files stay on disk; an .npz is read at once.

    Raises
    ------
    DataError
        If there is no such data, or its arrays do not fit together.
    """
    source = Path(path)
    if source.suffix == ".npy" and source.is_file() and data_file(path).binning is None:
        array = ArrayFile(source)
        if _is_one_sequence(array.shape, network):
            return Recording(array, None, None, 1, single=True)
    dataset = open_dataset(path, network)
    answers = min(limit or len(dataset), len(dataset))
    if dataset.layout != "bld":
        raise DataError(f"{path}: --layout {dataset.layout} is for whole sequences, not --chunk")
    rows = rows_of(0, answers, len(dataset), dataset.pairs)
    samples = 2 * answers if dataset.pairs else answers
    recording = Recording(dataset.inputs, None, None, samples, rows)
    labels = None if dataset.labels is None else dataset.labels[:answers]
    targets = None if dataset.targets is None else dataset.targets[:answers]
    lengths = np.asarray(dataset.lengths[rows])
    recording = replace(recording, labels=labels, targets=targets)
    if (lengths == recording.steps).all():
        return recording
    return replace(recording, lengths=lengths)


def _is_one_sequence(shape: tuple[int, ...], network: Network) -> bool:
    """Tell a sequence from several: (L,) tokens or numbers of one feature, or (L, d_input)."""
    width = network.input_width
    if vocabulary_of(network) is not None or len(shape) == 1:
        return len(shape) == 1 and (width == 1 or vocabulary_of(network) is not None)
    return len(shape) == 2 and shape[1] == width
