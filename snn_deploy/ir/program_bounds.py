"""The worst case of every value of a program, whatever the input: interval arithmetic.

State is bounded by an invariant, intervals that a step cannot leave: see ``invariants.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.invariants import (
    Interval,
    Values,
    Words,
    full_word,
    invariant_values,
    leaving_words,
)
from snn_deploy.ir.program import Program, Value
from snn_deploy.ir.windows import Windows

__all__ = [
    "Interval",
    "ProgramBounds",
    "bound_in_full_words",
    "bound_program",
    "bound_values",
    "convolution_interval",
    "weighted_sum_interval",
]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProgramBounds:
    """Worst cases of one program.

    Parameters
    ----------
    output
        What is sent.
    reached, limits
        By the name of each saturated quantity: its magnitude before, and what fits.
    widest
        The largest magnitude of any value.
    leaving
        The words of state that a step may take out of their width; all else is bounded only as
        long as none does.
    """

    output: Interval
    reached: Mapping[str, Real]
    limits: Mapping[str, int]
    widest: float
    leaving: tuple[str, ...] = ()


def bound_program(
    program: Program, sources: Sequence[Interval], clock: Mapping[str, Interval]
) -> ProgramBounds:
    """Bound every value of a program for any inputs within ``sources``, one a port."""
    start = _starts(program)
    values = invariant_values(program, _evaluator(program, sources, clock), start)
    reached: dict[str, Real] = {}
    limits: dict[str, int] = {}
    for value in program:
        if value.operation == "saturate":
            worst = values[id(value.arguments[0])].magnitude
            reached[value.name] = np.maximum(reached.get(value.name, 0.0), worst)
            limits[value.name] = fp.limit_of(*value.content)
    widest = max((float(v.magnitude.max(initial=0.0)) for v in values.values()), default=0.0)
    widest = max(widest, _widest_product(program, values))
    output = values[id(program.output)]
    shape = (program.width,)
    spread = Interval(np.broadcast_to(output.low, shape), np.broadcast_to(output.high, shape))
    return ProgramBounds(spread, reached, limits, widest, leaving_words(program, start, values))


def bound_values(
    program: Program, sources: Sequence[Interval], clock: Mapping[str, Interval]
) -> Mapping[int, Interval]:
    """Give an interval of every value of a program by its ``id``, for any such inputs.

    Words may fill their widths where no step leaves those: it is found at once, and what a machine
    stores is that wide. Otherwise they are bounded as in :func:`bound_program`.
    """
    start = _starts(program)
    full = _full_words(program, start)
    evaluate = _evaluator(program, sources, clock)
    values = evaluate(full)
    if all(
        start[name].within(full[name]) and values[id(word.following)].within(full[name])
        for name, word in program.words.items()
    ):
        return values
    return invariant_values(program, evaluate, start)


def bound_in_full_words(
    program: Program, sources: Sequence[Interval], clock: Mapping[str, Interval]
) -> Mapping[int, Interval]:
    """Give the same where it is known that no step takes a word out of its width."""
    return _evaluator(program, sources, clock)(_full_words(program, _starts(program)))


def _starts(program: Program) -> dict[str, Interval]:
    return {w.name: _start(w.start, w.value, program.width) for w in program.words.values()}


def _full_words(program: Program, start: Mapping[str, Interval]) -> dict[str, Interval]:
    return {name: full_word(word.bits, start[name], True) for name, word in program.words.items()}


def _widest_product(program: Program, values: Mapping[int, Interval]) -> float:
    """Bound the products that a shift makes smaller at once."""
    widest = 0.0
    for value in program:
        if value.operation in ("multiply_shift", "decay"):
            a, b = (_at_modes(value, x, values[id(x)]) for x in value.arguments[:2])
            widest = max(widest, float((a.magnitude * b.magnitude).max(initial=0.0)))
    return widest


def _start(start: Any, value: Value, width: int) -> Interval:
    shape = (width,) if value.modes is None else (width, value.modes)
    low = np.broadcast_to(np.asarray(start, dtype=np.float64), shape)
    return Interval(low, low)


def _evaluator(
    program: Program, sources: Sequence[Interval], clock: Mapping[str, Interval]
) -> Callable[[Words], Values]:
    """Give what bounds all values from the words' intervals; what needs no word is bounded once."""
    known: dict[int, Interval] = {}
    moving: list[Value] = []

    def bound(value: Value, values: Values) -> Interval:
        arguments = [_at_modes(value, a, values[id(a)]) for a in value.arguments]
        return _interval(value, arguments, sources, clock)

    for value in program:
        if value.operation == "state" or any(id(a) not in known for a in value.arguments):
            moving.append(value)
        else:
            known[id(value)] = bound(value, known)

    def evaluate(words: Words) -> Values:
        values = dict(known)
        for value in moving:
            state = value.operation == "state"
            values[id(value)] = words[value.name] if state else bound(value, values)
        return values

    return evaluate


