"""From a neuron's program to C++ on vectors of doubles, which is compiled with the library.

``tests/make_compiled.py`` writes ``src/steps_of_programs.h``: the steps of the package's kinds,
each under the digest of its text, in which no number stands. A network's node is written likewise;
where the library has its text, and doubles are proven to hold every value, the compiled step runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.exactness import (
    NotExactError,
    factor_and_nudge,
    require_room,
    shift_and_nudge,
)
from snn_deploy.engines.native.program_code import clocks_of
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.invariants import Interval
from snn_deploy.ir.program import Program, Value
from snn_deploy.ir.program_bounds import bound_in_full_words
from snn_deploy.ir.program_step import ProgramStep

__all__ = ["CompiledStep", "write_step"]

Reals = npt.NDArray[np.float64]
NEVER = np.inf  # what a channel that only fills a row up is clipped to

PLAIN = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "negate": "-{}",
    "multiply": "{} * {}",
    "minimum": "minimum({}, {})",
    "greater": "flag({} > {})",
    "equal": "flag({} == {})",
    "select": "where({}, {}, {})",
    "send_when": "where({}, {}, Doubles{{}})",
}
BITWISE = {"and": "&", "or": "|", "xor": "^"}
BITS = 31  # of what is taken apart into bits


@dataclass(frozen=True)
class CompiledStep:
    """A program's step as the library may have compiled it.

    Parameters
    ----------
    text
        Its body, in C++: what it has of ports, numbers, words and tables counts from 0.
    numbers
        (count, width): each channel's, in the order of the text.
    fills
        (count,): what they are for channels that only fill a row up.
    tables
        That it looks up in.
    ports
        Of its inputs, and then of the clocks that it asks for: whether all channels read the
        first number.
    words
        How many the program carries from step to step.
    """

    text: str
    numbers: Reals
    fills: Reals
    tables: tuple[Reals, ...]
    ports: tuple[bool, ...]
    words: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """How many ports, words of state, numbers and tables it has."""
        return len(self.ports), self.words, len(self.fills), len(self.tables)

    @property
    def name(self) -> str:
        """What the library calls it: a digest of all that is compiled."""
        return hashlib.sha256(f"{self.shape} {self.text}".encode()).hexdigest()[:16]


def write_step(
    program: Program,
    sources: Sequence[Interval],
    clocks: Mapping[str, Interval],
    wide: bool = False,
) -> CompiledStep:
    """Write a program's step.

    Parameters
    ----------
    sources, clocks
        Intervals (channels,) of what arrives at each port, and of words of the sequence, by name.
    wide
        Whether all its products may need two doubles; it is so where one does.

    Raises
    ------
    NotExactError
        If doubles may not hold a value, or an operation is not one of a channel alone.
    """
    if not wide:
        try:
            return _Writer(program, sources, clocks, wide).write()
        except NotExactError:
            pass
    return _Writer(program, sources, clocks, wide=True).write()


@dataclass
class _Writer:
    program: Program
    sources: Sequence[Interval]
    clocks: Mapping[str, Interval]
    wide: bool
    lines: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    numbers: list[Reals] = field(default_factory=list)
    fills: list[float] = field(default_factory=list)
    tables: list[Reals] = field(default_factory=list)
    laid: dict[tuple[Any, ...], str] = field(default_factory=dict)
    known: dict[int, IntArray] = field(default_factory=dict)
    bounds: Mapping[int, Interval] = field(default_factory=dict)

    def write(self) -> CompiledStep:
        program = self.program
        if any(value.modes is not None for value in program):
            raise NotExactError
        self.known = ProgramStep(program, 1).constants
        self.bounds = bound_in_full_words(program, self.sources, self.clocks)
        words = list(program.words)
        for value in program:
            if id(value) in self.known:
                continue
            require_room(self._largest(value))
            if value.operation == "state":
                self.names[id(value)] = f"l.words[{words.index(value.name)}]"
            elif value.operation in ("input", "clock"):
                self.names[id(value)] = f"l.ports[{self._port(value)}]"
            else:
                self._assign(value)
        following = [self._name(word.following) for word in program.words.values()]
        sent = self._name(program.output)
        # words are written last, so that all may read what they were
        copies = [f"const Doubles n{i} = {name};" for i, name in enumerate([*following, sent])]
        self.lines += copies + [f"l.words[{i}] = n{i};" for i in range(len(following))]
        self.lines.append(f"return n{len(following)};")
        ports = [interval.low.size != program.width for interval in self.sources]
        if any(one and x.low.size > 1 for one, x in zip(ports, self.sources, strict=True)):
            raise NotExactError
        return CompiledStep(
            "\n".join(self.lines),
            np.array(self.numbers).reshape(-1, program.width),
            np.array(self.fills),
            tuple(self.tables),
            (*ports, *(True for _ in clocks_of(program))),
            len(program.words),
        )

    def _port(self, value: Value) -> int:
        if value.operation == "clock":
            return len(self.sources) + clocks_of(self.program).index(value.name)
        port, part = value.content
        if part is not None:
            raise NotExactError
        return int(port)

    def _largest(self, value: Value) -> Reals:
        """Give the largest magnitude of a value, per channel or of all."""
        if id(value) in self.known:
            return np.abs(np.asarray(self.known[id(value)], dtype=np.float64))
        return np.asarray(self.bounds[id(value)].magnitude)

    def _assign(self, value: Value) -> None:
        write = _WRITERS.get(value.operation)
        if write is None:
            raise NotExactError
        name = f"t{len(self.lines)}"
        self.lines.append(f"const Doubles {name} = {write(self, value)};")
        self.names[id(value)] = name

    def _name(self, value: Value) -> str:
        """Say where a value is; one that is known is a number of each channel's."""
        if id(value) in self.known:
            return self._number(self.known[id(value)], id(value))
        return self.names[id(value)]

    def _number(self, number: npt.ArrayLike, *key: Any, fill: float = 0.0) -> str:
        """Lay a number a channel out, once; ``key`` tells it from others."""
        if key not in self.laid:
            self.laid[key] = f"l.number({len(self.numbers)})"
            row = np.asarray(number, dtype=np.float64)
            self.numbers.append(np.broadcast_to(row, (self.program.width,)))
            self.fills.append(fill)
        return self.laid[key]

    def _known(self, value: Value) -> IntArray:
        if id(value) not in self.known:
            raise NotExactError
        return self.known[id(value)]

    def _plain(self, value: Value) -> str:
        return PLAIN[value.operation].format(*map(self._name, value.arguments))

    def _bitwise(self, value: Value) -> str:
        for argument in value.arguments:
            if np.any(self._largest(argument) >= 2.0**BITS):
                raise NotExactError
        a, b = (f"to_integers({self._name(argument)})" for argument in value.arguments)
        return f"to_doubles({a} {BITWISE[value.operation]} {b})"

    def _shift_left(self, value: Value) -> str:
        x, by = value.arguments
        return f"{self._name(x)} * {self._number(2.0 ** self._known(by), '<<', id(by))}"

    def _shifted(self, x: str, largest: Reals, by: npt.ArrayLike, key: Any) -> str:
        """Write a shift by so many bits, to the right where that is negative."""
        factor, nudge = shift_and_nudge(by, largest)
        return self._rounded(x, factor, nudge, key)

    def _rounded(self, x: str, factor: Reals, nudge: Reals, key: Any) -> str:
        numbers = self._number(factor, "factor", *key), self._number(nudge, "nudge", *key)
        return f"rounded_product({x}, {', '.join(numbers)})"

    def _signed_shift(self, value: Value) -> str:
        x, by = value.arguments
        return self._shifted(self._name(x), self._largest(x), self._known(by), ("ss", id(by)))

    def _round_shift(self, value: Value) -> str:
        x, by = value.arguments
        return self._shifted(self._name(x), self._largest(x), -self._known(by), ("rs", id(by)))

    def _multiply_shift(self, value: Value) -> str:
        x, factor, by = value.arguments
        if id(factor) not in self.known:
            product = f"{self._name(x)} * {self._name(factor)}"
            largest = self._largest(x) * self._largest(factor)
            return self._shifted(f"({product})", largest, -self._known(by), ("rs", id(by)))
        mantissa, shift = self._known(factor), self._known(by)
        if self.wide:
            return self._wide_product(x, mantissa, shift, (id(factor), id(by)))
        numbers = factor_and_nudge(mantissa, shift, self._largest(x))
        return self._rounded(self._name(x), *numbers, ("ms", id(factor), id(by)))

    def _wide_product(self, x: Value, mantissa: IntArray, shift: IntArray, key: Any) -> str:
        require_room(self._largest(x) * np.abs(mantissa) * 2.0**-shift)
        numbers = [
            self._number(mantissa, "wide", *key),
            self._number(2.0**shift, "unity", key[1]),
            self._number(2.0**-shift, "share", key[1]),
        ]
        return f"wide_product({self._name(x)}, {', '.join(numbers)})"

    def _decay(self, value: Value) -> str:
        x, kept, by = value.arguments
        factor = self._known(kept) * 2.0 ** -self._known(by)
        require_room(self._largest(x) * self._known(kept))
        return f"truncate({self._name(x)} * {self._number(factor, 'decay', id(kept), id(by))})"

    def _saturate(self, value: Value) -> str:
        (x,) = value.arguments
        bits, signed = value.content
        limit = float(fp.limit_of(bits, signed))
        low, high = self._limits(-limit if signed else 0.0, limit, NEVER)
        counts = ""
        if id(value) not in self.program.every_step:
            counts = f", {self._name(self.program.output.arguments[0])}"
        return f"l.saturate({self._name(x)}, {low}, {high}{counts})"

    def _limits(self, low: float, high: float, fill: float = 0.0) -> tuple[str, str]:
        ends = self._number(low, "low", low, fill, fill=-fill)
        return ends, self._number(high, "high", high, fill, fill=fill)

    def _clip(self, value: Value) -> str:
        low, high = self._limits(*map(float, value.content))
        return f"clip({self._name(value.arguments[0])}, {low}, {high})"

    def _lookup(self, value: Value) -> str:
        table, index = value.arguments
        # clipped, since a state from a file could lead anywhere
        low, high = self._limits(0.0, len(self._known(table)) - 1.0)
        self.tables.append(self._known(table).astype(np.float64))
        row = f"clip({self._name(index)}, {low}, {high})"
        return f"look_up(l.tables[{len(self.tables) - 1}], {row})"


_WRITERS: dict[str, Callable[[_Writer, Value], str]] = {
    **dict.fromkeys(PLAIN, _Writer._plain),
    **dict.fromkeys(BITWISE, _Writer._bitwise),
    "shift_left": _Writer._shift_left,
    "signed_shift": _Writer._signed_shift,
    "round_shift": _Writer._round_shift,
    "multiply_shift": _Writer._multiply_shift,
    "decay": _Writer._decay,
    "saturate": _Writer._saturate,
    "clip": _Writer._clip,
    "lookup": _Writer._lookup,
}
