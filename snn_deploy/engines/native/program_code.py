"""From a neuron's program to the instructions of ``src/program.h``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.result import IntArray
from snn_deploy.errors import BackendUnavailableError
from snn_deploy.ir.program import Program, Value, Word
from snn_deploy.ir.program_step import ProgramStep

__all__ = ["Port", "ProgramCode", "clocks_of", "encode_program", "word_shapes", "words_size"]

CODES = {
    name: code
    for code, name in enumerate(
        (
            *("load", "store", "move", "expand"),
            *("add", "subtract", "negate", "multiply", "shift_left", "round_shift"),
            *("signed_shift", "multiply_shift", "decay", "saturate", "clip", "minimum"),
            *("greater", "equal", "select", "send_when", "and", "or", "xor", "lookup"),
            *("bit_length", "sum", "largest", "any", "weighted_sum", "convolution"),
        )
    )
}
"""What an instruction does: mostly an operation of ``snn_deploy.ir.program``."""

FIELDS = 8
"""Of an instruction: its code, how many numbers it makes and where, up to three places that it
reads, and two numbers of its own.
"""

REDUCTIONS = {"sum_modes": "sum", "sum_channels": "sum", "largest_channel": "largest"}

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


def clocks_of(program: Program) -> tuple[str, ...]:
    """Name the words of the sequence that a program asks for."""
    return tuple(dict.fromkeys(value.name for value in program if value.operation == "clock"))


def encode_program(program: Program, ports: Sequence[Port], lay: Lay) -> ProgramCode:
    """Write a program as instructions over a scratch, into which ``lay`` lays numbers.

    The last ports are those of its clocks, in order.

    Raises
    ------
    BackendUnavailableError
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
        if id(value) in self.places:
            return self.places[id(value)][1]
        if value.modes is not None:
            return self.program.width * value.modes
        return self.program.width if np.size(self.known[id(value)]) > 1 else 1

    def _at(self, value: Value, size: int) -> int:
        """Give where a value is, spread over ``size`` numbers where it has fewer."""
        key = (id(value), size)
        if key not in self.spread:
            if id(value) in self.known:
                self.spread[key] = self._lay_constant(value, size)
            else:
                self.spread[key] = self._spread(*self.places[id(value)], size)
        return self.spread[key]

    def _spread(self, place: int, count: int, size: int) -> int:
        if count == size or not size:
            return place
        wide = self._room(size)
        self._emit("expand", size, wide, [place], size // count)
        return wide

    def _lay_constant(self, value: Value, size: int) -> int:
        array, width = np.asarray(self.known[id(value)]), self.program.width
        shape: tuple[int, ...] = (size,)
        if value.modes is not None:
            shape = (width, value.modes)
        elif size > width:
            array, shape = np.atleast_1d(array)[..., None], (width, size // width)
        return self.lay(np.broadcast_to(array, shape))

    def _operation(self, value: Value) -> tuple[int, int]:
        name, arguments = value.operation, value.arguments
        if name in ("input", "clock"):
            return self._load(value)
        if name in REDUCTIONS:
            return self._reduce(REDUCTIONS[name], value)
        if name == "convolution":
            return self._convolve(value)
        if name in ("lookup", "per_mode", "weighted_sum"):
            return self._gather(value)
        if name not in CODES:
            raise BackendUnavailableError(
                f"the native engine has no operation '{name}'; use --backend reference"
            )
        size = max(map(self._size, arguments)) if value.modes != 0 else 0
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
        speaks = self.program.output.arguments[0]
        count = self._size(speaks)
        if size >= count:
            return self._at(speaks, size)
        some = self._room(1)  # of no neuron alone, it counts where any speaks
        self._emit("any", 1, some, [self._at(speaks, count)], count)
        return self._spread(some, 1, size)

    def _load(self, value: Value) -> tuple[int, int]:
        if value.operation == "clock":
            clocks = clocks_of(self.program)
            port, start, size = self.ports[clocks.index(value.name) - len(clocks)], 0, 1
        else:
            port = self.ports[value.content[0]]
            start, stop = value.content[1] or (0, port.width)
            size = stop - start
        y = self._room(size)
        self._emit("load", size, y, [port.place, port.pitch], start)
        return y, size

    def _gather(self, value: Value) -> tuple[int, int]:
        """Operations that make another number of numbers than they take, or take from a table."""
        argument = value.arguments[-1]
        if value.operation == "per_mode":
            size = self.program.width * value.modes  # type: ignore[operator]  # it has them
            return self._at(argument, size), size
        known = self.known[id(value.arguments[0])]
        count = self._size(argument)
        read = [self.lay(known.T), self._at(argument, count)]
        size, own = (count, len(known)) if value.operation == "lookup" else known.shape
        y = self._room(size)
        self._emit(value.operation, size, y, read, own)
        return y, size

    def _convolve(self, value: Value) -> tuple[int, int]:
        """Of a kernel's filters, group by group, at every place: see ``src/program.h``."""
        kernel, windows = self.known[id(value.arguments[0])], value.content
        filters = len(kernel) // windows.groups
        head = [windows.groups, filters, windows.places, windows.group_inputs]
        reads = self.lay(np.concatenate([head, windows.reads.ravel()]))
        x = self._at(value.arguments[1], windows.inputs)
        size = len(kernel) * windows.places
        y = self._room(size)
        self._emit("convolution", size, y, [self.lay(kernel), x, reads], windows.taps)
        return y, size

    def _reduce(self, code: str, value: Value) -> tuple[int, int]:
        """Reduce the last axis: modes, or else channels."""
        (argument,) = value.arguments
        taken = self._size(argument)
        size = 1 if argument.modes is None or taken == 1 else self.program.width
        y = self._room(size)
        self._emit(code, size, y, [self._at(argument, taken)], taken // size)
        return y, size
