"""Proof that integers computed in doubles are exact, and the factors that make them so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "DOUBLE_BITS",
    "FLOAT_MAGIC",
    "FLOAT_ROOM",
    "INTEGER_ROOM",
    "MAGIC",
    "NotExactError",
    "factor_and_nudge",
    "require_room",
    "shift_and_nudge",
]

Reals = npt.NDArray[np.float64]

DOUBLE_BITS = 52  # of a fraction: a double holds any multiple of 2**-f below 2**(52 - f) exactly
MAGIC = 1.5 * 2.0**52  # the middle of the doubles that are 1 apart: room for ±2**51
FLOAT_MAGIC = 1.5 * 2.0**23  # of the floats: room for ±2**22
ROOM = 2.0**50  # doubles around MAGIC are 1 apart for twice as far
FLOAT_ROOM = 2.0**22  # and floats around FLOAT_MAGIC for as far as this
INTEGER_ROOM = 2.0**31  # of sums, and of sequences that are kept, in 32 bits


class NotExactError(Exception):
    """Some number may need more bits than a double has."""


def require_room(*largest: npt.ArrayLike, room: float = ROOM) -> None:
    """Require that integers of these magnitudes stay below the ``room`` that they have.

    Raises
    ------
    NotExactError
        If one does not.
    """
    for magnitude in largest:
        if not np.all(np.asarray(magnitude) < room):
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
    require_room(largest, room=2.0 ** (DOUBLE_BITS - bits))
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
    return factor_and_nudge(2.0 ** np.maximum(k, 0.0), np.maximum(-k, 0.0), largest)
