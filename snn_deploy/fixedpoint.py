"""All integer arithmetic of the deployed network, written once.

Every engine computes exactly these functions: the reference engine calls them, the compiled and
the Lava engines are tested to give the same integers. ``docs/arithmetic.md`` explains them with
each node's equation. Values travel as int64 numpy arrays here so that no product can wrap; the
*widths* that the chip must offer are the ones named in the functions and checked by the verifier.

Two rules hold everywhere:

- a right shift rounds half up: ``(x + (1 << (k - 1))) >> k``;
- a signed format of ``b`` bits holds ``-(2**(b-1) - 1) … 2**(b-1) - 1``. The range is symmetric, so
  that a negated value always fits, as in Loihi's membrane register.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "DECAY_UNITY_BITS",
    "DRIVE_BITS",
    "LIF_ALIGN_BITS",
    "MEMBRANE_BITS",
    "QUOTIENT_FRACTION",
    "RADICAND_FRACTION",
    "ROOT_BITS",
    "ROOT_FIRST_ROW",
    "ROOT_FRACTION",
    "ROOT_INDEX_SHIFT",
    "THRESHOLD_BITS",
    "Reciprocal",
    "decay_towards_zero",
    "dot",
    "function_table",
    "inverse_root",
    "inverse_root_table",
    "lif_step",
    "limit_of",
    "mean_from_sum",
    "mean_over_channels",
    "multiplier_of",
    "multiply_shift",
    "multiply_shift_towards_zero",
    "normalize",
    "reciprocal",
    "round_half_up",
    "round_shift",
    "saturate",
    "sigmoid_index",
    "sigmoid_table",
    "signed_shift",
]

IntArray = npt.NDArray[np.int64]

DECAY_UNITY_BITS = 12  # Loihi's decay constants are fractions of 2**12
LIF_ALIGN_BITS = 6  # Loihi shifts synaptic input and threshold left by 6 bits
MEMBRANE_BITS = 24  # width of Loihi's membrane register
DRIVE_BITS = 18  # of a soma's input: shifted left, it fits the membrane's register
THRESHOLD_BITS = 17  # of a threshold, before it is shifted
ROOT_BITS = 16  # width of an inverse square root's mantissa
WORTH_DOUBLES = 2**13  # products of a matrix, of which numpy takes some microseconds in integers
QUOTIENT_FRACTION = 22  # fractional bits of a normalised value, whose magnitude is 1 at the most


def limit_of(bits: int, signed: bool = True) -> int:
    """Return the largest mantissa of a ``bits`` wide format; the smallest is its negative, or 0."""
    return int((1 << (bits - 1)) - 1) if signed else int((1 << bits) - 1)


def round_half_up(x: npt.NDArray[np.float64]) -> IntArray:
    """Round real numbers to integers, halves upwards. For building tables and encoding inputs."""
    return np.asarray(np.floor(x + 0.5).astype(np.int64))


_HALVES = np.array([0, *(1 << k for k in range(62))], dtype=np.int64)
"""By shift: half of what it divides by."""


def round_shift(x: npt.ArrayLike, shift: npt.ArrayLike) -> IntArray:
    """Divide by ``2**shift`` (shift >= 0), rounding half up."""
    value = np.asarray(x, dtype=np.int64)
    k = np.asarray(shift, dtype=np.int64)
    return np.asarray((value + _HALVES[k]) >> k, dtype=np.int64)


def signed_shift(x: npt.ArrayLike, shift: npt.ArrayLike) -> IntArray:
    """Multiply by ``2**shift``: exact to the left, rounding half up to the right."""
    k = np.asarray(shift, dtype=np.int64)
    left = np.left_shift(np.asarray(x, dtype=np.int64), np.maximum(k, 0))
    return round_shift(left, np.maximum(-k, 0))


def multiply_shift(x: npt.ArrayLike, mantissa: npt.ArrayLike, shift: npt.ArrayLike) -> IntArray:
    """Give ``round_shift(x * mantissa, shift)``, the chip's multiply-and-shift."""
    product = np.asarray(x, dtype=np.int64) * np.asarray(mantissa, dtype=np.int64)
    return round_shift(product, shift)


def dot(x: npt.ArrayLike, matrix: npt.NDArray[np.integer[Any]]) -> IntArray:
    """Give the exact product of x (…, n) and a matrix (n, m).

    Through doubles where no partial sum can reach 2**53, below which they hold every integer, and
    where there are so many products that to prove it pays.
    """
    value = np.asarray(x, dtype=np.int64)
    if value.size * matrix.shape[1] < WORTH_DOUBLES:
        return np.asarray(value @ matrix.astype(np.int64))
    largest = max(int(value.max(initial=0)), -int(value.min(initial=0)))
    weight = matrix.astype(np.float64)
    heaviest = len(matrix) * 2.0 ** (8 * matrix.itemsize)  # whatever the weights are
    if largest * heaviest >= 2.0**53:
        heaviest = np.abs(weight).sum(axis=0).max(initial=0.0)
    if largest * heaviest < 2.0**53:
        return np.asarray((value.astype(np.float64) @ weight).astype(np.int64))
    return np.asarray(value @ matrix.astype(np.int64))


