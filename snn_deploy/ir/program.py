"""A neuron's step as a program of fixed-point operations: written once, everything else derived.

A node's ``step`` is a few readable lines of Python over :class:`Value` objects. Tracing them gives
a :class:`Program`: every operation, in order, with the words of state that live from step to step
and the parameters that a channel stores. From it come the reference engine's step and the Lava
process (``ir/program_step.py``), the worst case of every value (``ir/program_bounds.py``), what it
costs (``ir/cost.py``), a compiled step (``engines/native``) and its text (:func:`listing`).

Values are integers, 64 bits wide to an engine; the bounds prove what they really need. A value
belongs to a channel, or to each of a channel's modes (``per_mode``), or to the whole layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError
from snn_deploy.ir.windows import Windows

__all__ = [
    "OPERATIONS",
    "Operation",
    "Program",
    "Tracer",
    "Value",
    "Word",
    "bit_length",
    "clip",
    "convolution",
    "decay_towards_zero",
    "floor_shift",
    "largest_channel",
    "listing",
    "lookup",
    "minimum",
    "multiply_shift",
    "per_mode",
    "pseudo_random",
    "round_shift",
    "saturate",
    "select",
    "send_when",
    "signed_shift",
    "sum_channels",
    "sum_modes",
    "weighted_sum",
]

SHIFT_BITS = 6  # holds 0 … 47, and -24 … 24


class Operation(NamedTuple):
    """What one operation is: its equation, and what it becomes in Loihi 2's microcode.

    ``instructions`` are of the list of mnemonics that is published (no widths or flags are);
    their number is what cost counts. Operations of ``multiplies`` are multiply-accumulates.
    """

    equation: str
    instructions: tuple[str, ...]
    multiplies: bool = False


OPERATIONS: dict[str, Operation] = {
    "input": Operation("x, what arrived at a port", ()),
    "parameter": Operation("a stored number, a channel, mode or layer", ()),
    "state": Operation("a word that lives from step to step", ()),
    "clock": Operation("a word of the sequence: see `Tracer.clock`", ()),
    "constant": Operation("a number of the program itself", ()),
    "add": Operation("a + b", ("add",)),
    "subtract": Operation("a - b", ("negate-add",)),
    "negate": Operation("-a", ("negate",)),
    "shift_left": Operation("a << k", ("shift",)),
    "round_shift": Operation("rs(a, k)", ("shift",)),
    "signed_shift": Operation("ss(a, k)", ("shift",)),
    "multiply": Operation("a · b", ("multiply-shift",), True),
    "multiply_shift": Operation("ms(a, m, k)", ("multiply-shift",), True),
    "decay": Operation("trunc(a · m, k)", ("multiply-shift",), True),
    "saturate": Operation("sat(a), counted", ("min", "negate-min")),
    "clip": Operation("a clipped to low … high, not counted", ("min", "negate-min")),
    "minimum": Operation("min(a, b)", ("min",)),
    "greater": Operation("a > b", ("greater",)),
    "equal": Operation("a = b", ("equal",)),
    "select": Operation("a where c, else b", ("select",)),
    "and": Operation("a & b", ("and",)),
    "or": Operation("a | b", ("or",)),
    "xor": Operation("a ^ b, (a | b) - (a & b)", ("or", "and", "negate-add")),
    "lookup": Operation("table[a]", ("read-modify-write",)),
    "bit_length": Operation("bits of |a|", ("greater",)),
    "send_when": Operation("a where c, else silence", ("skip",)),
    "per_mode": Operation("a, to every mode", ()),
    "sum_modes": Operation("Σ over a channel's modes", ("add",)),
    "sum_channels": Operation("Σ over the layer's channels", ()),
    "largest_channel": Operation("max over the layer's channels", ()),
    "weighted_sum": Operation("weight · a", ()),
    "convolution": Operation("Σ kernel · a, at every place on a frame", ()),
}
"""The operations; ``rs``, ``ss``, ``ms``, ``trunc`` and ``sat`` are those of ``fixedpoint.py``."""


@dataclass(frozen=True, eq=False)
class Value:
    """The result of one operation.

    Parameters
    ----------
    operation
        A key of :data:`OPERATIONS`.
    arguments
        What it works on.
    content
        What else it is made of: a parameter's array, a port's number, a width in bits.
    name
        What a parameter, word of state, clipped quantity or clock is called.
    modes
        How many modes a channel the value has; None where it has one value a channel.
    """

    operation: str
    arguments: tuple[Value, ...] = ()
    content: Any = None
    name: str = ""
    modes: int | None = None

    def __add__(self, other: Value | int) -> Value:
        return _apply("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Value | int) -> Value:
        return _apply("subtract", self, other)

    def __rsub__(self, other: int) -> Value:
        return _apply("subtract", _value(other), self)

    def __neg__(self) -> Value:
        return _apply("negate", self)

    def __mul__(self, other: Value | int) -> Value:
        return _apply("multiply", self, other)

    def __lshift__(self, by: Value | int) -> Value:
        return _apply("shift_left", self, by)

    def __gt__(self, other: Value | int) -> Value:
        return _apply("greater", self, other)

    def __lt__(self, other: Value | int) -> Value:
        return _apply("greater", _value(other), self)

    def __ge__(self, other: Value | int) -> Value:
        return _apply("greater", self, _value(other) - 1)

    def __and__(self, other: Value | int) -> Value:
        return _apply("and", self, other)

    def __or__(self, other: Value | int) -> Value:
        return _apply("or", self, other)

    def __xor__(self, other: Value | int) -> Value:
        return _apply("xor", self, other)

    def equals(self, other: Value | int) -> Value:
        """Give 1 where both are the same, else 0."""
        return _apply("equal", self, other)

    @property
    def constant(self) -> bool:
        """Whether it is known before the first step: work on such values is done once, by us."""
        if self.operation in ("parameter", "constant"):
            return True
        return bool(self.arguments) and all(argument.constant for argument in self.arguments)


def _value(x: Value | int) -> Value:
    return x if isinstance(x, Value) else Value("constant", content=int(x))


def _apply(operation: str, *arguments: Value | int, **fields: Any) -> Value:
    values = tuple(_value(argument) for argument in arguments)
    every = [value.modes for value in values if value.modes is not None]
    modes = fields.pop("modes", max(every, default=None))
    return Value(operation, values, modes=modes, **fields)


def round_shift(x: Value, by: Value | int) -> Value:
    """Divide by ``2**by``, rounding half up."""
    return _apply("round_shift", x, by)


def signed_shift(x: Value, by: Value | int) -> Value:
    """Multiply by ``2**by``; a right shift, of a negative ``by``, rounds half up."""
    return _apply("signed_shift", x, by)


def multiply_shift(x: Value, factor: Value | int, by: Value | int) -> Value:
    """Give ``round_shift(x * factor, by)``."""
    return _apply("multiply_shift", x, factor, by)


def decay_towards_zero(x: Value, kept: Value | int, by: Value | int) -> Value:
    """Give ``x * kept / 2**by``, truncated towards zero; ``kept`` is not negative."""
    return _apply("decay", x, kept, by)


def saturate(x: Value, bits: int, name: str, signed: bool = True) -> Value:
    """Clip to a format; what is clipped is counted, and reported as the quantity ``name``."""
    return _apply("saturate", x, content=(bits, signed), name=name)


def clip(x: Value, low: int, high: int) -> Value:
    """Clip to ``low … high`` as a part of the equation: nothing is lost, and nothing counted."""
    return _apply("clip", x, content=(low, high))


def minimum(a: Value, b: Value | int) -> Value:
    """Give the smaller of both."""
    return _apply("minimum", a, b)


def select(condition: Value, then: Value | int, otherwise: Value | int) -> Value:
    """Give ``then`` where the condition is not 0, else ``otherwise``."""
    return _apply("select", condition, then, otherwise)


def lookup(table: Value, index: Value) -> Value:
    """Give the table's entry; ``index`` must lie within it (the bounds prove it)."""
    return _apply("lookup", table, index, modes=index.modes)


