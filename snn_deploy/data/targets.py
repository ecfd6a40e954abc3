"""What the right answers are, in data: classes that count predictions, or numbers to come close to.

The network and the form of the array decide: a network that gives one number is a regression, and
so is what is measured against real numbers in the form of its answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.forms import as_array, as_classes, is_one_hot
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network

__all__ = ["labels_and_targets"]

Labels = npt.NDArray[np.int64]
Targets = npt.NDArray[np.float64]


def labels_and_targets(
    network: Network,
    labels: npt.ArrayLike | None,
    targets: npt.ArrayLike | None,
    lengths: Labels,
    steps: int,
    where: str,
) -> tuple[Labels | None, Targets | None]:
    """Give classes, or else targets, whichever the network answers with.

    Parameters
    ----------
    network
        That answers.
    labels
        Classes, or real numbers in the form of the answer.
    targets
        Real numbers, where the data says that they are; a network of one number takes these before
        ``labels``, others after them.
    lengths, steps
        Valid steps of each sequence, and all of them.
    where
        What messages call the data.

    Raises
    ------
    DataError
        If they are neither classes that the network knows nor numbers in the form of its answer.
    """
    answer = network.answer
    if targets is not None and (labels is None or not answer.classifies):
        return None, _targets(
            network, as_array(targets, f"{where}: targets"), lengths, steps, where
        )
    if labels is None:
        return None, None
    array = as_array(labels, f"{where}: labels")
    answers = len(lengths) // 2 if network.pairs else len(lengths)
    if array.shape[:1] != (answers,):
        what = "pairs of sequences" if network.pairs else "sequences"
        raise DataError(
            f"{where}: labels of shape {array.shape} for {answers} {what}; give one each"
        )
    if not answer.classifies or _is_real(array, answer.width, answer.once):
        return None, _targets(network, array, lengths, steps, where)
    return as_classes(array, answer.width, not answer.once, where), None


def _is_real(array: npt.NDArray[Any], width: int, once: bool) -> bool:
    """Tell numbers in the form of an answer from classes, which may be one-hot."""
    shaped = array.ndim == (2 if once else 3) and array.shape[-1] == width
    return shaped and array.dtype.kind in "fiu" and not is_one_hot(array)


def _targets(
    network: Network, array: npt.NDArray[Any], lengths: Labels, steps: int, where: str
) -> Targets:
    """Give numbers in the answer's shape; NaN where unknown, or beyond a sequence's end."""
    answer = network.answer
    shape = answer.shape((len(lengths), answer.length or steps, answer.source.width))
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: targets of dtype {array.dtype} are no real numbers")
    if array.ndim == len(shape) - 1 and answer.width == 1:
        array = array[..., None]
    of_every_step = len(shape) == array.ndim == 3 and array.shape[:2] == (shape[0], steps)
    if of_every_step and array.shape[1] != shape[1] and answer.first_steps is None:
        array = answer.take(array, lengths)
    if array.shape != shape:
        raise DataError(
            f"{where}: targets of shape {array.shape}, but this network answers with "
            f"{' × '.join(map(str, shape))} numbers: give one for each of them"
        )
    targets = array.astype(np.float64)
    if np.isinf(targets).any():
        position = [int(i) for i in np.argwhere(np.isinf(targets))[0]]
        raise DataError(f"{where}: targets{position} is infinite; clean the data, or say NaN")
    if (
        targets.ndim == 3
        and answer.first_steps is None
        and not answer.of_valid
        and not answer.pairs
    ):
        step = np.arange(steps - shape[1], steps)
        targets[step >= lengths[:, None]] = np.nan
    return targets
