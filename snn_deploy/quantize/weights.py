"""Rounding synaptic weights so that what they add up to changes least.

Where calibration data tells how the inputs vary together, the weights of a row make good each
other's rounding errors: see ``compensation``.

What a unit of a row stands for is free: the gain that follows holds it. So every row is rounded at
several scales, the fewer the wider it is, each time with the gain that then fits best, and that
scale is kept at which the sum is expected to be least wrong. The mean of what is left goes into the
bias; but not where the sum is compared with a level: there, that scale is kept at which the fewest
comparisons change, and no bias moves the sum at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.quantize.comparisons import Comparison
from snn_deploy.quantize.compensation import damped, round_compensated

__all__ = ["Moments", "RoundedWeights", "round_weights"]

Real = npt.NDArray[np.float64]

COARSEST = 0.9  # of the range that a row's largest weight fills, at the least
BEYOND = 2.0  # units by which a row's largest weight may lie beyond the range, and be clipped
MOST_SCALES = 32
COMPARED = 3  # times as many attempts where comparisons judge: chance has a part in those
WORK = 2**17  # scales times the square of a row's inputs, which is what one scale costs


@dataclass(frozen=True)
class Moments:
    """How a layer's inputs behave over the calibration data: mean (in,), covariance (in, in)."""

    mean: Real
    covariance: Real

    @property
    def about_zero(self) -> Real:
        """The second moments about zero, (in, in)."""
        return self.covariance + np.outer(self.mean, self.mean)

    def in_units(self, units: Real) -> Moments:
        """Give the moments of the same inputs counted in units (in,) of theirs."""
        return Moments(self.mean / units, self.covariance / np.outer(units, units))


@dataclass(frozen=True)
class RoundedWeights:
    """Integer weights (out, in) of ``bits`` bits, int8 or for more than 8 int16, what one unit of
    each row stands for (out,), and what to add to the bias (out,) because the rounding changed the
    mean.
    """

    weight: npt.NDArray[Any]
    scale: Real
    bias_change: Real
    bits: int


def round_weights(
    weight: Real, bits: int, moments: Moments | None = None, met: Comparison | None = None
) -> RoundedWeights:
    """Round real weights (out, in) to signed integers of ``bits`` bits with one scale a row.

    Without ``moments`` each is rounded to the nearest, at the scale at which the largest of a row
    fills the range. A ternary matrix, all of whose weights are one number, its negative or 0, is
    kept as it is, in two bits.
    """
    if _is_ternary(weight):
        largest = np.full(len(weight), np.abs(weight).max(initial=0.0))
        return RoundedWeights(np.sign(weight).astype(np.int8), largest, np.zeros(len(weight)), 2)
    limit = fp.limit_of(bits)
    largest = np.abs(weight).max(axis=1, initial=0.0)
    exact = np.int8 if bits <= 8 else np.int16
    if moments is None:
        scale = largest / limit  # a row of zeros needs no gain, whatever the output's format
        in_units = weight / np.where(largest > 0, scale, 1.0)[:, None]
        integer = fp.round_half_up(in_units).astype(exact)
        return RoundedWeights(integer, scale, np.zeros(len(weight)), bits)
    covariance = damped(moments.covariance if met is None else moments.about_zero)
    fillings = _fillings(limit, weight.shape[1], 1 if met is None else COMPARED)
    in_units = weight / np.where(largest > 0, largest, 1.0)[:, None] * fillings[:, None, None]

    def nearest(values: Real) -> Real:
        return np.asarray(np.clip(np.floor(values + 0.5), -limit, limit))

    rows = in_units.reshape(-1, weight.shape[1])  # of all attempts
    integers = round_compensated(rows, covariance, nearest).reshape(in_units.shape)
    integer, scale = _best(weight, integers, covariance, met)
    change = np.zeros(len(weight))
    if met is None:
        change = (weight - integer * scale[:, None]) @ moments.mean
    return RoundedWeights(integer.astype(exact), scale, change, bits)


def _is_ternary(weight: Real) -> bool:
    """Tell whether a matrix of several inputs has one magnitude beside 0."""
    largest = np.abs(weight).max(initial=0.0)
    return weight.shape[1] > 1 and bool(np.isin(np.abs(weight), (0.0, largest)).all())


def _fillings(limit: int, inputs: int, times: int) -> Real:
    """Give how many units a row's largest weight is made to be, in each attempt; first the range's
    limit, at which weights that lie on a grid of ``limit`` units are kept as they are.
    """
    count = min(WORK // inputs**2, MOST_SCALES) * times
    return np.append(float(limit), np.linspace(limit + BEYOND, COARSEST * limit, count))


def _best(
    weight: Real, integers: Real, covariance: Real, met: Comparison | None
) -> tuple[Real, Real]:
    """Choose of ``integers`` (attempts, out, in) each row's best, with the gain that suits it.

    With ``w`` and ``q`` as lengths and angle in the metric of the covariance, the best gain is
    ``w·q / q·q``, and what it explains of ``w·w`` is ``(w·q)² / q·q``. Where comparisons are met,
    the fewest changed come first.
    """
    weighted = integers @ covariance
    own = np.einsum("kij,kij->ki", weighted, integers)
    shared = np.einsum("kij,ij->ki", weighted, weight)
    gain = np.divide(shared, own, out=np.zeros_like(own), where=own > 0)
    explained = gain * shared
    if met is not None:
        changed = met.changed(integers * gain[..., None] - weight)
        explained = np.where(changed == changed.min(axis=0), explained, -np.inf)
    chosen = explained.argmax(axis=0), np.arange(len(weight))
    return integers[chosen], gain[chosen]