def bit_length(x: Value) -> Value:
    """Count the bits of a value that is not negative."""
    return _apply("bit_length", x)


def send_when(condition: Value, value: Value) -> Value:
    """Send ``value`` where the condition is not 0; else be silent, and do not even compute it."""
    return _apply("send_when", condition, value)


def per_mode(x: Value, modes: int) -> Value:
    """Give a channel's value to each of its modes."""
    return _apply("per_mode", x, modes=modes)


def sum_modes(x: Value) -> Value:
    """Add up a channel's modes."""
    return _apply("sum_modes", x, modes=None)


def sum_channels(x: Value) -> Value:
    """Add up the channels of the layer; every channel gets the sum."""
    return _apply("sum_channels", x)


def largest_channel(x: Value) -> Value:
    """Give the largest of the layer's channels, none of which is negative, to every channel."""
    return _apply("largest_channel", x)


def weighted_sum(weight: Value, x: Value) -> Value:
    """Give ``weight · x``, weight (out, in)."""
    return _apply("weighted_sum", weight, x, modes=None)


def convolution(kernel: Value, x: Value, windows: Windows) -> Value:
    """Give ``windows.weigh(kernel, x)``, kernel (filters, maps of a group, …)."""
    return _apply("convolution", kernel, x, content=windows, modes=None)


