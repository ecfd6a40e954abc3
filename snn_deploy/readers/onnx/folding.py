"""Operators on arrays that are known: work that is done while reading, in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snn_deploy.errors import CheckpointError
from snn_deploy.readers.onnx.graph import Array, Operator
from snn_deploy.readers.onnx.quantised import dequantised, quantised, rounded

__all__ = ["FOLDED", "fold"]

MOST = 2**28
"""Numbers that an array may come to have."""


def fold(operator: Operator, arrays: list[Array | None]) -> Array:
    """Compute an operator on what it reads; None: an optional input that is not given.

    Raises
    ------
    CheckpointError
        If the arrays do not fit, or would become too large.
    """
    given = [array for array in arrays if array is not None]
    try:
        if operator.kind in _BROADCAST:
            size = int(np.prod([float(n) for n in np.broadcast_shapes(*(a.shape for a in given))]))
            if size > MOST:
                raise CheckpointError(f"{operator.where}: an array of {size:,} numbers")
        return np.asarray(FOLDED[operator.kind](operator, arrays))
    except (
        ValueError,
        IndexError,
        TypeError,
        KeyError,
        AttributeError,
        ZeroDivisionError,
    ) as error:
        shapes = ", ".join(str(array.shape) for array in given)
        raise CheckpointError(f"{operator.where}: cannot work on {shapes}: {error}") from error


def _axes(operator: Operator, arrays: list[Array | None]) -> tuple[int, ...] | None:
    """Give axes, which are an attribute or, in later opsets, an input."""
    if len(arrays) > 1 and arrays[1] is not None:
        return tuple(int(axis) for axis in arrays[1].reshape(-1))
    return operator.attributes.get("axes")


def _unsqueeze(operator: Operator, arrays: list[Array | None]) -> Array:
    return np.expand_dims(_first(arrays), _axes(operator, arrays) or ())


def _squeeze(operator: Operator, arrays: list[Array | None]) -> Array:
    return np.squeeze(_first(arrays), _axes(operator, arrays))


def _reshape(operator: Operator, arrays: list[Array | None]) -> Array:
    x, shape = arrays
    if x is None or shape is None:
        raise ValueError("an input is missing")
    sizes = [int(n) or x.shape[place] for place, n in enumerate(shape)]
    return x.reshape(sizes)


def _first(arrays: list[Array | None]) -> Array:
    if not arrays or arrays[0] is None:
        raise ValueError("an input is missing")
    return arrays[0]


def _transpose(operator: Operator, arrays: list[Array | None]) -> Array:
    return np.transpose(_first(arrays), operator.attributes.get("perm"))


def _concat(operator: Operator, arrays: list[Array | None]) -> Array:
    return np.concatenate([a for a in arrays if a is not None], operator.whole("axis", 0))


def _gather(operator: Operator, arrays: list[Array | None]) -> Array:
    x, index = arrays
    if x is None or index is None or index.size > x.size:
        raise ValueError("more indices than numbers")
    return np.take(x, index.astype(np.int64), operator.whole("axis", 0))


def _constant(operator: Operator, arrays: list[Array | None]) -> Array:
    (value,) = operator.attributes.values()
    return np.asarray(value)


def _same(operator: Operator, arrays: list[Array | None]) -> Array:
    return _first(arrays)


def _two(
    function: Callable[[Array, Array], Array],
) -> Callable[[Operator, list[Array | None]], Array]:
    def rule(operator: Operator, arrays: list[Array | None]) -> Array:
        left, right = arrays
        if left is None or right is None:
            raise ValueError("an input is missing")
        return np.asarray(function(left, right))

    return rule


_BROADCAST = ("Add", "Sub", "Mul", "Div")

FOLDED: dict[str, Callable[[Operator, list[Array | None]], Array]] = {
    "Add": _two(np.add),
    "Cast": _same,
    "Concat": _concat,
    "Constant": _constant,
    "DequantizeLinear": dequantised,
    "Div": _two(np.divide),
    "Gather": _gather,
    "Identity": _same,
    "Mul": _two(np.multiply),
    "Quant": rounded,
    "QuantizeLinear": quantised,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Sub": _two(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
