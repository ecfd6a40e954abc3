"""The loops of the ``fast`` program's layer norm: three passes over a row.

What belongs to a channel is computed in vectors of doubles, as in ``fast_kernels``; what belongs to
a row (its mean, and the root of its squares' sum) in 64-bit integers, once.
"""

from __future__ import annotations

from typing import Any

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.vectors import (
    LANES,
    MAGIC,
    add,
    changed,
    fma,
    fnma,
    load,
    maximum,
    minimum,
    multiply,
    splat,
    store,
    subtract,
    sum_lanes,
)

__all__ = ["LARGEST_LEFT_SHIFT", "ROOT_NUDGE", "normalize"]

LARGEST_LEFT_SHIFT = fp.QUOTIENT_FRACTION - (fp.ROOT_BITS - 2) - 1  # of a product with a root
ROOT_NUDGE = 2.0 ** -(fp.ROOT_BITS + LARGEST_LEFT_SHIFT)  # times the root, under half a quotient
SQUARE_NUDGE = 0.25
ROOT_LIMIT = fp.limit_of(fp.ROOT_BITS)

Array = Any  # numba knows the types


@inlined
def _shifted(x: int, k: int) -> int:
    """Shift right by k >= 0, halves upwards."""
    return (x + (1 << (k - 1))) >> k if k > 0 else x


@inlined
def _mean(total: int, count: int, mantissa: int, bits: int, log_count: int) -> int:
    """``fixedpoint.mean_over_channels``."""
    first = _shifted(_shifted(total, log_count) * mantissa, bits - 2)
    mean: int = first + _shifted((total - first * count) * mantissa, bits - 2 + log_count)
    return mean


@inlined
def _inverse_root(value: int, table: Array, table_at: int, rows: int) -> Any:
    """``fixedpoint.inverse_root``: mantissa and exponent."""
    exponent = 1
    while value >> (2 * exponent) != 0:
        exponent += 1
    shift = 22 - 2 * exponent
    radicand = value << shift if shift >= 0 else _shifted(value, -shift)
    start = table[table_at + min((radicand >> 13) - 128, rows - 1)]
    missing = (1 << 22) - _shifted(_shifted(radicand * start, 14) * start, 14)
    return min(start + _shifted(missing * start, 23), ROOT_LIMIT), exponent


@inlined
def _align(
    params: Array, align_at: int, signals: Array, x: int, y: int, pitch: int, magic: Any
) -> int:
    """Write a row's aligned inputs to y; give their sum."""
    total = splat(0.0)
    for w in range(0, pitch, LANES):
        nudged = add(load(signals, x + w), load(params, align_at + pitch + w))
        aligned = subtract(fma(nudged, load(params, align_at + w), magic), magic)
        total = add(total, aligned)
        store(signals, y + w, aligned)
    return int(sum_lanes(total))


@inlined
def _centre(
    params: Array, mask_at: int, signals: Array, y: int, pitch: int, mean: float, scale: float
) -> int:
    """Take the mean off a row at y; give the sum of its squares, each times ``scale``, rounded."""
    total, middle, factor, magic = splat(0.0), splat(mean), splat(scale), splat(MAGIC)
    for w in range(0, pitch, LANES):
        centred = fnma(load(params, mask_at + w), middle, load(signals, y + w))
        nudged = add(multiply(centred, centred), splat(SQUARE_NUDGE))
        total = add(total, subtract(fma(nudged, factor, magic), magic))
        store(signals, y + w, centred)
    return int(sum_lanes(total))


@inlined
def _divide(
    params: Array, rescale_at: int, signals: Array, y: int, pitch: int, root: float, limit: float
) -> Any:
    """Multiply a row at y by the root and by the gains, add the biases; give what was clipped."""
    clipped, factor, magic = splat(0.0), splat(root), splat(MAGIC)
    high, low = splat(limit), splat(-limit)
    for w in range(0, pitch, LANES):
        nudged = add(load(signals, y + w), splat(ROOT_NUDGE))
        quotient = subtract(fma(nudged, factor, magic), magic)
        at = rescale_at + w
        nudged = add(quotient, load(params, at + pitch))
        free = subtract(fma(nudged, load(params, at), load(params, at + 2 * pitch)), magic)
        held = maximum(minimum(free, high), low)
        clipped = add(clipped, changed(held, free))
        store(signals, y + w, held)
    return clipped


@inlined
def normalize(
    params: Array,
    align_at: int,
    rescale_at: int,
    tables: Array,
    constants_at: int,
    table_at: int,
    table_rows: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    rows: int,
    limit: float,
) -> float:
    """Write layer-normalised rows; give how many values were clipped.

    Parameters
    ----------
    align_at
        In ``params``: of each channel's shift the factor and its nudge, and 1 where there is a
        channel, (3, pitch).
    rescale_at
        In ``params``: factor, nudge and bias + MAGIC, (3, pitch).
    constants_at
        In ``tables``: channels, their reciprocal's mantissa, its bits, the channels' bits, epsilon,
        square_shift.
    table_at
        In ``tables``: the inverse root's start values, ``table_rows``.
    """
    c = constants_at
    scale = 1.0 / (1 << tables[c + 5])
    clipped, magic = splat(0.0), splat(MAGIC)
    for r in range(rows):
        y = y_at + r * pitch
        total = _align(params, align_at, signals, x_at + r * pitch, y, pitch, magic)
        mean = _mean(total, tables[c], tables[c + 1], tables[c + 2], tables[c + 3])
        mask_at = align_at + 2 * pitch
        squares = _centre(params, mask_at, signals, y, pitch, float(mean), scale)
        root, exponent = _inverse_root(squares + tables[c + 4], tables, table_at, table_rows)
        shift = tables[c + 5] // 2 + exponent - 1  # a root of 1 at exponent 1 needs no shift
        root_factor = root * (1 << LARGEST_LEFT_SHIFT) / (1 << shift)
        clipped = add(clipped, _divide(params, rescale_at, signals, y, pitch, root_factor, limit))
    return sum_lanes(clipped)