def saturate(x: npt.ArrayLike, bits: int, signed: bool = True) -> tuple[IntArray, int]:
    """Clip to a ``bits`` wide format; also give how many values were changed."""
    value = np.asarray(x, dtype=np.int64)
    high = limit_of(bits, signed)
    low = -high if signed else 0
    clipped = value.clip(low, high)
    return clipped, int(np.count_nonzero(clipped != value))


def multiply_shift_towards_zero(x: npt.ArrayLike, factor: int, shift: int) -> IntArray:
    """Give ``x * factor / 2**shift`` truncated towards zero, for a factor that is not negative."""
    value = np.asarray(x, dtype=np.int64)
    magnitude = (np.abs(value) * factor) >> shift
    return np.asarray(np.sign(value) * magnitude, dtype=np.int64)


def decay_towards_zero(v: npt.ArrayLike, decay: int) -> IntArray:
    """Give ``v * (4096 - decay) / 4096``, truncated towards zero (Loihi's membrane decay)."""
    return multiply_shift_towards_zero(v, (1 << DECAY_UNITY_BITS) - decay, DECAY_UNITY_BITS)


def lif_step(
    v: npt.ArrayLike, drive: npt.ArrayLike, threshold: int, decay: int
) -> tuple[IntArray, IntArray, int]:
    """One step of Loihi's LIF with immediate current decay (``du = 4095``) and no bias.

    Parameters
    ----------
    v
        Membrane before the step, ±(2**23 - 1).
    drive
        Input current, ±(2**17 - 1): a larger one would wrap in Loihi's current register.
    threshold
        0 … 2**17 - 1, compared with ``v`` after both are aligned by 6 bits.
    decay
        0 … 4095, in units of 2**-12.

    Returns
    -------
    The spikes (0 or 1), the membrane after reset, and how many membranes saturated.
    """
    current = np.left_shift(np.asarray(drive, dtype=np.int64), LIF_ALIGN_BITS)
    membrane, saturated = saturate(decay_towards_zero(v, decay) + current, MEMBRANE_BITS)
    spikes = (membrane > (threshold << LIF_ALIGN_BITS)).astype(np.int64)
    return spikes, np.where(spikes == 1, 0, membrane), saturated


def sigmoid_table(index_bits: int, value_bits: int, span: float) -> npt.NDArray[np.int32]:
    """Tabulate the sigmoid: see :func:`function_table`."""
    return function_table(lambda x: 1.0 / (1.0 + np.exp(-x)), index_bits, value_bits, span)


