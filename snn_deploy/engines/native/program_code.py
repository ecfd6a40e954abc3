"""From a neuron's program to the instructions of ``program_kernel``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.engines.native.program_kernel import CODES, FIELDS
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.program import Program, Value, Word
from snn_deploy.ir.program_step import ProgramStep

__all__ = ["Port", "ProgramCode", "encode_program", "word_shapes", "words_size"]

Lay = Callable[[npt.ArrayLike], int]
"""Lays numbers into the scratch, and gives where they are."""


@dataclass(frozen=True)
class Port:
    """What arrives at a port: where its rows are, see ``find_rows``; its pitch and its width."""

    place: int
    pitch: int
    width: int


@dataclass(frozen=True)
class ProgramCode:
    """A program as ``run_program`` takes it; ``words_at`` is where its words are in the scratch."""

    instructions: IntArray
    words_at: int


def word_shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """Give the shape of each word of state, by name, in the order in which they are laid out."""
    return {name: _shape(program, word) for name, word in program.words.items()}


def words_size(program: Program) -> int:
    """Count the numbers of a program's words of state, of one sample."""
    return sum(int(np.prod(shape)) for shape in word_shapes(program).values())


def _shape(program: Program, word: Word) -> tuple[int, ...]:
    modes = word.value.modes
    return (program.width,) if modes is None else (program.width, modes)


def encode_program(program: Program, ports: Sequence[Port], lay: Lay) -> ProgramCode:
    """Write a program as instructions over a scratch, into which ``lay`` lays numbers.

    Raises
    ------
    NotExactError
        If it has an operation that is not among them.
    """
    return _Encoder(program, ports, lay).encode()


@dataclass
class _Encoder:
    program: Program
    ports: Sequence[Port]
    lay: Lay
    rows: list[list[int]] = field(default_factory=list)
    # by value: where it is, and how many numbers it has
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    spread: dict[tuple[int, int], int] = field(default_factory=dict)
    known: dict[int, IntArray] = field(default_factory=dict)

    def encode(self) -> ProgramCode:
        program = self.program
        self.known = ProgramStep(program, 1).constants
        words_at = at = self._room(words_size(program))
        starts = {}
        for name, shape in word_shapes(program).items():
            starts[name] = at, int(np.prod(shape))
            at += starts[name][1]
        for value in program:
            if id(value) not in self.known:
                state = value.operation == "state"
                self.places[id(value)] = starts[value.name] if state else self._operation(value)
        self._emit("store", program.width, 0, [self._at(program.output, program.width)])
        self._advance(starts)
        return ProgramCode(np.array(self.rows, dtype=np.int64), words_at)

    def _advance(self, starts: dict[str, tuple[int, int]]) -> None:
        """Set the words to their next values; one that is another's present goes by a copy."""
        moves = []
        for name, word in self.program.words.items():
            start, size = starts[name]
            source = self._at(word.following, size)
            if word.following.operation == "state" and source != start:
                copy = self._room(size)
                self._emit("move", size, copy, [source])
                source = copy
            if source != start:
                moves.append((size, start, source))
        for size, start, source in moves:
            self._emit("move", size, start, [source])

    def _room(self, size: int) -> int:
        return self.lay(np.zeros(size, dtype=np.int64))

    def _emit(self, name: str, size: int, y: int, read: Sequence[int], *own: int) -> None:
        row = [CODES[name], size, y, *read, *[0] * (3 - len(read)), *own]
        self.rows.append([*row, *[0] * (FIELDS - len(row))])

    def _size(self, value: Value) -> int:
        """How many numbers a value has: one a mode, one a channel, or one."""
        if value.modes is not None:
            return self.program.width * value.modes
        if id(value) in self.places:
            return self.places[id(value)][1]
        return self.program.width if np.size(self.known[id(value)]) > 1 else 1

    def _at(self, value: Value, size: int) -> int:
        """Give where a value is, spread over ``size`` numbers where it has fewer."""
        key = (id(value), size)
        if key not in self.spread:
            if id(value) in self.known:
                self.spread[key] = self._lay_constant(value, size)
            else:
                place, count = self.places[id(value)]
                if count != size:
                    if size % count:
                        raise NotExactError  # more than the layer has
                    wide = self._room(size)
                    self._emit("expand", size, wide, [place], size // count)
                    place = wide
                self.spread[key] = place
        return self.spread[key]

    def _lay_constant(self, value: Value, size: int) -> int:
        array, width = np.asarray(self.known[id(value)]), self.program.width
        shape: tuple[int, ...] = (size,)
        if value.modes is not None:
            shape = (width, value.modes)
        elif size > width:
            array, shape = array[..., None], (width, size // width)
        return self.lay(np.broadcast_to(array, shape))

    def _operation(self, value: Value) -> tuple[int, int]:
        name, arguments = value.operation, value.arguments
        if name == "input":
            return self._load(value)
        if name in ("lookup", "per_mode", "sum_modes", "sum_channels"):
            return self._gather(value)
        if name not in CODES:
            raise NotExactError
        size = max(self._size(argument) for argument in arguments)
        read = [self._at(argument, size) for argument in arguments]
        own: tuple[int, ...] = ()
        if name == "clip":
            own = value.content
        elif name == "saturate":
            bits, signed = value.content
            limit = fp.limit_of(bits, signed)
            read, own = [*read, self._counts(value, size)], (-limit if signed else 0, limit)
        y = self._room(size)
        self._emit(name, size, y, read, *own)
        return y, size

    def _counts(self, value: Value, size: int) -> int:
        """Give where something is that is not 0 where what is clipped counts."""
        if id(value) in self.program.every_step:
            return self.lay(np.ones(size, dtype=np.int64))
        if size < self.program.width:
            raise NotExactError  # it counts where any neuron speaks
        return self._at(self.program.output.arguments[0], size)

    def _load(self, value: Value) -> tuple[int, int]:
        number, part = value.content
        port = self.ports[number]
        start, stop = part or (0, port.width)
        size = stop - start
        if size not in (1, self.program.width):
            raise NotExactError
        y = self._room(size)
        self._emit("load", size, y, [port.place, port.pitch], start)
        return y, size

    def _gather(self, value: Value) -> tuple[int, int]:
        """Operations that make another number of numbers than they take."""
        name, argument, width = value.operation, value.arguments[-1], self.program.width
        if name == "per_mode":
            size = width * (value.modes or 1)
            return self._at(argument, size), size
        if name == "lookup":
            table = np.asarray(self.known.get(id(value.arguments[0]), np.zeros((0, 0))))
            if table.ndim != 1:
                raise NotExactError
            size = self._size(argument)
            y = self._room(size)
            self._emit("lookup", size, y, [self.lay(table), self._at(argument, size)], len(table))
            return y, size
        taken = self._size(argument)
        if (name == "sum_channels") != (argument.modes is None) or taken < width:
            raise NotExactError
        size = 1 if name == "sum_channels" else width
        y = self._room(size)
        self._emit(name, size, y, [self._at(argument, taken)], taken // size)
        return y, size
