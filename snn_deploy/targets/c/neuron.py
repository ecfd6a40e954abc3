"""A section of a node's program as the body of a C function: loops over channels and modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Value
from snn_deploy.targets.c.operations import Expressions
from snn_deploy.targets.c.ranges import Operand, c_type, literal, stored_bits, working_bits
from snn_deploy.targets.c.tables import Tables
from snn_deploy.targets.c.wiring import laid_out, reached
from snn_deploy.targets.ranges import Range, Ranges
from snn_deploy.targets.schedule import REDUCTIONS, WEIGHTED, Level, Rank, Section

__all__ = ["Array", "Neuron"]


@dataclass(frozen=True)
class Array:
    """An array in memory: how C names it, and what its numbers can be."""

    text: str
    range: Range

    @property
    def type(self) -> str:
        """The type of its numbers."""
        return c_type(stored_bits(self.range))

    def store(self, index: str, value: Operand) -> str:
        """Write the storing of a value."""
        bits = stored_bits(self.range)
        text = value.at(max(bits, 32)) if value.known is not None else value.text
        cast = "" if value.known is not None or value.bits == bits else f"({self.type})"
        return f"{self.text}[{index}] = {cast}{text};"


@dataclass
class _Body:
    """A loop's lines: what is loaded first, what is computed then; ``there`` names both by id."""

    loads: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    there: set[int] = field(default_factory=set)

    def inside(self, *first: str) -> list[str]:
        """Give the lines, indented."""
        return [f"    {line}" for line in (*first, *self.loads, *self.lines)]


