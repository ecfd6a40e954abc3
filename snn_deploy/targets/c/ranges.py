"""Which integers a value can be, and the C type that holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from snn_deploy.ir.program_bounds import Interval

__all__ = ["EXACT", "Operand", "Range", "c_type", "literal", "stored_bits", "working_bits"]

EXACT = 2**53  # beyond it an interval's ends may be rounded
_WIDEST = 2**63 - 1


class Range(NamedTuple):
    """All integers from ``low`` to ``high``."""

    low: int
    high: int

    @classmethod
    def of(cls, interval: Interval) -> Range:
        """Give the range of all that an interval's channels can be."""
        low, high = np.asarray(interval.low), np.asarray(interval.high)
        return cls(_whole(low.min()), _whole(high.max())) if low.size else cls(0, 0)

    @classmethod
    def of_array(cls, array: Any) -> Range:
        """Give the range of an array's numbers."""
        found = np.asarray(array)
        return cls(int(found.min()), int(found.max())) if found.size else cls(0, 0)

    @property
    def magnitude(self) -> int:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    @property
    def single(self) -> bool:
        """Whether it is one integer, known exactly."""
        return self.low == self.high and self.magnitude < EXACT

    def hull(self, other: Range) -> Range:
        """Give the smallest range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    def times(self, other: Range) -> Range:
        """Give the range of products."""
        ends = [a * b for a in self for b in other]
        return Range(min(ends), max(ends))


def _whole(end: Any) -> int:
    """Give an interval's end as an integer; what seems wider than 64 bits is no wider."""
    return int(math.copysign(_WIDEST, end)) if abs(end) >= 2.0**63 else int(end)


def working_bits(*ranges: Range) -> int:
    """Give the width, 32 or 64, in which all of ``ranges`` can be computed.

    What seems to need more is known not to: the verifier proves products and sums to fit.
    """
    return 32 if all(r.magnitude <= 2**31 - 1 for r in ranges) else 64


def stored_bits(stored: Range) -> int:
    """Give the narrowest width, 8, 16, 32 or 64, that memory can hold a range in."""
    return next(bits for bits in (8, 16, 32, 64) if stored.magnitude <= 2 ** (bits - 1) - 1)


def c_type(bits: int) -> str:
    """Name the signed type of a width."""
    return f"int{bits}_t"


def literal(number: int, bits: int = 32) -> str:
    """Write an integer as C of a width."""
    text = f"INT64_C({abs(number)})" if bits == 64 else str(abs(number))
    return f"(-{text})" if number < 0 else text


@dataclass(frozen=True)
class Operand:
    """A value in an expression: a name or a literal, and what it can be."""

    text: str
    range: Range

    @property
    def bits(self) -> int:
        """The width that it is computed in."""
        return working_bits(self.range)

    @property
    def known(self) -> int | None:
        """The one integer that it is, if it is one."""
        return self.range.low if self.range.single else None

    def times(self, power: int) -> str:
        """Write it times a power of two, at 32 bits, which hold that."""
        if self.known is not None:
            return literal(self.known << power)
        return f"{self.text} * {1 << power}" if power else self.text

    def at(self, bits: int) -> str:
        """Write it at a width, at least its own."""
        if self.known is not None:
            return literal(self.known, bits)
        return self.text if bits == self.bits else f"({c_type(bits)}){self.text}"
