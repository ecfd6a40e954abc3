"""One operation as a C expression, at a width that holds all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Value
from snn_deploy.targets.c.ranges import Operand, c_type, working_bits
from snn_deploy.targets.ranges import Range

__all__ = ["Expressions"]

_MOST_SHIFT = 62


@dataclass
class Expressions:
    """Writes operations; ``used`` gathers the helpers that they call."""

    used: set[str] = field(default_factory=set)

    def write(self, value: Value, arguments: list[Operand], out: Range) -> str:
        """Write an operation as an expression of the type that holds ``out``."""
        text, bits = _RULES[value.operation](self, value, arguments, out)
        wanted = working_bits(out)
        return text if bits == wanted else f"({c_type(wanted)})({text})"

    def call(self, name: str, bits: int, *arguments: str) -> str:
        """Call a helper."""
        self.used.add(f"{name}{bits}")
        return f"snn_{name}{bits}({', '.join(arguments)})"

    def high_word(self, x: Operand, factor: Operand, by: int) -> str:
        """Write ``multiply_shift`` as the upper word of a product of two words.

        Both are shifted left until the lower word is all that is dropped: two instructions on a
        Cortex-M, where any other shift of two words takes five.
        """
        left = 32 - by
        first = min(left, _headroom(factor))
        parts = (x.times(left - first), factor.times(first))
        return self.call("high", 32, *parts)

    def rounded(self, text: str, inside: Range, by: Operand) -> tuple[str, int]:
        """Write ``round_shift`` of an expression that can be ``inside``, given at any width.

        ``text`` has a ``{0}`` for the width's type.
        """
        if by.known is not None:
            return self._rounded_by(text, inside, _shift(by.known))
        bits = working_bits(Range(inside.low, inside.high + 1), _power(by.range.high))
        _shift(by.range.high)
        return self.call("round", bits, text.format(c_type(bits)), by.at(32)), bits

    def _rounded_by(self, text: str, inside: Range, by: int) -> tuple[str, int]:
        if by == 0:
            bits = working_bits(inside)
            return text.format(c_type(bits)), bits
        half = 1 << (by - 1)
        bits = working_bits(Range(inside.low + half, inside.high + half), inside, _power(by))
        raised = f"{text.format(c_type(bits))} + {Operand('', Range(half, half)).at(bits)}"
        if inside.low + half >= 0:
            return f"({raised}) >> {by}", bits
        return self.call("floor", bits, raised, str(by)), bits


Rule = Callable[[Expressions, Value, list[Operand], Range], "tuple[str, int]"]


def _shift(by: int) -> int:
    if by > _MOST_SHIFT:
        raise TargetError(f"a shift by {by} bits: C99 holds 64, so {_MOST_SHIFT} at the most")
    return by


def _headroom(x: Operand) -> int:
    """Give how many bits of a signed word a value leaves free."""
    return 31 - x.range.magnitude.bit_length()


def _fills_words(x: Operand, factor: Operand, by: int) -> bool:
    fits = x.bits == factor.bits == 32
    return fits and 0 <= 32 - by <= _headroom(x) + _headroom(factor)


def _power(by: int) -> Range:
    return Range(0, 1 << max(by, 0))


def _infix(sign: str) -> Rule:
    def rule(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
        bits = working_bits(out, *(x.range for x in a))
        return f"{a[0].at(bits)} {sign} {a[1].at(bits)}", bits

    return rule


def _compared(sign: str) -> Rule:
    def rule(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
        bits = working_bits(*(x.range for x in a))
        return f"(int32_t)({a[0].at(bits)} {sign} {a[1].at(bits)})", 32

    return rule


def _negate(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    bits = a[0].bits
    return f"-{a[0].at(bits)}", bits


def _shift_left(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    x, by = a
    bits = working_bits(out, x.range, _power(_shift(by.range.high)))
    return f"{x.at(bits)} * (({c_type(bits)})1 << {by.at(32)})", bits


def _round_shift(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    x, by = a
    return e.rounded(_cast(x), x.range, by)


def _cast(x: Operand) -> str:
    """Write an operand with a place for the type that it is wanted in."""
    return f"({{0}}){x.text if x.known is None else x.at(x.bits)}"


def _signed_shift(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    x, by = a
    if by.range.low >= 0:
        return _shift_left(e, value, a, out)
    if by.range.high <= 0:
        back = Range(-by.range.high, -by.range.low)
        return e.rounded(_cast(x), x.range, Operand(f"-{by.text}", back))
    widest = max(_shift(by.range.high), _shift(-by.range.low))
    above = Range(x.range.low, x.range.high + 1)
    bits = working_bits(out, x.range, above, _power(widest))
    return e.call("shift", bits, x.at(bits), by.at(32)), bits


def _multiply_shift(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    x, factor, by = a
    wide = working_bits(x.range.times(factor.range)) == 64
    if wide and by.known is not None and _fills_words(x, factor, by.known):
        return e.high_word(x, factor, by.known), 32
    return e.rounded(f"{_cast(x)} * {_cast(factor)}", x.range.times(factor.range), by)


def _decay(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    """Truncate as C's division does, which compilers make shifts of."""
    x, kept, by = a
    product = x.range.times(kept.range)
    bits = working_bits(product, x.range, _power(_shift(by.range.high)))
    text = x.at(bits) if kept.known == 1 else f"{x.at(bits)} * {kept.at(bits)}"
    if product.low >= 0:
        return f"({text}) >> {by.at(32)}", bits
    return f"{text} / (({c_type(bits)})1 << {by.at(32)})", bits


def _clipped(low: int, high: int) -> Rule:
    def rule(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
        (x,) = a
        if low <= x.range.low and x.range.high <= high:
            return x.text, x.bits
        ends = [Operand("", Range(end, end)).at(x.bits) for end in (low, high)]
        return e.call("clip", x.bits, x.text, *ends), x.bits

    return rule


def _saturate(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    bits, signed = value.content
    high = (1 << (bits - signed)) - 1
    return _clipped(-high if signed else 0, high)(e, value, a, out)


def _clip(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    return _clipped(*value.content)(e, value, a, out)


def _chosen(condition: str, then: Operand, otherwise: Operand, out: Range) -> tuple[str, int]:
    bits = working_bits(out, then.range, otherwise.range)
    return f"{condition} ? {then.at(bits)} : {otherwise.at(bits)}", bits


def _minimum(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    bits = working_bits(a[0].range, a[1].range)
    return _chosen(f"{a[0].at(bits)} < {a[1].at(bits)}", a[0], a[1], out)


def _select(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    return _chosen(f"{a[0].text} != 0", a[1], a[2], out)


def _send_when(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    return _chosen(f"{a[0].text} != 0", a[1], Operand("0", Range(0, 0)), out)


def _bit_length(e: Expressions, value: Value, a: list[Operand], out: Range) -> tuple[str, int]:
    return e.call("length", a[0].bits, a[0].text), 32


_RULES: dict[str, Rule] = {
    "add": _infix("+"),
    "subtract": _infix("-"),
    "multiply": _infix("*"),
    "and": _infix("&"),
    "or": _infix("|"),
    "xor": _infix("^"),
    "negate": _negate,
    "shift_left": _shift_left,
    "round_shift": _round_shift,
    "signed_shift": _signed_shift,
    "multiply_shift": _multiply_shift,
    "decay": _decay,
    "saturate": _saturate,
    "clip": _clip,
    "minimum": _minimum,
    "greater": _compared(">"),
    "equal": _compared("=="),
    "select": _select,
    "send_when": _send_when,
    "bit_length": _bit_length,
}
