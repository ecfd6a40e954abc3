"""The C type that holds a value."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.targets.ranges import Range

__all__ = ["Operand", "c_type", "literal", "stored_bits", "working_bits"]


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
