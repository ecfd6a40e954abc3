"""Number formats and edges: what travels between two nodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint
from snn_deploy.errors import ConfigError

__all__ = ["Edge", "Format", "extremes"]


@dataclass(frozen=True)
class Format:
    """How an integer stands for a number: ``value = mantissa * 2**-exponent``.

    Parameters
    ----------
    bits
        Width of the mantissa, 1 … 48. Signed formats are symmetric: ±(2**(bits-1) - 1).
    exponent
        Static; one for the whole signal, or one for each channel of it.
    signed
        False for spikes and counts.
    """

    bits: int
    exponent: int | tuple[int, ...]
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 48:
            raise ConfigError(f"a number format has 1 to 48 bits, not {self.bits}")

    @cached_property
    def limit(self) -> int:
        """The largest mantissa."""
        return fixedpoint.limit_of(self.bits, self.signed)

    def exponents(self, width: int) -> npt.NDArray[np.int64]:
        """Give the exponent of each of ``width`` channels, shape (width,)."""
        return np.broadcast_to(np.asarray(self.exponent, dtype=np.int64), (width,))

    def decode(self, mantissa: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Give the numbers that mantissas (…, width) stand for."""
        return np.ldexp(np.asarray(mantissa, dtype=np.float64), -self._shift)

    def encode(self, value: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], int]:
        """Round numbers (…, width) half up to mantissas; also count those out of range."""
        scaled = np.ldexp(np.asarray(value, dtype=np.float64), self._shift)
        rounded, limit = np.floor(scaled + _HALF), float(self.limit)
        low = -limit if self.signed else 0.0
        lowest, highest = extremes(rounded)
        if lowest >= low and highest <= limit:  # not of NaN
            return rounded.astype(np.int64), 0
        clipped = rounded.clip(low, limit)  # beyond int64 the cast would be undefined
        return clipped.astype(np.int64), int(np.count_nonzero(clipped != rounded))

    @cached_property
    def _shift(self) -> npt.NDArray[np.int32]:
        return np.asarray(self.exponent, dtype=np.int32)

    def __str__(self) -> str:
        sign = "s" if self.signed else "u"
        if isinstance(self.exponent, int):
            return f"{sign}{self.bits}e{self.exponent}"
        return f"{sign}{self.bits}e[{min(self.exponent)}…{max(self.exponent)}]"


def extremes(values: npt.NDArray[Any]) -> tuple[Any, Any]:
    """Give the lowest and the highest number, NaN if there is one; 0 of none.

    Of a stream's one step, in a third of the time of min and max.
    """
    if not values.size:
        return 0, 0
    return values.item(values.argmin()), values.item(values.argmax())


_HALF = np.asarray(0.5)  # which is added faster than a number
SPIKE = Format(bits=1, exponent=0, signed=False)


@dataclass(frozen=True)
class Edge:
    """A message path from node ``source``; the message arrives ``delay`` steps after it was sent.

    ``steps_back`` is how many steps ago, by the network's own steps, the signal is read: 0 reads
    ``x[t]``, 1 ``x[t-1]``, which is 0 (silence) before the first step. An edge of at least 1 may
    point backwards, from a later node or from the node itself: the network is recurrent then.
    Number format and kind (binary spike or graded) are those of the source's output.
    """

    source: str
    delay: int = 0
    steps_back: int = 0

    def __str__(self) -> str:
        told = f"{self.source}@-{self.delay}" if self.delay else self.source
        return f"{told}[t-{self.steps_back}]" if self.steps_back else told