_RANDOM_BITS = 24
_XORSHIFT = (5, 9, 11)  # every 24-bit word but 0 follows from every other (tested)


def pseudo_random(word: Value) -> Value:
    """Give the word after ``word`` of a xorshift generator of 24 bits, period ``2**24 - 1``.

    Of a word of state that starts at a seed of 1 … 2**24 - 1, the same on every engine and
    machine. (Marsaglia 2003, "Xorshift RNGs"; the shifts for 24 bits were searched for here.)
    """
    mask, (first, second, third) = (1 << _RANDOM_BITS) - 1, _XORSHIFT
    word = word ^ ((word & (mask >> first)) << first)
    word = word ^ floor_shift(word, second)
    return word ^ ((word & (mask >> third)) << third)


def floor_shift(x: Value, by: int) -> Value:
    """Drop the lowest bits of a value that is not negative."""
    return decay_towards_zero(x, 1, by)


@dataclass(frozen=True, eq=False)
class Word:
    """A word of state: ``bits`` wide, from step to step; ``start`` is its value at step 0.

    ``following`` is its value for the next step.
    """

    name: str
    bits: int
    value: Value
    following: Value
    start: npt.NDArray[np.int64] | int = 0


@dataclass
class Tracer:
    """What a node's ``step`` is traced with; it collects words of state.

    Parameters
    ----------
    width
        Channels of the node.
    """

    width: int
    _words: dict[str, tuple[Value, int, Any]] = field(default_factory=dict)
    _next: dict[str, Value] = field(default_factory=dict)

    def input(self, port: int = 0, part: tuple[int, int] | None = None) -> Value:
        """What arrived at a port in this step; ``part`` takes channels start … stop - 1 of it."""
        return Value("input", content=(port, part))

    def parameter(self, name: str, content: Any, bits: int) -> Value:
        """A stored number of ``bits`` bits.

        ``content`` is an int of the whole layer, (width,) of each channel, or (width, modes).
        """
        array = np.asarray(content, dtype=np.int64)
        modes = int(array.shape[1]) if array.ndim == 2 else None
        return Value("parameter", content=(array, bits), name=name, modes=modes)

    def alike(self, name: str, content: npt.NDArray[Any], bits: int) -> Value:
        """A stored number of each channel, (width,), or of the layer, where all have the same."""
        same = bool((content == content[0]).all())
        return self.parameter(name, int(content[0]) if same else content, bits)

    def table(self, name: str, content: npt.NDArray[Any], bits: int) -> Value:
        """A table that all channels share."""
        return Value("parameter", content=(np.asarray(content, np.int64), bits), name=name)

    def state(self, name: str, bits: int, modes: int | None = None, start: Any = 0) -> Value:
        """A word of state of each channel, or of each of its modes."""
        value = Value("state", name=name, modes=modes)
        self._words[name] = (value, bits, start)
        return value

    def next(self, word: Value, following: Value | int) -> None:
        """Say what a word of state is in the next step."""
        self._next[word.name] = _value(following)

    def clock(self, name: str) -> Value:
        """A word that the sequencer gives: see ``IntegerNode.clock``."""
        return Value("clock", name=name)

    def program(self, output: Value) -> Program:
        """Put together what was traced.

        Raises
        ------
        NetworkError
            If a word of state was never given its next value.
        """
        missing = set(self._words) - set(self._next)
        if missing:
            raise NetworkError(f"a program never sets the next value of {sorted(missing)}")
        words = {
            name: Word(name, bits, value, self._next[name], start)
            for name, (value, bits, start) in self._words.items()
        }
        return Program(output, words, self.width)