def _at_modes(value: Value, argument: Value, interval: Interval) -> Interval:
    has_axis = argument.modes is not None or interval.low.ndim == 0
    if value.modes is None or has_axis or value.operation == "per_mode":  # that gives the axis
        return interval
    return Interval(interval.low[..., None], interval.high[..., None])


def _interval(
    value: Value,
    a: list[Interval],
    sources: Sequence[Interval],
    clock: Mapping[str, Interval],
) -> Interval:
    if value.operation == "input":
        port, part = value.content
        chosen = slice(*(part or (None,)))
        return Interval(sources[port].low[chosen], sources[port].high[chosen])
    if value.operation == "clock":
        return clock[value.name]
    if value.operation == "parameter":
        number = value.content[0].astype(np.float64)
        return Interval(number, number)
    if value.operation == "constant":
        return Interval(np.float64(value.content), np.float64(value.content))  # type: ignore[arg-type]
    return _RULES[value.operation](value, *a)


def _monotone(function: Callable[..., Real]) -> Callable[..., Interval]:
    """Bound what never falls in its first argument; the others are known, or between two ends."""

    def rule(value: Value, x: Interval, *others: Interval) -> Interval:
        ends = [function(end, *(k.low for k in others)) for end in (x.low, x.high)]
        if all(k.low is k.high for k in others):
            return Interval(*ends)
        ends += [function(end, *(k.high for k in others)) for end in (x.low, x.high)]
        return Interval(np.minimum.reduce(ends), np.maximum.reduce(ends))

    return rule


def _rounded(x: Real, by: Real) -> Real:
    return np.asarray(np.floor(x / 2.0**by + 0.5))


def _signed(x: Real, by: Real) -> Real:
    return np.asarray(np.where(by < 0, np.floor(x * 2.0**by + 0.5), x * 2.0**by))


def _decayed(x: Real, kept: Real, by: Real) -> Real:
    return np.asarray(np.sign(x) * np.floor(np.abs(x) * kept / 2.0**by))


def _multiply(value: Value, a: Interval, b: Interval) -> Interval:
    if value.arguments[0] is value.arguments[1]:
        return Interval(np.zeros_like(a.low), a.magnitude**2)
    known = b.low is b.high
    products = [p * q for p in (a.low, a.high) for q in ((b.low,) if known else (b.low, b.high))]
    return Interval(np.minimum.reduce(products), np.maximum.reduce(products))


def _subtract(value: Value, a: Interval, b: Interval) -> Interval:
    whole, part = value.arguments
    if _is_share(part, whole):  # what is left of x never falls as x rises
        return Interval(a.low - b.low, a.high - b.high)
    return Interval(a.low - b.high, a.high - b.low)


def _is_share(part: Value, whole: Value) -> bool:
    """Tell whether ``part`` is ms(whole, m, k) with a known m of 0 to ``2**k``."""
    if part.operation != "multiply_shift" or part.arguments[0] is not whole:
        return False
    factor, by = (known.content for known in part.arguments[1:])
    if any(known.operation != "parameter" for known in part.arguments[1:]):
        return False
    return bool(np.all(factor[0] >= 0) and np.all(factor[0] <= 2.0 ** by[0]))


def _multiply_shift(value: Value, a: Interval, b: Interval, by: Interval) -> Interval:
    product = _multiply(value, a, b)
    return _monotone(_rounded)(value, product, by)


def _and(value: Value, a: Interval, b: Interval) -> Interval:
    if np.all(b.low >= 0) or np.all(a.low >= 0):  # a mask keeps no more bits than it has
        positive = [i.high for i in (a, b) if np.all(i.low >= 0)]
        high = np.minimum.reduce(np.broadcast_arrays(*positive))
        return Interval(np.zeros_like(high), high)
    return _bits(value, a, b)


