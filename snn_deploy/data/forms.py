"""The forms that people keep inputs and labels in, brought to the one that networks take."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import Layout
from snn_deploy.errors import DataError, SnnDeployWarning

__all__ = [
    "as_array",
    "as_classes",
    "as_signal",
    "is_one_hot",
    "side_by_side",
    "tensor_numbers",
]

Array = npt.NDArray[Any]

_EXACT = 1 << 24
"""float32 holds every integer up to here."""


def as_array(value: Any, what: str) -> Array:
    """Give an array of what a caller has: lists, arrays, or tensors of torch wherever they are.

    Raises
    ------
    DataError
        If it is none, or holds no numbers.
    """
    if type(value) is np.ndarray and value.dtype.kind != "O":  # of a stream's step, mostly
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = tensor_numbers(value, what)
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise DataError(
            f"{what} are no array ({error}); pad sequences as in training, and give lengths; "
            "inputs with labels are a table {'inputs': …, 'labels': …}, or a loader of batches"
        ) from error
    if array.dtype == object and array.ndim == 0:
        raise DataError(
            f"{what} are a {type(value).__name__}; give an array (sequences, steps, features), a "
            "tensor, a table of them, a file's path, or a loader of batches"
        )
    return array


def side_by_side(arrays: Sequence[Any], where: str) -> Any:
    """Put the arrays (B, L, …) of several inputs side by side; one is what it is.

    Raises
    ------
    DataError
        If they are of different sequences or steps.
    """
    if len(arrays) == 1:
        return arrays[0]
    every = [as_array(array, f"{where}: inputs") for array in arrays]
    every = [array[..., None] if array.ndim == 2 else array for array in every]
    if len({array.shape[:2] for array in every}) != 1 or {array.ndim for array in every} != {3}:
        told = ", ".join(str(array.shape) for array in every)
        raise DataError(
            f"{where}: inputs of the shapes {told}; give each as (sequences, steps, features), of "
            "as many sequences and steps"
        )
    return np.concatenate(every, axis=2)


def tensor_numbers(tensor: Any, what: str) -> Array:
    """Give a tensor's numbers: with gradients, on a device, sparse, or bfloat16, which numpy has
    not and whose values float32 holds.

    Raises
    ------
    DataError
        If it holds none.
    """
    if getattr(tensor, "is_meta", False):
        raise DataError(f"{what} are a meta tensor, which holds no numbers")
    tensor = tensor.detach()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return np.asarray(tensor.cpu().numpy())


def as_signal(array: Array, width: int, layout: Layout, where: str) -> Array:
    """Give (sequences, steps, width) numbers: of one channel, transposed, of frames that are to lie
    flat in C order, or of whole numbers.

    Raises
    ------
    DataError
        If the shape does not fit, or numbers have no exact float32.
    """
    if array.ndim == 2 and width == 1 != array.shape[1]:  # (L, 1) would be one long sequence
        array = array[:, :, None]
    elif array.ndim == 3 and layout == "bdl":
        array = array.transpose(0, 2, 1)
    elif array.ndim > 3 and math.prod(array.shape[2:]) == width:
        array = array.reshape(*array.shape[:2], width)
    if array.ndim != 3 or array.shape[2] != width:
        raise DataError(
            f"{where}: shape {array.shape}; this network takes (sequences, steps, {width}) floats"
            f"{_hint(array, width, layout)}"
        )
    if array.dtype.kind not in "biu":
        return array
    if array.dtype.kind != "b" and array.size:
        least, most = int(array.min()), int(array.max())
        if max(-least, most) > _EXACT:
            raise DataError(
                f"{where}: inputs of dtype {array.dtype} reach {max(-least, most, key=abs):,}, "
                f"beyond ±{_EXACT:,}, where float32 is exact: scale them as in training"
            )
        read = "the whole numbers that they are"
    else:
        read = "0 and 1"
    warnings.warn(
        f"inputs of dtype {array.dtype} are read as {read}; if training scaled them, scale them "
        "likewise",
        SnnDeployWarning,
        stacklevel=4,
    )
    return array.astype(np.float32)


def _hint(array: Array, width: int, layout: Layout) -> str:
    if (array.ndim == 1 and width == 1) or (array.ndim == 2 and array.shape[1] == width):
        return "; it looks like one sequence: give it an axis before its steps, inputs[None]"
    if layout == "bld" and array.ndim == 3 and array.shape[1] == width:
        return (
            f"; it looks like (sequences, {width}, steps): say --layout bdl if it is, or transpose "
            "it with numpy.swapaxes(inputs, 1, 2)"
        )
    if layout == "bdl":
        return ", and --layout bdl has swapped the last two axes"
    return ""


def as_classes(labels: Array, classes: int, by_step: bool, where: str) -> npt.NDArray[np.int64]:
    """Give one class an answer: of labels (B,), (B, 1) or one-hot; by step (B, steps) and so on.

    Parameters
    ----------
    labels
        As they are in the file.
    classes
        How many classes the network knows.
    by_step
        Whether each step has an answer.
    where
        What messages call the data.

    Raises
    ------
    DataError
        If they are no classes, or name one that the network does not know.
    """
    dimensions = 2 if by_step else 1
    if labels.ndim == dimensions + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    elif labels.ndim == dimensions + 1 and labels.shape[-1] == classes and is_one_hot(labels):
        labels = labels.argmax(axis=-1)
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.ndim > dimensions or labels.dtype.kind not in "biu":
        raise DataError(
            f"{where}: labels of shape {labels.shape} and dtype {labels.dtype} are no classes; "
            f"this network answers with one of {classes}: give one integer, 0 … {classes - 1}, "
            f"{'a step' if by_step else 'a sequence'}, or leave them out with --labels-key ''"
        )
    unknown = labels >= classes
    if unknown.any():
        position = [int(i) for i in np.argwhere(unknown)[0]]
        raise DataError(
            f"{where}: labels{position} is class {int(labels[tuple(position)])}, but the network "
            f"knows {classes}, 0 … {classes - 1}: these labels are of other data, or begin at 1"
        )
    return labels.astype(np.int64)


def is_one_hot(labels: Array) -> bool:
    """Tell whether each row holds one 1, and zeros."""
    if labels.dtype.kind not in "biuf":
        return False
    ones = labels == 1
    return bool(((labels == 0) | ones).all() and (ones.sum(axis=-1) == 1).all())
