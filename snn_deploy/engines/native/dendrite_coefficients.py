"""Coefficients of a dendrite's modes, in floats or doubles, and the proof that they are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.exactness import (
    DOUBLE_BITS,
    FLOAT_MAGIC,
    FLOAT_ROOM,
    MAGIC,
    NotExactError,
    factor_and_nudge,
    require_room,
)
from snn_deploy.engines.native.library import lanes_of_doubles

__all__ = ["TILE_MODES", "Coefficients", "Modes", "by_group", "double_coefficients"]
__all__ += ["float_coefficients", "offset_of", "once_coefficients"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TILE_MODES = 4
"""Modes that run together, as in ``src/dendrite.h``."""

# a coefficient of b bits, moved by 2**-2 of its last bit over a bias, must fit a double's 53
BITS_OVER_BIAS = 51
_SIGNS = np.array([1.0, -1.0])[:, None, None]  # of what a readout's real and imaginary part add


@dataclass(frozen=True)
class Modes:
    """Mantissas (4, H, N) of decay and readout, real and imaginary, their shifts, and the powers
    of two (H, N) that the input is multiplied by; H filled up to whole groups, N to whole tiles,
    with modes that nothing enters.
    """

    mantissas: Integers
    shifts: Integers
    entry: Reals
    limit: int

    def taken(self, order: Integers) -> Modes:
        """Give the modes of each channel in another order."""
        return Modes(
            np.take_along_axis(self.mantissas, order[None], axis=2),
            np.take_along_axis(self.shifts, order[None], axis=2),
            np.take_along_axis(self.entry, order, axis=1),
            self.limit,
        )


@dataclass(frozen=True)
class Coefficients:
    """What the kernel's vectors hold.

    Parameters
    ----------
    rows
        (MODE, H, N).
    offset
        What the bias brings to each mode's sum, (H, N).
    bias
        The same for all compartments.
    settle
        What moving v ends with.
    unguarded
        (groups,): how many modes of each, the first ones, are not guarded.
    sums
        (groups, N): to which sum each mode adds.
    """

    rows: Reals
    offset: Reals
    bias: float
    settle: float
    unguarded: Integers
    sums: Integers


def float_coefficients(modes: Modes, worst: Reals, begun: Reals) -> Coefficients:
    """Give coefficients that are odd, or 0, all with one shift: see ``src/dendrite.h``.

    ``worst`` (H, N) is the most that each mode adds to its sum, and ``begun`` (H,) what the first
    sum begins with.
    """
    used = modes.mantissas != 0
    shifts = np.unique(modes.shifts[used])
    # twice the magic number, less a bias, is a float only if that is even
    if len(shifts) > 1 or np.any(shifts < 2) or np.any(modes.mantissas[used] % 2 == 0):
        raise NotExactError
    shift = int(shifts.max(initial=2))
    bias = 2.0 ** (shift - 1)
    exact = modes.mantissas * 2.0**-shift
    real, imag, minus_imag = exact[0], exact[1], -exact[1]
    under_u = offset_of(real, bias) + offset_of(minus_imag, bias)
    under_v = offset_of(imag, bias) + offset_of(real, bias)
    product = (np.abs(real) + np.abs(imag)) * (modes.limit + bias) + 2.0
    require_room(product + np.maximum(np.abs(under_u), np.abs(under_v)), room=FLOAT_ROOM)
    read = exact[2:] * _SIGNS
    offset = offset_of(read, bias)
    worst = by_group(worst + np.abs(offset).sum(axis=0), 2 * lanes_of_doubles())
    rows = [real, imag, minus_imag, FLOAT_MAGIC - under_u, FLOAT_MAGIC - under_v, *read]
    return Coefficients(
        rows=np.stack([*rows, *np.zeros_like(read)]),
        offset=offset.sum(axis=0),
        bias=bias,
        settle=bias - FLOAT_MAGIC,
        unguarded=np.full(len(worst), worst.shape[1]),
        sums=_share_out(worst, begun.reshape(-1, 2 * lanes_of_doubles())),
    )


def _share_out(worst: Reals, begun: Reals) -> Integers:
    """Let modes add to as few sums as have room for what they add, (groups, N, lanes), the first
    one for what it begins with, too.
    """
    groups, _, lanes = worst.shape
    tiles = worst.reshape(groups, -1, TILE_MODES, lanes).sum(axis=2)
    require_room(tiles, room=FLOAT_ROOM)
    numbers = np.zeros(tiles.shape[:2], dtype=np.int64)
    for g in range(groups):
        held, number = begun[g], 0
        for b in range(tiles.shape[1]):
            held = held + tiles[g, b]
            if not np.all(held < FLOAT_ROOM):
                held, number = tiles[g, b], number + 1
            numbers[g, b] = number
    return np.repeat(numbers, TILE_MODES, axis=1)


def offset_of(coefficient: Reals, bias: float | Reals) -> Reals:
    """Give what a product has too much because the compartment is biased: all but the half."""
    return np.where(coefficient == 0.0, 0.0, bias * coefficient - 0.5)


def _fraction_bits(modes: Modes) -> Integers:
    """Count the fractional bits of each coefficient."""
    lowest = modes.mantissas & -modes.mantissas
    zeros = np.frexp(np.maximum(lowest, 1).astype(np.float64))[1] - 1
    return np.where(modes.mantissas == 0, 0, np.maximum(modes.shifts - zeros, 0))


def _largest_bits(mantissas: Integers) -> int:
    return int(np.abs(mantissas).max(initial=1)).bit_length()


def _choose_bias(modes: Modes) -> int:
    """Give the bits of a bias that is larger than any compartment, times any decay an integer, and
    times as many readouts as may be.
    """
    fractions = _fraction_bits(modes)
    least = max(modes.limit.bit_length() + 1, int(fractions[:2].max()))
    most = BITS_OVER_BIAS - _largest_bits(modes.mantissas)
    if least > most:
        raise NotExactError
    wanted = min(max(least, int(fractions[2:].max())), most)
    readout = np.abs(modes.mantissas[2:]) * 2.0 ** -modes.shifts[2:]
    try:
        require_room(readout.sum(axis=(0, 2)) * 2.0 ** (wanted + 2))
    except NotExactError:
        return least
    return wanted


def _exceeds(modes: Modes, bias_bits: int) -> npt.NDArray[np.bool_]:
    """Tell which modes' readouts, times the bias, are no integers, (H, N)."""
    return np.asarray((_fraction_bits(modes)[2:] > bias_bits).any(axis=0))


