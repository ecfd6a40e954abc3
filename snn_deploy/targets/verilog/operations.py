"""The operations of programs as cells of a datapath, each as wide as what it can be.

A product is made of hardware multipliers; the few bits by which a number is wider than one are
multiplied in logic, which parts have more of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Value
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.verilog.cells import Cell, Datapath, literal

__all__ = ["Operand", "add_operation", "masked", "product"]

SOFT_BITS = 8  # a factor of so few bits is multiplied in logic


class Operand:
    """A value in a datapath: what it can be, and its cell, made once it is asked for.

    Parameters
    ----------
    range_
        What it can be.
    make
        Makes the cell.
    linear
        Makes the operand ``sign * value + offset``, which stored numbers can be beforehand.
    """

    def __init__(
        self,
        range_: Range,
        make: Callable[[], Cell],
        linear: Callable[[int, int], Operand] | None = None,
    ) -> None:
        self.range, self._make, self._linear = range_, make, linear

    @cached_property
    def cell(self) -> Cell:
        """Its cell."""
        return self._make()

    @property
    def known(self) -> int | None:
        """The one integer that it is, if it is one."""
        return self.range.low if self.range.single else None

    def linear(self, path: Datapath, sign: int, offset: int) -> Operand:
        """Give the operand ``sign * value + offset``."""
        if (sign, offset) == (1, 0):
            return self
        ends = sorted(sign * end + offset for end in self.range)
        out = Range(ends[0], ends[1])
        if out.single:
            return Operand(out, lambda: literal(out.low))
        if self._linear is not None:
            return self._linear(sign, offset)
        text = f"{literal(offset).text} {'+' if sign > 0 else '-'} {{0}}"
        return Operand(out, lambda: path.cell(text, out.bits, self.cell))


def add_operation(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    """Add the cells of an operation; give the one with its result.

    Raises
    ------
    TargetError
        If Verilog is not written for it.
    """
    if value.operation not in _RULES:
        raise TargetError(
            f"the operation '{value.operation}', which Verilog is not written for yet; use the "
            "backend 'native'"
        )
    return _RULES[value.operation](path, value, a, out)


def masked(path: Datapath, flag: Cell, x: Cell) -> Cell:
    """Give ``x`` where the flag is set, else 0."""
    return path.cell("{0} ? {1} : 0", x.bits, flag, x)


def product(path: Datapath, x: Cell, factor: Cell) -> Cell:
    """Multiply, exactly."""
    x, factor = (x, factor) if x.bits >= factor.bits else (factor, x)
    bits = x.bits + factor.bits
    if factor.bits <= SOFT_BITS:
        return path.cell(_rows(factor.bits), bits, x, _named(path, factor))
    if x.bits <= path.factor_bits:
        path.multipliers.append((x.bits, factor.bits))
        return path.cell("{0} * {1}", bits, x, factor)
    cut = path.factor_bits - 1
    x = _named(path, x)
    low = path.wire(f"$signed({{1'b0, {{0}}[{cut - 1}:0]}})", path.factor_bits, x)
    high = path.wire(f"$signed({{0}}[{x.bits - 1}:{cut}])", x.bits - cut, x)
    parts = product(path, low, factor), product(path, high, factor)
    return path.cell(f"{{0}} + ({{1}} <<< {cut})", bits, *parts)


def _rows(bits: int) -> str:
    """Write a product with a narrow signed factor as a sum of shifted copies, two by two."""
    signs = [""] * (bits - 1) + ["-"]
    rows = [f"({{1}}[{n}] ? {sign}({{0}} <<< {n}) : 0)" for n, sign in enumerate(signs)]
    while len(rows) > 1:
        pairs = [rows[n : n + 2] for n in range(0, len(rows), 2)]
        rows = [f"({' + '.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return rows[0]


def _named(path: Datapath, x: Cell) -> Cell:
    """Give something that has a name, so that bits of it can be taken."""
    return path.wire("{0}", x.bits, x) if x.kind == "fixed" else x


Rule = Callable[[Datapath, Value, Sequence[Operand], Range], Cell]


def _written(text: str) -> Rule:
    def rule(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
        return path.cell(text, out.bits, *(x.cell for x in a))

    return rule


def _multiply(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    return _product(path, a[0], a[1])


def _product(path: Datapath, x: Operand, factor: Operand) -> Cell:
    for one, other in ((x, factor), (factor, x)):
        if one.known is not None and one.known > 0 and one.known & (one.known - 1) == 0:
            by = one.known.bit_length() - 1
            return path.wire(f"{{0}} <<< {by}", other.cell.bits + by, other.cell)
    return product(path, x.cell, factor.cell)


def _shift_left(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    x, by = a
    if by.known is not None:
        return path.wire(f"{{0}} <<< {by.known}", out.bits, x.cell)
    return path.cell("{0} <<< {1}", out.bits, x.cell, by.cell)


def _rounded(path: Datapath, x: Cell, by: Operand, out: Range) -> Cell:
    """Divide by ``2**by``, halves up: one bit more is kept, and 1 added to it."""
    if by.known == 0:
        return x
    least = by.range.low
    kept = path.wire(
        f"{{0}} >>> {least - 1}" if least else "{0} <<< 1", max(x.bits - least, 0) + 2, x
    )
    if by.known is None:
        kept = path.cell("{0} >>> {1}", kept.bits, kept, by.linear(path, 1, -least).cell)
    return path.cell("({0} + 2'sd1) >>> 1", out.bits, kept)


def _round_shift(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    return _rounded(path, a[0].cell, a[1], out)


def _multiply_shift(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    return _rounded(path, _product(path, a[0], a[1]), a[2], out)


def _signed_shift(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    x, by = a
    most = max(by.range.high, 0)
    raised = path.wire(f"{{0}} <<< {most}", x.cell.bits + most, x.cell) if most else x.cell
    return _rounded(path, raised, by.linear(path, -1, most), out)


def _decay(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    """Truncate: of what is negative, all but a whole step is added before the shift."""
    x, kept, by = a
    whole = _product(path, x, kept)
    if x.range.times(kept.range).low >= 0:
        return path.cell("{0} >>> {1}", out.bits, whole, by.cell)
    wide = max(whole.bits, by.range.high + 1) + 1
    one = literal(1, wide).text
    mask = f"(({one} <<< {{1}}) - {one})"
    text = f"({{0}}[{whole.bits - 1}] ? {{0}} + {mask} : {{0}}) >>> {{1}}"
    return path.cell(text, out.bits, _named(path, whole), by.cell)


def _clipped(low: int, high: int) -> Rule:
    def rule(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
        (x,) = a
        if low <= x.range.low and x.range.high <= high:
            return x.cell
        ends = "({0} > {2}) ? {2} : ({0} < {1}) ? {1} : {0}"
        return path.cell(ends, out.bits, x.cell, literal(low), literal(high))

    return rule


def _saturate(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    bits, signed = value.content
    high = (1 << (bits - signed)) - 1
    return _clipped(-high if signed else 0, high)(path, value, a, out)


def _clip(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    return _clipped(*value.content)(path, value, a, out)


def _bit_length(path: Datapath, value: Value, a: Sequence[Operand], out: Range) -> Cell:
    """Ask from the highest bit down."""
    x = _named(path, a[0].cell)
    if a[0].range.low < 0:
        raise TargetError("the bits of a number that may be negative")
    text = "0"
    for n in range(x.bits - 1):
        text = f"{{0}}[{n}] ? {n + 1} : {text}"
    return path.cell(text, out.bits, x)


_RULES: dict[str, Rule] = {
    "add": _written("{0} + {1}"),
    "subtract": _written("{0} - {1}"),
    "negate": _written("-{0}"),
    "and": _written("{0} & {1}"),
    "or": _written("{0} | {1}"),
    "xor": _written("{0} ^ {1}"),
    "greater": _written("{0} > {1}"),
    "equal": _written("{0} == {1}"),
    "minimum": _written("({0} < {1}) ? {0} : {1}"),
    "select": _written("({0} != 0) ? {1} : {2}"),
    "send_when": _written("({0} != 0) ? {1} : 0"),
    "multiply": _multiply,
    "shift_left": _shift_left,
    "round_shift": _round_shift,
    "signed_shift": _signed_shift,
    "multiply_shift": _multiply_shift,
    "decay": _decay,
    "saturate": _saturate,
    "clip": _clip,
    "bit_length": _bit_length,
}
