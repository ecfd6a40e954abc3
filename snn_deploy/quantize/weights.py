"""Rounding synaptic weights so that what they add up to changes least.

Rounding each weight to the nearest integer ignores that weights act together. Where calibration
data tells how the inputs vary together, the weights of a row are rounded one after another and each
rounding error is made good, as far as the later ones can, by the weights not yet rounded. This is
the column-wise procedure of optimal brain quantisation (Frantar and Alistarh, NeurIPS 2022; in this
order of computation, Frantar et al., GPTQ, ICLR 2023). The mean of what is left goes into the bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp

__all__ = ["Moments", "RoundedWeights", "round_weights"]

Real = npt.NDArray[np.float64]

DAMPING = 0.01  # of the mean variance: keeps inputs that never vary from being over-used


@dataclass(frozen=True)
class Moments:
    """How a layer's inputs behave over the calibration data: mean (in,), covariance (in, in)."""

    mean: Real
    covariance: Real


@dataclass(frozen=True)
class RoundedWeights:
    """Integer weights (out, in), int8 or for more than 8 bits int16, what one unit of each row
    stands for (out,), and what to add to the bias (out,) because the rounding changed the mean.
    """

    weight: npt.NDArray[Any]
    scale: Real
    bias_change: Real


def round_weights(weight: Real, bits: int, moments: Moments | None = None) -> RoundedWeights:
    """Round real weights (out, in) to signed integers of ``bits`` bits with one scale a row."""
    limit = fp.limit_of(bits)
    largest = np.abs(weight).max(axis=1, initial=0.0)
    scale = largest / limit  # a row of zeros needs no gain, whatever the output's format
    in_units = weight / np.where(largest > 0, scale, 1.0)[:, None]
    if moments is None:
        integer = fp.round_half_up(in_units).astype(np.int8 if bits <= 8 else np.int16)
        return RoundedWeights(integer, scale, np.zeros(len(weight)))
    integer = _compensated(in_units, moments.covariance, limit)
    change = ((in_units - integer) @ moments.mean) * scale
    return RoundedWeights(integer, scale, change)


def _compensated(weight: Real, covariance: Real, limit: int) -> npt.NDArray[np.int8]:
    """Round column by column, the most variable input first, passing each error on."""
    variance = np.diag(covariance)
    order = np.argsort(-variance, kind="stable")
    damped = covariance[np.ix_(order, order)] + np.eye(len(order)) * _damping(variance)
    # row j of the upper factor of the inverse says how a change of input j is best made good
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    remaining = weight[:, order].copy()
    rounded = np.empty_like(remaining)
    for j in range(len(order)):
        rounded[:, j] = np.clip(np.floor(remaining[:, j] + 0.5), -limit, limit)
        error = (remaining[:, j] - rounded[:, j]) / factor[j, j]
        remaining[:, j + 1 :] -= np.outer(error, factor[j, j + 1 :])
    result = np.empty(weight.shape, dtype=np.int8)
    result[:, order] = rounded.astype(np.int8)
    return result


def _damping(variance: Real) -> float:
    return float(DAMPING * variance.mean()) or 1.0