def function_table(
    function: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    index_bits: int,
    value_bits: int,
    span: float,
) -> npt.NDArray[np.int32]:
    """Tabulate a function from 0 to 1 in the middle of ``2**index_bits`` equal steps of ±``span``.

    Entry ``i`` stands for the argument ``(i - 2**(index_bits-1)) * 2 * span / 2**index_bits``, to
    which ``sigmoid_index`` rounds; values have ``value_bits - 1`` fractional bits.
    """
    size = 1 << index_bits
    argument = (np.arange(size) - size // 2) * (2.0 * span / size)
    value = round_half_up(2.0 ** (value_bits - 1) * function(argument))
    return np.minimum(value, limit_of(value_bits)).astype(np.int32)


def sigmoid_index(x: npt.ArrayLike, shift: int, size: int) -> IntArray:
    """Give the table row for ``x``; beyond the table's span the sigmoid is its end value."""
    return np.clip(round_shift(x, shift) + size // 2, 0, size - 1)


Reciprocal = tuple[int, int, int]
"""(pre_shift, mantissa, shift) of :func:`reciprocal`."""


def reciprocal(length: int, mantissa_bits: int, headroom_bits: int, guard_bits: int) -> Reciprocal:
    """Choose the multiply-and-shift that divides a sum of ``length`` values by ``length``.

    The sum is first shifted right by ``pre_shift`` so that it is at most ``headroom_bits`` wider
    than one value, then multiplied by ``mantissa`` and shifted by ``shift``. The mean comes out
    with ``guard_bits`` more fractional bits than the values had (fewer, where that is negative);
    at most ``mantissa_bits - 2`` more, so that no shift is negative.
    """
    log_length = (length - 1).bit_length()
    pre_shift = max(0, log_length - headroom_bits)
    fraction_bits = mantissa_bits - 2 + log_length  # at which 1 / length fills the mantissa
    mantissa = min(((2 << fraction_bits) // length + 1) // 2, limit_of(mantissa_bits))
    shift = fraction_bits - pre_shift - guard_bits
    return pre_shift, mantissa, shift


def mean_from_sum(total: npt.ArrayLike, divisor: Reciprocal | IntArray) -> IntArray:
    """Divide ``total`` as :func:`reciprocal` planned it, or (3, …) plans, one for each number."""
    pre_shift, mantissa, shift = divisor
    return multiply_shift(round_shift(total, pre_shift), mantissa, shift)


def mean_over_channels(total: npt.ArrayLike, count: int, mantissa_bits: int) -> IntArray:
    """Divide sums of ``count`` values by ``count``: a first quotient, then one of what it left.

    The remainder takes out what the rounded reciprocal and the first shift did to large means.
    """
    pre_shift, mantissa, shift = reciprocal(count, mantissa_bits, 0, 0)
    first = mean_from_sum(total, (pre_shift, mantissa, shift))
    remainder = np.asarray(total, dtype=np.int64) - first * count
    return first + multiply_shift(remainder, mantissa, shift + pre_shift)


ROOT_FRACTION = 14  # of the mantissa, 1 … 2
RADICAND_FRACTION = 22  # of what is looked up, 1/4 … 1
ROOT_INDEX_SHIFT = 13  # from a radicand to its row
ROOT_FIRST_ROW = 128


@lru_cache(maxsize=1)
def inverse_root_table() -> npt.NDArray[np.int32]:
    """Start values of :func:`inverse_root`, (384,): row i stands for radicands of 22 fractional
    bits around ``(i + 128.5) * 2**13``.
    """
    rows = range(3 * ROOT_FIRST_ROW)
    table = np.array([isqrt(2**38 // (2 * i + 2 * ROOT_FIRST_ROW + 1)) for i in rows], np.int32)
    table.flags.writeable = False
    return table


def inverse_root(x: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Give mantissa y and exponent t of ``1 / sqrt(x) = y * 2**-(14 + t)``, 0 < x < 2**48.

    x is shifted to a radicand of 1/4 … 1 by an even number of bits; a table's start value then
    takes one step of Newton's method. y is 2**14 … 2**15 - 1; the relative error is below 2**-14.
    """
    value = np.asarray(x, dtype=np.int64)
    exponent = (np.frexp(value.astype(np.float64))[1].astype(np.int64) + 1) // 2
    radicand = signed_shift(value, RADICAND_FRACTION - 2 * exponent)
    table = inverse_root_table()
    row = np.clip((radicand >> ROOT_INDEX_SHIFT) - ROOT_FIRST_ROW, 0, len(table) - 1)
    start = table.astype(np.int64)[row]
    root = multiply_shift(radicand, start, ROOT_FRACTION)  # sqrt(radicand), nearly
    missing = (1 << RADICAND_FRACTION) - multiply_shift(root, start, ROOT_FRACTION)
    step = multiply_shift(missing, start, RADICAND_FRACTION + 1)
    return np.minimum(start + step, limit_of(ROOT_BITS)), exponent


def normalize(
    x: npt.ArrayLike, align: npt.ArrayLike, epsilon: int, square_shift: int, mantissa_bits: int
) -> IntArray:
    """Centre the last axis and divide it by the root of its sum of squares.

    ``d = (x << align) - mean``, then ``d / sqrt(Σ d**2 + epsilon * 2**square_shift)`` with
    ``QUOTIENT_FRACTION`` fractional bits.

    Parameters
    ----------
    x, align
        (…, channels), and shifts that bring the channels to one exponent.
    epsilon
        At least 1, in the units of ``d**2`` after its shift.
    square_shift
        Even: the squares are shifted right by it before they are added.
    mantissa_bits
        Width of the reciprocal of the number of channels.
    """
    aligned = signed_shift(x, align)
    count = aligned.shape[-1]
    total = aligned.sum(axis=-1, keepdims=True)
    centred = aligned - mean_over_channels(total, count, mantissa_bits)
    squares = round_shift(centred * centred, square_shift).sum(axis=-1, keepdims=True)
    mantissa, exponent = inverse_root(squares + epsilon)
    shift = QUOTIENT_FRACTION - ROOT_FRACTION - square_shift // 2 - exponent
    return signed_shift(centred * mantissa, shift)


def multiplier_of(value: npt.NDArray[np.float64], bits: int, max_shift: int) -> tuple[Any, Any]:
    """Approximate real factors as ``mantissa * 2**-shift`` with signed mantissas of ``bits`` bits.

    Each factor gets the largest shift in 0 … ``max_shift`` at which its mantissa fits. A factor
    too large even for shift 0 saturates its mantissa; callers check ranges first.

    Returns
    -------
    mantissa, shift
        int32 and int8 arrays of the factors' shape.
    """
    high = limit_of(bits)
    value = np.clip(value, -high, high)
    magnitude = np.abs(value)
    _, exponent = np.frexp(magnitude)  # magnitude < 2**exponent, and at least half of that
    shift = np.where(magnitude > 0, np.clip(bits - 1 - exponent, 0, max_shift), max_shift)
    # rounding may carry into one bit more than there is
    overflows = np.floor(magnitude * 2.0**shift + 0.5) > high
    shift = np.maximum(shift - overflows, 0)
    mantissa = np.clip(round_half_up(value * 2.0**shift), -high, high)
    return mantissa.astype(np.int32), shift.astype(np.int8)
