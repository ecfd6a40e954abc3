"""A pipelined datapath: cells of logic, each a register or a wire, put into stages.

A datapath takes in a new index every cycle. A cell's *time* is how many cycles after its index was
issued its result stands. Where a result is needed later, registers delay it. What depends on the
index alone (an address, a flag) can be had at any time, from the index's own delay line; reads of
memories are therefore put as late as possible, and hardly anything is delayed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Cell", "Datapath", "literal", "vector"]

Kind = Literal["computed", "anchored", "fixed", "tap"]


@dataclass(eq=False)
class Cell:
    """A result of a datapath.

    Parameters
    ----------
    text
        Its expression in Verilog, with ``{0}``, ``{1}`` … for its arguments and ``{self}`` for its
        own last result; of what is no expression its name.
    bits
        Its width.
    arguments
        What it is computed of.
    latency
        1: a register; 0: a wire.
    signed
        Whether it is a signed number.
    kind
        ``computed``; ``fixed``: the same at all times; ``tap``: of the index's delay line;
        ``anchored``: it comes from outside at a time of its own.
    time
        When its result stands.
    """

    text: str
    bits: int
    arguments: tuple[Cell, ...] = ()
    latency: int = 1
    signed: bool = True
    kind: Kind = "computed"
    time: int = 0
    name: str = ""
    delays: int = 0

    @property
    def start(self) -> int:
        """When it reads its arguments."""
        return self.time - self.latency

    @property
    def bound(self) -> bool:
        """Whether it stands at a certain time only."""
        return self.kind in ("computed", "anchored")


def literal(number: int, bits: int | None = None) -> Cell:
    """Give a signed integer as a cell."""
    needed = 1 + max(number.bit_length(), (-1 - number).bit_length() if number < 0 else 0)
    bits = bits or needed
    sign = "-" if number < 0 else ""
    return Cell(f"{sign}{bits + (number < 0)}'sd{abs(number)}", bits, kind="fixed")


def vector(bits: int, signed: bool = False) -> str:
    """Write the range of a signal's bits."""
    return f"{'signed ' if signed else ''}[{bits - 1}:0]"


@dataclass(eq=False)
class _Sink:
    text: str
    arguments: tuple[Cell, ...]
    start: int = 0


@dataclass
class Datapath:
    """Cells, and the sinks that take their results in: statements of a clocked block."""

    prefix: str
    factor_bits: int
    """How wide a hardware multiplier's signed inputs are."""
    cells: list[Cell] = field(default_factory=list)
    taps: dict[str, int] = field(default_factory=dict)
    """By name: the latest time at which a tap is read."""
    multipliers: list[tuple[int, int]] = field(default_factory=list)
    """The widths of each hardware multiplication."""
    extra: list[str] = field(default_factory=list)
    _sinks: list[_Sink] = field(default_factory=list)

    def cell(
        self, text: str, bits: int, *arguments: Cell, latency: int = 1, signed: bool = True
    ) -> Cell:
        """Add a register, or a wire of ``latency`` 0."""
        made = Cell(text, bits, arguments, latency, signed, name=f"{self.prefix}{len(self.cells)}")
        self.cells.append(made)
        return made

    def wire(self, text: str, bits: int, *arguments: Cell, signed: bool = True) -> Cell:
        """Add a wire: what costs no logic."""
        return self.cell(text, bits, *arguments, latency=0, signed=signed)

    def sink(self, text: str, *arguments: Cell) -> None:
        """Add a statement that takes results in; it begins when all of them stand."""
        self._sinks.append(_Sink(text, arguments))

    def schedule(self) -> int:
        """Put everything into stages; give how many cycles an index takes to leave."""
        for cell in self.cells:
            cell.time = _ready(cell.arguments) + cell.latency
        for sink in self._sinks:
            sink.start = _ready(sink.arguments)
        latest: dict[int, int] = {}
        for sink in self._sinks:
            _needed(sink.arguments, sink.start, latest)
        for cell in reversed(self.cells):
            if all(argument.kind != "anchored" for argument in cell.arguments):
                cell.time = max(cell.time, latest.get(id(cell), cell.time))
            _needed(cell.arguments, cell.start, latest)
        return max((sink.start for sink in self._sinks), default=0) + 1

    def write(self) -> str:
        """Write the datapath, once it is scheduled."""
        clocked = [
            f"{cell.name} <= {self._expression(cell.text, cell.arguments, cell.start, cell.name)};"
            for cell in self.cells
            if cell.latency
        ]
        wires = [
            f"wire {vector(cell.bits, cell.signed)} {cell.name} = "
            f"{self._expression(cell.text, cell.arguments, cell.start, cell.name)};"
            for cell in self.cells
            if not cell.latency
        ]
        clocked += [self._expression(s.text, s.arguments, s.start, "") for s in self._sinks]
        declared = [
            f"reg {vector(cell.bits, cell.signed)} {cell.name};"
            for cell in self.cells
            if cell.latency
        ]
        reading = [*(c.arguments for c in self.cells), *(s.arguments for s in self._sinks)]
        outside = {id(cell): cell for arguments in reading for cell in arguments}
        for cell in outside.values():
            for step in range(1, cell.delays + 1):
                before = f"{cell.name or cell.text}_d{step - 1}" if step > 1 else cell.name
                declared.append(f"reg {vector(cell.bits, cell.signed)} {cell.name}_d{step};")
                clocked.append(f"{cell.name}_d{step} <= {before};")
        body = "\n".join(f"    {line}" for line in clocked)
        return "\n".join([*declared, *wires, *self.extra, _CLOCKED.format(body=body)])

    def _expression(self, text: str, arguments: tuple[Cell, ...], time: int, own: str) -> str:
        names = [self._at(argument, time) for argument in arguments]
        return re.sub(r"\{(\d+|self)\}", lambda m: _filled(m.group(1), names, own), text)

    def _at(self, cell: Cell, time: int) -> str:
        if cell.kind == "fixed":
            return cell.text
        if cell.kind == "tap":
            self.taps[cell.text] = max(self.taps.get(cell.text, 0), time)
            return f"{cell.text}{time}"
        late = time - cell.time
        cell.delays = max(cell.delays, late)
        return f"{cell.name}_d{late}" if late else cell.name


_CLOCKED = """\
always @(posedge clk) begin
{body}
end
"""


def _filled(key: str, names: list[str], own: str) -> str:
    return own if key == "self" else names[int(key)]


def _ready(arguments: Iterable[Cell]) -> int:
    return max((cell.time for cell in arguments if cell.bound), default=0)


def _needed(arguments: Iterable[Cell], start: int, latest: dict[int, int]) -> None:
    for cell in arguments:
        if cell.kind == "computed":
            latest[id(cell)] = min(latest.get(id(cell), start), start)
