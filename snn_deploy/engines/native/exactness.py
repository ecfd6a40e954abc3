"""Proof that integers computed in doubles are exact, and the factors that make them so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "DOUBLE_BITS",
    "FLOAT_MAGIC",
    "FLOAT_ROOM",
    "MAGIC",
    "NotExactError",
    "factor_and_nudge",
    "require_integer_bits",
    "require_room",
    "shift_and_nudge",
]

Reals = npt.NDArray[np.float64]

DOUBLE_BITS = 52  # of a fraction: a double holds any multiple of 2**-f below 2**(52 - f) exactly
INTEGER_BITS = 32
MAGIC = 1.5 * 2.0**52  # the middle of the doubles that are 1 apart: room for ±2**51
FLOAT_MAGIC = 1.5 * 2.0**23  # of the floats: room for ±2**22
ROOM = 2.0**50  # doubles around MAGIC are 1 apart for twice as far
FLOAT_ROOM = 2.0**22  # and floats around FLOAT_MAGIC for as far as this


class NotExactError(Exception):
    """Some number may need more bits than a double has."""


def require_room(*largest: npt.ArrayLike) -> None:
    """Require that integers of these magnitudes stay far from the end of the doubles' integers.

    Raises
    ------
    NotExactError
        If one does not.
    """
    for magnitude in largest:
        if not np.all(np.asarray(magnitude) < ROOM):
            raise NotExactError


def require_integer_bits(bits: int) -> None:
    """Require that a signed format fits the 32 bits in which sequences are kept.

    Raises
    ------
    NotExactError
        If it does not.
    """
    if bits > INTEGER_BITS:
        raise NotExactError


def factor_and_nudge(
    mantissa: npt.ArrayLike, shift: npt.ArrayLike, largest: npt.ArrayLike
) -> tuple[Reals, Reals]:
    """Give the factor of ``ms(x, mantissa, shift)``, and its nudge, for ``|x| <= largest``.

    With ``|mantissa| < 2**b`` the nudge is ``±2**-(b+1)``: times the factor, less than half of
    ``2**-shift``, the distance of two possible products.

    Raises
    ------
    NotExactError
        If x and its nudge together, or the product, may need more bits than there are.
    """
    m = np.asarray(mantissa, dtype=np.float64)
    bits = int(np.abs(m).max(initial=1)).bit_length() + 1
    if not np.all(np.asarray(largest) < 2.0 ** (DOUBLE_BITS - bits)):
        raise NotExactError
    factor = m * 2.0 ** -np.asarray(shift, dtype=np.float64)
    require_room(np.asarray(largest) * np.abs(factor))
    return factor, np.where(m < 0, -(2.0**-bits), 2.0**-bits)


def shift_and_nudge(shift: npt.ArrayLike, largest: npt.ArrayLike) -> tuple[Reals, Reals]:
    """Give the factor ``2**shift`` of a signed shift, and its nudge: less than half a result.

    Raises
    ------
    NotExactError
        As :func:`factor_and_nudge`.
    """
    k = np.asarray(shift, dtype=np.float64)
    nudge_bits = int(max(k.max(initial=0.0), 0.0)) + 2
    if not np.all(np.asarray(largest) < 2.0 ** (DOUBLE_BITS - nudge_bits)):
        raise NotExactError
    factor: Any = 2.0**k
    require_room(np.asarray(largest) * factor)
    return factor, np.full(k.shape, 2.0**-nudge_bits)
