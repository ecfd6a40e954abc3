"""Input data: reading it, and checking it against the network before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import Layout, data_file
from snn_deploy.data.files import read_arrays
from snn_deploy.data.forms import as_array, as_signal
from snn_deploy.data.targets import labels_and_targets
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.progress import doing

__all__ = [
    "Data",
    "check_data",
    "check_inputs",
    "load_data",
    "ports_of",
    "rows_of",
    "vocabulary_of",
]


@dataclass(frozen=True)
class Data:
    """A batch of sequences.

    Parameters
    ----------
    inputs
        (B, L, d_input) real numbers, of several inputs side by side, or (B, L) integer tokens;
        padded as in training.
    labels
        Classes, one for each answer: (B,), or (B, steps) where each step has one; negative ones
        do not count. None without.
    lengths
        (B,) valid steps of each sequence, 1 … L; all L when the data names none.
    pairs
        Whether sequence i of the first half belongs to sequence i of the second half: they have
        one answer.
    targets
        What a regression should answer, (B, width), or (B, steps, width) where each step has an
        answer; NaN where that is not known. None without; labels and targets exclude each other.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None
    lengths: npt.NDArray[np.int64]
    pairs: bool = False
    targets: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def answers(self) -> int:
        """How many sequences, or pairs of them, there are."""
        return len(self) // 2 if self.pairs else len(self)

    def first(self, limit: int | None) -> Data:
        """Give the first ``limit`` sequences, or pairs of sequences; or all."""
        return self.part(0, self.answers if limit is None else min(limit, self.answers))

    def part(self, start: int, stop: int) -> Data:
        """Give the sequences, or pairs of them, ``start`` … ``stop - 1``."""
        labels = None if self.labels is None else self.labels[start:stop]
        targets = None if self.targets is None else self.targets[start:stop]
        rows = rows_of(start, stop, self.answers, self.pairs)
        return replace(
            self,
            inputs=self.inputs[rows],
            labels=labels,
            lengths=self.lengths[rows],
            targets=targets,
        )

    def __getitem__(self, rows: slice) -> Data:
        """Give some sequences; what they are labelled is lost where they come in pairs."""
        labels = None if self.labels is None or self.pairs else self.labels[rows]
        targets = None if self.targets is None or self.pairs else self.targets[rows]
        return Data(self.inputs[rows], labels, self.lengths[rows], targets=targets)


def rows_of(start: int, stop: int, answers: int, pairs: bool) -> Any:
    """Index the sequences of some answers; of pairs, all first sequences, then all second ones."""
    if not pairs:
        return slice(start, stop)
    return np.concatenate([np.arange(start, stop), np.arange(start, stop) + answers])


def load_data(path: str | os.PathLike[str], network: Network) -> Data:
    """Read DATA.npz (``inputs``, optional ``labels`` or ``targets``, ``lengths``) for a network.

    The arrays may have other names that are usual, or those of a
    :class:`~snn_deploy.data.data_file.DataFile`. A ``.pt`` or ``.pth`` file of tensors is read
    like an archive; two or three tensors without names are inputs, labels and lengths.

    Raises
    ------
    DataError
        If the file cannot be read, or :func:`check_data` refuses what it holds.
    """
    file = data_file(path)
    with doing(f"reading {file}"):
        arrays = read_arrays(file, ports_of(network), network.input_width)
    return check_data(network, **arrays, where=str(file), layout=file.layout)


def check_data(
    network: Network,
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    lengths: npt.ArrayLike | None = None,
    where: str = "inputs",
    layout: Layout = "bld",
    targets: npt.ArrayLike | None = None,
) -> Data:
    """Check arrays against a network's input, and complete them.

    Inputs may lack their last axis where the network takes one feature, be whole numbers where
    float32 holds them (a warning says so), or have their last two axes swapped (``layout``).
    Labels may be (B, 1) or one-hot; real numbers in the form of the answer are targets.

    Raises
    ------
    DataError
        On a wrong shape or dtype, an empty batch, NaN or infinity, a token outside the vocabulary,
        labels that are no classes of the network,
        lengths outside 1 … L, or fewer steps than the answer has; the message names the first
        offending position.
    """
    array = check_inputs(network, inputs, where, layout)
    batch, steps = array.shape[:2]
    if batch == 0 or steps == 0:
        raise DataError(f"{where}: shape {array.shape} holds no step; need at least one sequence")
    if network.pairs and batch % 2:
        raise DataError(
            f"{where}: {batch} sequences, but this network compares pairs; give an even number: "
            "all first documents, then all second ones"
        )
    valid = _lengths(lengths, batch, steps, where)
    _check_steps(network, steps, valid, where)
    classes, real = labels_and_targets(network, labels, targets, valid, steps, where)
    return Data(array, classes, valid, network.pairs, real)