def _bits(value: Value, a: Interval, b: Interval) -> Interval:
    """Bound what sets no bit that neither has."""
    widest = np.maximum(a.magnitude, b.magnitude)
    high = 2.0 ** np.ceil(np.log2(widest + 1.0)) - 1.0
    negative = np.any(a.low < 0) or np.any(b.low < 0)
    return Interval(-high - 1.0 if negative else np.zeros_like(high), high)


def _flag(value: Value, a: Interval, b: Interval) -> Interval:
    zeros = np.zeros(np.broadcast_shapes(a.low.shape, b.low.shape))
    return Interval(zeros, zeros + 1.0)


def _lookup(value: Value, table: Interval, index: Interval) -> Interval:
    low, high = table.low.min(), table.high.max()
    return Interval(np.full_like(index.low, low), np.full_like(index.high, high))


def _saturate(value: Value, x: Interval) -> Interval:
    high = float(fp.limit_of(*value.content))
    low = -high if value.content[1] else 0.0
    return Interval(np.clip(x.low, low, high), np.clip(x.high, low, high))


def _weighted_sum(value: Value, weight: Interval, x: Interval) -> Interval:
    return weighted_sum_interval(weight.low, x)


def _convolution(value: Value, kernel: Interval, x: Interval) -> Interval:
    return convolution_interval(value.content, kernel.low, x)


def weighted_sum_interval(weight: npt.NDArray[Any], x: Interval) -> Interval:
    """Bound ``weight · x``, weight (out, in): the worst takes weights of one sign for spikes."""
    return _sum_interval(np.matmul, weight, x)


def convolution_interval(windows: Windows, kernel: npt.NDArray[Any], x: Interval) -> Interval:
    """Bound ``windows.weigh(kernel, x)`` likewise."""
    return _sum_interval(windows.weigh, kernel, x)


def _sum_interval(
    weigh: Callable[[Real, Real], Real], weight: npt.NDArray[Any], x: Interval
) -> Interval:
    excites, inhibits = np.maximum(weight.astype(float), 0.0), np.minimum(weight.astype(float), 0.0)
    return Interval(
        weigh(excites, x.low) + weigh(inhibits, x.high),
        weigh(excites, x.high) + weigh(inhibits, x.low),
    )


def _silent_or(value: Value, condition: Interval, x: Interval) -> Interval:
    return Interval(np.minimum(x.low, 0.0), np.maximum(x.high, 0.0))


_RULES: dict[str, Callable[..., Interval]] = {
    "add": lambda v, a, b: Interval(a.low + b.low, a.high + b.high),
    "subtract": _subtract,
    "negate": lambda v, a: Interval(-a.high, -a.low),
    "multiply": _multiply,
    "shift_left": _monotone(lambda x, k: x * 2.0**k),
    "round_shift": _monotone(_rounded),
    "signed_shift": _monotone(_signed),
    "multiply_shift": _multiply_shift,
    "decay": _monotone(_decayed),
    "saturate": _saturate,
    "clip": lambda v, a: Interval(np.clip(a.low, *v.content), np.clip(a.high, *v.content)),
    "minimum": lambda v, a, b: Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
    "greater": _flag,
    "equal": _flag,
    "select": lambda v, c, a, b: a.hull(b),
    "send_when": _silent_or,
    "and": _and,
    "or": _bits,
    "xor": _bits,
    "lookup": _lookup,
    "bit_length": _monotone(lambda x: np.frexp(np.maximum(x, 0.0))[1].astype(np.float64)),
    "per_mode": lambda v, a: Interval(
        *(np.repeat(e[..., None], v.modes, -1) for e in (a.low, a.high))
    ),
    "sum_modes": lambda v, a: Interval(a.low.sum(axis=-1), a.high.sum(axis=-1)),
    "largest_channel": lambda v, a: Interval(*(e.max(keepdims=True) for e in (a.low, a.high))),
    "sum_channels": lambda v, a: Interval(*(e.sum(keepdims=True) for e in (a.low, a.high))),
    "weighted_sum": _weighted_sum,
    "convolution": _convolution,
}