def double_coefficients(modes: Modes, saturates: bool) -> tuple[Integers, Coefficients]:
    """Give the order of the modes, those first that are not guarded, and in that order what moves
    and reads them.
    """
    bias_bits = _choose_bias(modes)
    exceeds = _exceeds(modes, bias_bits)
    order: Integers = np.lexsort((modes.entry, exceeds), axis=1)
    modes = modes.taken(order)
    exceeds = np.take_along_axis(exceeds, order, axis=1)
    guarded = by_group(exceeds | saturates, lanes_of_doubles()).any(axis=2)
    unguarded = np.where(guarded.any(axis=1), guarded.argmax(axis=1), guarded.shape[1])
    unguarded -= unguarded % TILE_MODES
    guarded = np.arange(guarded.shape[1]) >= unguarded[:, None]
    guarded = np.repeat(guarded, lanes_of_doubles(), axis=0)
    bias = 2.0**bias_bits
    exact, nudges = factor_and_nudge(modes.mantissas, modes.shifts, modes.limit)
    # times a biased compartment, less than half of what two products differ by
    hair = 2.0 ** -(modes.shifts + bias_bits + 2.0)
    real, imag = bias * exact[:2]
    require_room(np.abs(real) + np.abs(imag) + 4.0 * modes.limit)
    read = np.where(guarded, 0.0, hair[2:]) + exact[2:] * _SIGNS
    offset = np.where(guarded, 0.0, bias * exact[2:] * _SIGNS)
    require_room((2.0 * np.abs(offset) + modes.limit * np.abs(exact[2:]) + 1.0).sum(axis=(0, 2)))
    rows = [
        *(exact[0] + hair[0], exact[1] + hair[1], hair[1] - exact[1]),
        *(MAGIC - real + imag, MAGIC - imag - real),
        *(*read, *(nudges[2:] * _SIGNS - bias)),
    ]
    sums = np.zeros((len(unguarded), exact.shape[2]), dtype=np.int64)
    offsets = offset.sum(axis=0)
    return order, Coefficients(np.stack(rows), offsets, bias, bias - MAGIC, unguarded, sums)


def once_coefficients(modes: Modes, saturates: bool) -> tuple[Integers, Coefficients]:
    """Give the same of a dendrite that rounds once: no bias, sums that doubles hold exactly, and
    less than half of what two of them differ by, to decide ties.
    """
    order: Integers = np.argsort(modes.entry, axis=1, kind="stable")
    modes = modes.taken(order)
    sums = modes.limit * np.abs(modes.mantissas).reshape(2, 2, *modes.entry.shape).sum(axis=1)
    require_room(sums, room=2.0 ** (DOUBLE_BITS - 3))
    exact, hair = modes.mantissas * 2.0**-modes.shifts, 2.0 ** -(modes.shifts + 2.0)
    require_room((sums[1] * 2.0 ** -modes.shifts[2] + 1.0).sum(axis=1))
    rows = [exact[0], exact[1], -exact[1], hair[0], hair[2], exact[2], -exact[3]]
    nothing = np.zeros_like(modes.entry)
    groups, count = len(nothing) // lanes_of_doubles(), nothing.shape[1]
    return order, Coefficients(
        rows=np.stack([*rows, nothing, nothing]),
        offset=nothing,
        bias=0.0,
        settle=MAGIC,
        unguarded=np.full(groups, 0 if saturates else count),
        sums=np.zeros((groups, count), dtype=np.int64),
    )


def by_group(values: Any, lanes: int) -> Any:
    """Turn (H, n, …) into (groups, n, lanes, …); H is a multiple of lanes."""
    return values.reshape(-1, lanes, *values.shape[1:]).swapaxes(1, 2)
