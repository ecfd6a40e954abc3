"""What a loop of neurons reads: stored numbers, state, signals, and what the sequencer tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.program import Value, Word
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.schedule import Level
from snn_deploy.targets.verilog.cells import Cell, Datapath, literal
from snn_deploy.targets.verilog.memory import Memory, address_bits
from snn_deploy.targets.verilog.operations import Operand

if TYPE_CHECKING:
    from snn_deploy.targets.verilog.neuron_unit import NeuronUnit

__all__ = ["Reads"]

_CLOCK = {"first": "first", "valid": "`SNN_VALID", "last": "1'b1"}


@dataclass(eq=False)
class Reads:
    """Cells of one loop's datapath that read; ``of_modes`` is set once one is of a mode.

    ``ports`` are the addresses in memories of signals by member, ``constants`` the numbers of the
    members by name.
    """

    unit: NeuronUnit
    path: Datapath
    of_modes: bool = False
    constants: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ports: list[Callable[[int], tuple[str, int]]] = field(default_factory=list)
    _inputs: dict[Any, Cell] = field(default_factory=dict)

    def tap(self, name: str) -> Cell:
        """Give what the index's delay line holds."""
        return Cell(name, 1, kind="tap", signed=False)

    def address(self, name: str, memory: Memory) -> Cell:
        """Give the address of a memory that is indexed by channels or modes."""
        bits = address_bits(memory.depth)
        return self.path.wire(f"{{0}}[{bits - 1}:0]", bits, self.tap(name), signed=False)

    def constant(self, value: Value) -> Operand:
        numbers = []
        for member, v in zip(self.unit.members, self.unit.across(value), strict=True):
            known = v.content if v.operation == "constant" else None
            if known is None:
                known = member.section.known.get(id(v))
            numbers.append(int(v.content[0]) if known is None else int(known))
        out = Range.of_array(np.array(numbers, dtype=object))
        name = f"{self.unit.prefix}_number{self.unit.places[id(value)]}"
        return Operand(out, lambda: self.number(name, numbers))

    def number(self, name: str, numbers: list[int]) -> Cell:
        if len(set(numbers)) == 1:
            return literal(numbers[0])
        bits = Range.of_array(np.array(numbers, dtype=object)).bits
        self.constants[name] = tuple(numbers)
        return Cell(name, bits, kind="fixed")

    def clock(self, value: Value, out: Range) -> Cell:
        if value.name in _CLOCK:
            return self.path.wire(f"{{1'b0, {_CLOCK[value.name]}}}", out.bits)
        divided = Cell(f"{value.name}{self.unit.number}", out.bits, kind="fixed")
        return self.path.wire("{0}", out.bits, divided)

    def _port(self, key: Any, address: Callable[[int], tuple[str, int]], out: Range) -> Cell:
        """Give what comes out of a memory of signals: always at the same time, in all loops."""
        if key not in self._inputs:
            number = len(self.ports)
            self.ports.append(address)
            self._inputs[key] = Cell(
                f"x{number}", out.bits, kind="anchored", time=3, name=f"x{number}"
            )
        found = self._inputs[key]
        return self.path.wire("{0}", out.bits, found)

    def input(self, value: Value, out: Range) -> Cell:
        values = self.unit.across(value)

        def address(member: int) -> tuple[str, int]:
            port, part = values[member].content
            edge = self.unit.members[member].work.node.inputs[port]
            return self.unit.signals.read(edge, part)

        return self._port(("input", value.content), address, out)

    def summed(self, value: Value, out: Range) -> Cell:
        values = self.unit.across(value)
        return self._port(
            id(value), lambda member: (self.unit.sums[id(values[member])].address(), 0), out
        )

    def stored(self, arrays: list[npt.NDArray[Any]], value: Value, level: Level) -> list[Operand]:
        """Give stored numbers of channels or modes; where all are one, nothing is stored."""
        if level == Level.MODE:
            self.of_modes = True
        whole = np.concatenate([array.reshape(-1) for array in arrays]).astype(np.int64)
        name = f"{self.unit.prefix}_k{self.unit.places[id(value)]}"
        return self._numbers(whole, name, level, value.name)

    def _numbers(
        self, whole: npt.NDArray[np.int64], name: str, level: Level, told: str
    ) -> list[Operand]:
        out = Range.of_array(whole)
        if out.single:
            return [Operand(out, lambda: literal(out.low))]
        lanes = self.unit.lanes if level == Level.MODE else 1
        cells: list[Cell] = []

        def read(lane: int) -> Cell:
            if not cells:
                memory = self.rom(name, whole, lanes, f"{self.unit.label}: stored numbers")
                tap = "a" if level == Level.MODE else "c"
                cells.extend(self.read(memory, self.address(tap, memory), lanes))
            return cells[lane]

        changed: dict[tuple[int, int], list[Operand]] = {}

        def linear(lane: int, sign: int, offset: int) -> Operand:
            if (sign, offset) not in changed:
                new = f"{name}_{len(changed)}"
                changed[sign, offset] = self._numbers(sign * whole + offset, new, level, told)
            found = changed[sign, offset]
            return found[lane if len(found) > 1 else 0]

        return [
            Operand(
                out,
                lambda lane=lane: read(lane),  # type: ignore[misc]
                lambda sign, offset, lane=lane: linear(lane, sign, offset),  # type: ignore[misc]
            )
            for lane in range(lanes)
        ]

    def rom(self, name: str, whole: npt.NDArray[Any], lanes: int, told: str) -> Memory:
        for memory in self.unit.memories.all:
            if memory.name == name:
                return memory
        return self.unit.memories.rom(name, whole, lanes, told)

    def read(self, memory: Memory, address: Cell, lanes: int) -> list[Cell]:
        """Read a memory; block RAM is slow, so that another register follows."""
        self.unit.memories.reads[memory.name] += 1
        word = self.path.cell(f"{memory.name}[{{0}}]", memory.width, address, signed=lanes == 1)
        if memory.block:
            word = self.path.cell("{0}", memory.width, word, signed=lanes == 1)
        if lanes == 1:
            return [word]
        bits = memory.width // lanes
        return [
            self.path.wire(f"$signed({{0}}[{n * bits + bits - 1}:{n * bits}])", bits, word)
            for n in range(lanes)
        ]

    def state(self, word: Word, level: Level, out: Range) -> list[Operand]:
        if level == Level.MODE:
            self.of_modes = True
        memory = self.unit.state[word.name]
        lanes = self.unit.lanes if level == Level.MODE else 1
        tap = "a" if level == Level.MODE or self.unit.home else "c"
        held = self.read(memory, self.address(tap, memory), lanes)
        if self.unit.home:  # it has taken the last step in already
            return [Operand(out, lambda cell=cell: cell) for cell in held]  # type: ignore[misc]
        starts = self._starts(word, level)
        first = Cell("first", 1, kind="fixed")
        cells = [
            self.path.cell(
                "{0} ? {1} : {2}", out.bits, first, starts[n if len(starts) > 1 else 0].cell, x
            )
            for n, x in enumerate(held)
        ]
        return [Operand(out, lambda cell=cell: cell) for cell in cells]  # type: ignore[misc]

    def _starts(self, word: Word, level: Level) -> list[Operand]:
        arrays = []
        for member, modes in zip(self.unit.members, self.unit.modes, strict=True):
            program = member.section.program
            shape = (program.width, modes) if level == Level.MODE else (program.width,)
            arrays.append(np.broadcast_to(program.words[word.name].start, shape).reshape(-1))
        whole = np.concatenate(arrays).astype(np.int64)
        name = f"{self.unit.state[word.name].name}_start"
        return self._numbers(whole, name, level, "")

    def kept(self, value: Value, out: Range) -> Cell:
        name = f"{self.unit.prefix}_kept{self.unit.places[id(value)]}"
        memory = next(m for m in self.unit.memories.all if m.name == name)
        (read,) = self.read(memory, self.address("c", memory), 1)
        return read

    def lookup(self, value: Value, index: Operand, out: Range) -> Cell:
        tables = [v.arguments[0].content[0] for v in self.unit.across(value)]
        if not 0 <= index.range.low <= index.range.high < len(tables[0]):
            raise AssertionError(f"{self.unit.label}: row {index.range} of {len(tables[0])}")
        same = all(np.array_equal(table, tables[0]) for table in tables)
        whole = tables[0] if same else np.concatenate(tables)
        name = f"{self.unit.prefix}_table{self.unit.places[id(value)]}"
        memory = self.rom(name, whole, 1, f"{self.unit.label}: a table")
        bits = address_bits(memory.depth)
        row = index.cell
        if row.kind == "fixed":
            row = self.path.wire("{0}", row.bits, row)
        row = self.path.wire("{0}", bits, row, signed=False)
        if not same:
            base = self.number(name, [n * len(tables[0]) for n in range(len(tables))])
            row = self.path.cell("{0} + {1}", bits, row, base, signed=False)
        (read,) = self.read(memory, row, 1)
        return read
