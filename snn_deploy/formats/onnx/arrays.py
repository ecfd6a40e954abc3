"""Tensors of a stranger's model as arrays: only what lies in the file itself, and fits it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

__all__ = ["TensorError", "tensor_array"]

MAX_DIMENSIONS = 8


class TensorError(Exception):
    """A tensor that cannot be taken; the message is one line, and names it."""


def tensor_array(tensor: Any) -> npt.NDArray[Any]:
    """Give the array of an ``onnx.TensorProto``; no file but the model is opened for it.

    Raises
    ------
    TensorError
        If its numbers are in another file, are of no type of numbers, or do not fill its shape.
    """
    name = tensor.name or "a tensor without a name"
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise TensorError(f"{name}: its numbers are in another file, which is not opened")
    shape = tuple(tensor.dims)
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0:
        raise TensorError(f"{name}: the shape {shape[:MAX_DIMENSIONS]} is no array's")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except (KeyError, TypeError) as error:
        raise TensorError(f"{name}: {tensor.data_type} is no known type of numbers") from error
    if dtype.kind not in "biuf":
        raise TensorError(f"{name}: its type, {dtype}, is no type of numbers")
    count = math.prod(shape)
    if tensor.HasField("raw_data") and len(tensor.raw_data) != count * dtype.itemsize:
        raise TensorError(
            f"{name}: the shape {shape} takes {count * dtype.itemsize:,} bytes, and there are "
            f"{len(tensor.raw_data):,}"
        )
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise TensorError(f"{name}: its numbers do not fill the shape {shape}") from error