@dataclass(frozen=True, eq=False)
class Program:
    """A neuron's step: ``output`` is what it sends, ``words`` its state; ``width`` its channels."""

    output: Value
    words: Mapping[str, Word]
    width: int

    def __iter__(self) -> Iterator[Value]:
        """Give every value once, each after all that it works on."""
        return iter(self._ordered)

    @cached_property
    def _ordered(self) -> list[Value]:
        return _ordered((self.output, *(word.following for word in self.words.values())))

    @cached_property
    def every_step(self) -> frozenset[int]:
        """The ``id`` of each value that is needed even in a step in which nothing is sent."""
        roots: list[Value] = [word.following for word in self.words.values()]
        sends = self.output.operation == "send_when"
        roots += [self.output.arguments[0]] if sends else [self.output]
        return frozenset(id(value) for value in _ordered(roots))


def _ordered(roots: Any) -> list[Value]:
    seen: set[int] = set()
    ordered: list[Value] = []
    pending = [(root, False) for root in reversed(tuple(roots))]
    while pending:
        value, ready = pending.pop()
        if ready:
            ordered.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            pending.append((value, True))
            pending.extend((argument, False) for argument in reversed(value.arguments))
    return ordered


def listing(program: Program) -> str:
    """Write a program as text, an operation a line."""
    names: dict[int, str] = {}
    lines: list[str] = []
    for value in program:
        name = _leaf(value)
        if name is None:
            name = value.name or f"t{len(lines)}"
            name = name if name not in names.values() else f"{name}{len(lines)}"
            arguments = ", ".join(names[id(argument)] for argument in value.arguments)
            lines.append(f"{name} = {value.operation}({arguments}{_content(value)})")
        names[id(value)] = name
    lines += [
        f"{w.name}' = {names[id(w.following)]}  ({w.bits} bits)" for w in program.words.values()
    ]
    return "\n".join([*lines, f"send {names[id(program.output)]}"]) + "\n"


def _leaf(value: Value) -> str | None:
    if value.operation == "constant":
        return str(value.content)
    if value.operation == "input":
        port, part = value.content
        return f"x{port}" + (f"[{part[0]}:{part[1]}]" if part else "")
    return value.name if value.operation in ("parameter", "state", "clock") else None


def _content(value: Value) -> str:
    if value.operation == "saturate":
        bits, signed = value.content
        return f", {'s' if signed else 'u'}{bits}"
    if value.operation == "clip":
        return f", {value.content[0]}, {value.content[1]}"
    return ""