@dataclass
class Neuron:
    """Writes one section of a node's program.

    Parameters
    ----------
    section
        Of a node's program.
    ranges
        Of all its values: :func:`value_ranges`.
    inputs
        What is at each port.
    words
        By name: the words of state.
    clock
        By name: how C names what the sequencer gives.
    output
        Where what is sent is stored.
    scratch
        How C names the memory for arrays that live within one call, a struct.
    label
        What comments call the node.
    """

    section: Section
    ranges: Ranges
    inputs: Sequence[Array]
    words: Mapping[str, Array]
    clock: Mapping[str, str]
    output: Array
    scratch: str
    label: str
    tables: Tables
    expressions: Expressions

    def __post_init__(self) -> None:
        self.section.check()
        self._names = {id(v): f"t{n}" for n, v in enumerate(self.section.values)}
        self._lines: list[str] = []
        self.arrays: dict[str, tuple[str, int]] = {}
        """Of the scratch memory: type and size by name."""

    def body(self) -> list[str]:
        """Write the function's lines."""
        section = self.section
        for phase in range(section.phases):
            self._before_channels(phase)
            self._channels(phase)
        return self._lines

    # --- what is of the whole layer

    def _before_channels(self, phase: int) -> None:
        for value in self.section.values if phase == 0 else ():
            if self.section.is_of_all(value):
                self._lines.append(self._loaded(value, "0"))
        for value in self._computed(phase, Level.LAYER):
            if value.operation not in REDUCTIONS:
                self._lines.append(self._define(value, None, None))
        for value in self._computed(phase, Level.CHANNEL):
            if value.operation in WEIGHTED:
                self._weighted_sum(value)
        for value in self._computed(phase + 1, Level.LAYER):
            if value.operation in REDUCTIONS:
                bits = working_bits(self.ranges[id(value)])
                self._lines.append(f"{c_type(bits)} {self._names[id(value)]} = 0;")

    def _computed(self, phase: int, level: Level) -> list[Value]:
        return [
            value
            for value in self.section.values
            if not self.section.is_leaf(value)
            and self.section.places[id(value)].level == level
            and self.section.places[id(value)].rank.phase == phase
        ]

    def _weighted_sum(self, value: Value) -> None:
        """Write sums driven by events: what is silent costs a comparison."""
        (source,) = self.section.arguments(value)
        weight = value.arguments[0].content[0]
        target = self._array(value)
        if source.operation == "input":
            port, part = source.content
            x, start = self.inputs[port], part[0] if part else 0
        else:
            x, start = self._array(source), 0
        table = self.tables.add(laid_out(value), f"{self.label}: weights")
        shared = value.operation == "convolution"
        inputs = value.content.inputs if shared else weight.shape[1]
        index = f"j + {start}" if start else "j"
        added = self._weighted(x.range, Range.of_array(weight), target)

        def add(element: str, by: str) -> str:
            return f"{element} = ({target.type})({element} + {added.format(by)});"

        self._lines += [
            f"for (int32_t h = 0; h < {self.section.program.width}; h++) {{",
            f"    {target.text}[h] = 0;",
            "}",
            f"for (int32_t j = 0; j < {inputs}; j++) {{",
            f"    const {c_type(working_bits(x.range))} x = {x.text}[{index}];",
            "    if (x != 0) {",
            *(f"        {line}" for line in reached(value, table, target.text, add)),
            "    }",
            "}",
        ]

    @staticmethod
    def _weighted(x: Range, weight: Range, target: Array) -> str:
        if x == (0, 1):
            return "{}"
        bits = working_bits(x.times(weight), target.range)
        return f"({c_type(bits)}){{}} * x"

    # --- the loop over channels

    def _channels(self, phase: int) -> None:
        section, body = self.section, _Body()
        computed = [v for v in self._computed(phase, Level.CHANNEL) if v.operation not in WEIGHTED]
        turns = {0, *(v.rank.turn for v in section.places.values() if v.rank.phase == phase)}
        if section.storing_modes.phase == phase:
            turns.add(section.storing_modes.turn)
        for turn in sorted(turns):
            for value in computed:
                if section.places[id(value)].rank.turn == turn and value.operation != "sum_modes":
                    body.lines.append(self._define(value, body, None))
                    self._keep(value, "h", body)
            self._modes(Rank(phase, turn), body)
        for value in self._computed(phase + 1, Level.LAYER):
            if value.operation in REDUCTIONS:
                (added,) = section.arguments(value)
                body.lines.append(self._added(value, self._operand(added, body, None)))
        if phase == section.storing:
            self._store(body)
        if body.lines:
            self._lines.append(f"for (int32_t h = 0; h < {section.program.width}; h++) {{")
            self._lines += [*body.inside(), "}"]

    def _store(self, body: _Body) -> None:
        section = self.section
        if section.output is not None and not self._is_written(section.roots[0]):
            sent = self._operand(section.roots[0], body, None)
            body.lines.append(self.output.store("h", sent))
        for word in section.stored:
            if word.value.modes is None:
                following = self._operand(section.resolved(word.following), body, None)
                body.lines.append(self.words[word.name].store("h", following))

    def _is_written(self, output: Value) -> bool:
        """Whether what is sent is already where it belongs."""
        return output.operation in WEIGHTED and not self.section.is_known(output)

    # --- the loop over modes

    def _modes(self, rank: Rank, channel: _Body) -> None:
        section, body = self.section, _Body()
        summed = []
        for value in section.values:
            level, at = section.places[id(value)]
            if section.is_leaf(value):
                continue
            if level == Level.MODE and at == rank:
                body.lines.append(self._define(value, channel, body))
                self._keep(value, "i", body)
            elif value.operation == "sum_modes" and section.at_work(value) == rank:
                summed.append(value)
        for value in summed:
            (added,) = section.arguments(value)
            body.lines.append(self._added(value, self._operand(added, channel, body)))
        stored = [word for word in section.stored if word.value.modes]
        for word in stored if rank == section.storing_modes else ():
            following = self._operand(section.resolved(word.following), channel, body)
            body.lines.append(self.words[word.name].store("i", following))
        if not body.lines:
            return
        for value in summed:
            bits = working_bits(self.ranges[id(value)])
            channel.lines.append(f"{c_type(bits)} {self._names[id(value)]} = 0;")
            channel.there.add(id(value))
        modes = self._mode_count()
        channel.lines.append(f"for (int32_t m = 0; m < {modes}; m++) {{")
        channel.lines += [*body.inside(f"const int32_t i = h * {modes} + m;"), "}"]
        for value in summed:
            self._keep(value, "h", channel)

    def _mode_count(self) -> int:
        counts = {v.modes for v in self.section.values if v.modes}
        counts |= {w.value.modes for w in self.section.stored if w.value.modes}
        (modes,) = counts
        return int(modes)

    # --- single values

    def _define(self, value: Value, channel: _Body | None, mode: _Body | None) -> str:
        out = self.ranges[id(value)]
        type_ = c_type(working_bits(out))
        arguments = [self._operand(a, channel, mode) for a in self.section.arguments(value)]
        if value.operation == "lookup":
            table = value.arguments[0].content[0]
            name = self.tables.add(table, f"{self.label}: {value.arguments[0].name}")
            self._check_row(arguments[0].range, len(table))
            text = f"{name}[{arguments[0].text}]"
        else:
            text = self.expressions.write(value, arguments, out)
        innermost = channel if mode is None else mode
        if innermost is not None:
            innermost.there.add(id(value))
        return f"const {type_} {self._names[id(value)]} = {text};"

    def _check_row(self, row: Range, rows: int) -> None:
        if row.low < 0 or row.high >= rows:
            raise AssertionError(f"{self.label}: row {row} of a table of {rows}")

    def _operand(self, value: Value, channel: _Body | None, mode: _Body | None) -> Operand:
        """Name a value, loaded first where it lies in memory."""
        section = self.section
        if section.is_known(value):
            number = value.content if value.operation == "constant" else section.known[id(value)]
            only = Range(int(number), int(number))
            return Operand(literal(only.low, working_bits(only)), only)
        range_ = self.ranges[id(value)]
        if value.operation == "clock":
            if value.name not in self.clock:
                raise TargetError(f"{self.label}: the sequencer of C99 gives no '{value.name}'")
            return Operand(self.clock[value.name], range_)
        level = section.places[id(value)].level
        if level == Level.CHANNEL and channel is not None:
            self._load(value, "h", channel)
        if level == Level.MODE and mode is not None:
            self._load(value, "i", mode)
        return Operand(self._names[id(value)], range_)

    def _load(self, value: Value, index: str, body: _Body) -> None:
        if id(value) in body.there:
            return
        body.there.add(id(value))
        body.loads.append(self._loaded(value, index))

    def _loaded(self, value: Value, index: str) -> str:
        declared = f"{c_type(working_bits(self.ranges[id(value)]))} {self._names[id(value)]}"
        return f"const {declared} = {self._element(value, index)};"

    def _element(self, value: Value, index: str) -> str:
        if value.operation == "input":
            port, part = value.content
            start = part[0] if part else 0
            return f"{self.inputs[port].text}[{index}{f' + {start}' if start else ''}]"
        if id(value) in self._side_by_side:
            group = self._side_by_side[id(value)]
            told = " - ".join(member.name for member in group)
            whole = np.stack([member.content[0] for member in group], axis=-1)
            place = next(n for n, member in enumerate(group) if member is value)
            name = self.tables.add(whole, f"{self.label}: {told}")
            return f"{name}[{index} * {len(group)} + {place}]"
        if value.operation == "parameter":
            if np.array_equal(value.content[0], np.arange(self.section.program.width)):
                return index
            name = self.tables.add(value.content[0], f"{self.label}: {value.name}")
            return f"{name}[{index}]"
        if value.operation == "state":
            return f"{self.words[value.name].text}[{index}]"
        return f"{self._array(value).text}[{index}]"

    @cached_property
    def _side_by_side(self) -> Mapping[int, list[Value]]:
        """Give the parameters of modes that lie beside each other, by ``id``: those of one width.

        One pointer then leads to all, of which a small machine has few.
        """
        groups: dict[int, list[Value]] = {}
        for value in self.section.values:
            of_modes = value.operation == "parameter" and value.modes
            if of_modes and not self.section.is_known(value):
                bits = stored_bits(Range.of_array(value.content[0]))
                groups.setdefault(bits, []).append(value)
        return {id(value): group for group in groups.values() for value in group if group[1:]}

    def _added(self, total: Value, part: Operand) -> str:
        name, more = self._names[id(total)], part.at(working_bits(self.ranges[id(total)]))
        if total.operation == "largest_channel":
            return f"if ({more} > {name}) {name} = {more};"
        return f"{name} += {more};"

    def _keep(self, value: Value, index: str, body: _Body) -> None:
        if id(value) in self.section.kept and value.operation not in WEIGHTED:
            operand = Operand(self._names[id(value)], self.ranges[id(value)])
            body.lines.append(self._array(value).store(index, operand))

    def _array(self, value: Value) -> Array:
        """Give the memory of a value that a later loop needs."""
        if (
            self.section.output is not None
            and value is self.section.roots[0]
            and self._is_written(value)
        ):
            return self.output
        name, width = self._names[id(value)], self.section.program.width
        array = Array(f"{self.scratch}.{name}", self.ranges[id(value)])
        self.arrays[name] = (array.type, width * (value.modes or 1))
        return array