def _check_steps(network: Network, steps: int, lengths: npt.NDArray[np.int64], where: str) -> None:
    """Check that the sequences have a length that the network takes."""
    if network.steps is not None and steps != network.steps:
        raise DataError(
            f"{where}: sequences of {steps} steps, but this network was converted for "
            f"{network.steps}, on which its weights depend: pad to {network.steps} steps, or "
            f"convert with calibration data of {steps}"
        )
    network.answer.check_steps(lengths, steps, where)


def check_inputs(
    network: Network, inputs: npt.ArrayLike, where: str = "inputs", layout: Layout = "bld"
) -> npt.NDArray[Any]:
    """Check shape, dtype and values of inputs alone, of a whole batch or of a part of it.

    Raises
    ------
    DataError
        On a wrong shape or dtype, NaN or infinity, or a token outside the vocabulary.
    """
    array = as_array(inputs, f"{where}: inputs")
    taken = _taken(network)
    if taken.counts and array.dtype.kind in "iu":
        array = array.astype(np.float32)
    if taken.vocabulary is not None:
        _check_tokens(array, taken.vocabulary, where)
        return array
    array = as_signal(array, taken.width, layout, where)
    _check_signal(array, where)
    return array


class _Taken(NamedTuple):
    """What a network takes: so many channels; whether it counts events; tokens that it knows."""

    width: int
    counts: bool
    vocabulary: int | None


@lru_cache(maxsize=8)  # a stream asks at every step
def _taken(network: Network) -> _Taken:
    counts = any(getattr(node, "counts", False) for node in network.inputs.values())
    return _Taken(network.input_width, counts, vocabulary_of(network))


def ports_of(network: Network) -> tuple[str, ...]:
    """Name a network's inputs, if it has several: data may have an array for each."""
    return tuple(network.inputs) if len(network.inputs) > 1 else ()


def vocabulary_of(network: Network) -> int | None:
    """Give how many tokens a network knows; None if it reads numbers."""
    inputs = network.inputs
    readers: list[Any] = [*inputs.values(), *(n for i in inputs for n in network.consumers(i))]
    known = (node.vocabulary for node in readers if node.reads_tokens)
    return next(known, None)


def _check_signal(array: npt.NDArray[Any], where: str) -> None:
    if array.dtype.kind != "f":
        raise DataError(
            f"{where}: dtype {array.dtype}; this network takes float32, scaled as in training"
        )
    finite = np.isfinite(array)
    if np.count_nonzero(finite) != finite.size:
        position = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise DataError(
            f"{where}: {int((~finite).sum())} values are NaN or infinite, the first at "
            f"[{', '.join(map(str, position))}]; clean the data first"
        )


def _check_tokens(array: npt.NDArray[Any], vocabulary: int, where: str) -> None:
    if array.ndim != 2:
        raise DataError(
            f"{where}: shape {array.shape}; this network takes (sequences, steps) tokens"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{where}: dtype {array.dtype}; this network takes integer tokens")
    outside = (array < 0) | (array >= vocabulary)
    if outside.any():
        position = tuple(int(i) for i in np.argwhere(outside)[0])
        raise DataError(
            f"{where}: token {int(array[position])} at [{position[0]}, {position[1]}] is outside "
            f"the vocabulary, 0 … {vocabulary - 1}"
        )


def _lengths(
    lengths: npt.ArrayLike | None, batch: int, steps: int, where: str
) -> npt.NDArray[np.int64]:
    if lengths is None:
        return np.full(batch, steps, dtype=np.int64)
    array = as_array(lengths, f"{where}: lengths")
    if array.shape != (batch,) or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{where}: lengths of shape {array.shape} and dtype {array.dtype}; need one integer "
            f"for each of {batch} sequences"
        )
    wrong = (array < 1) | (array > steps)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DataError(
            f"{where}: lengths[{first}] = {int(array[first])} is outside 1 … {steps} steps"
        )
    return array.astype(np.int64)
