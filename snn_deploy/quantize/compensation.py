"""Rounding numbers that act together so that what they add up to changes least.

Rounding each to the nearest ignores that they act together. Where it is known how much each pair
weighs in the result, numbers are rounded one after another, and each rounding error is made good,
as far as the later ones can, by those not yet rounded. This is the column-wise procedure of optimal
brain quantisation (Frantar and Alistarh, NeurIPS 2022; in this order of computation, Frantar et
al., GPTQ, ICLR 2023).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["damped", "round_compensated"]

Real = npt.NDArray[np.float64]

DAMPING = 1e-3  # of the mean weight: keeps numbers that hardly matter from being over-used
TILE = 16  # columns whose errors are passed on together


def damped(metric: Real) -> Real:
    """Give metrics (…, n, n) that can be inverted; where nothing matters, each number is alone."""
    mean = DAMPING * np.einsum("...ii->...i", metric).mean(axis=-1)
    damping = np.where(mean > 0.0, mean, 1.0)
    return np.asarray(metric + damping[..., None, None] * np.eye(metric.shape[-1]))


def round_compensated(values: Real, metric: Real, nearest: Callable[[Real], Real]) -> Real:
    """Round column by column, the weightiest first, passing each error on.

    Parameters
    ----------
    values
        (…, rows, n).
    metric
        (…, n, n), positive definite: errors e of a row cost ``e metric e``.
    nearest
        Rounds numbers of any shape, each for itself.
    """
    order = np.argsort(-np.einsum("...ii->...i", metric), axis=-1, kind="stable")
    sorted_metric = np.take_along_axis(metric, order[..., :, None], axis=-2)
    sorted_metric = np.take_along_axis(sorted_metric, order[..., None, :], axis=-1)
    # row j of the upper factor of the inverse says how a change of number j is best made good
    factor = np.linalg.cholesky(np.linalg.inv(sorted_metric)).swapaxes(-1, -2)
    columns = np.broadcast_to(order[..., None, :], values.shape)
    # a column at a time is read
    remaining = np.take_along_axis(values, columns, axis=-1).swapaxes(-1, -2).copy()
    rounded = np.empty_like(remaining)
    count = values.shape[-1]
    for start in range(0, count, TILE):
        end = min(start + TILE, count)
        errors = np.empty_like(remaining[..., start:end, :])
        for j in range(start, end):
            rounded[..., j, :] = nearest(remaining[..., j, :])
            error = (remaining[..., j, :] - rounded[..., j, :]) / factor[..., j, j, None]
            remaining[..., j + 1 : end, :] -= (
                factor[..., j, j + 1 : end, None] * error[..., None, :]
            )
            errors[..., j - start, :] = error
        remaining[..., end:, :] -= factor[..., start:end, end:].swapaxes(-1, -2) @ errors
    result = np.empty_like(values)
    np.put_along_axis(result, columns, rounded.swapaxes(-1, -2), axis=-1)
    return result
