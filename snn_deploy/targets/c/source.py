"""A whole network as C99: types, state, work, and the functions that a user calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.targets.c.helpers import helper_text
from snn_deploy.targets.c.neuron import Array, Neuron
from snn_deploy.targets.c.operations import Expressions
from snn_deploy.targets.c.ranges import literal, stored_bits
from snn_deploy.targets.c.tables import Tables
from snn_deploy.targets.c.window import ring_lines, sequence_lines
from snn_deploy.targets.layout import Layout
from snn_deploy.targets.names import commented
from snn_deploy.targets.node_work import NodeWork
from snn_deploy.targets.ranges import Range, value_ranges
from snn_deploy.targets.schedule import Section

__all__ = ["MOST_STEPS", "Field", "Source"]

_CLOCK = {
    "first": "(int32_t)(s->steps == 0)",
    "step": "(int32_t)s->steps",
    "valid": "SNN_VALID(s->steps)",
}
_LATER = {"first": "(int32_t)(when == 0)", "step": "(int32_t)when", "valid": "SNN_VALID(when)"}
MOST_STEPS = 1024
"""Of a sequence that is kept whole; a user may define another number."""
_DIVISOR = ("pre_shift", "mantissa", "shift")


@dataclass(frozen=True)
class Field:
    """An array in a struct."""

    name: str
    type: str
    size: int
    comment: str = ""
    kept: bool = False
    """Whether it holds as much for each step of a sequence."""

    @property
    def number_bytes(self) -> int:
        """How much memory a number takes."""
        return int(re.sub(r"\D", "", self.type)) // 8

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.size * (MOST_STEPS if self.kept else 1) * self.number_bytes

    @property
    def text(self) -> str:
        """Write it down."""
        told = f" /* {self.comment} */" if self.comment else ""
        size = f"SNN_MOST_STEPS * {self.size}" if self.kept else str(self.size)
        return f"{self.type} {self.name}[{size}];{told}"


@dataclass
class Source:
    """C99 of one network.

    Parameters
    ----------
    network
        A deployment's.

    Raises
    ------
    TargetError
        For what C99 is not written for.
    """

    network: Network
    tables: Tables = field(default_factory=Tables)
    expressions: Expressions = field(default_factory=Expressions)

    def __post_init__(self) -> None:
        self.layout = Layout.of(self.network, "C99", alone=True)
        self.state: list[Field] = []
        self.work: list[Field] = []
        self.scratch: dict[str, list[Field]] = {}
        self._starts: list[str] = []
        self.later_starts: list[str] = []
        self._functions: list[str] = []
        self._nodes: dict[str, _Node] = {}
        for name, steps in self.layout.rings.items():
            self._add_ring(name, steps)
        for node in self.layout.network:
            self._nodes[node.name] = _Node(self, node)
        for name in self.layout.kept:
            self._add_kept(name)
        self.step = {node.name: self._nodes[node.name].step() for node in self.layout.stepping}
        self.close = {node.name: self._nodes[node.name].close() for node in self.layout.closing}

    def number(self, name: str) -> int:
        """Give a node's number."""
        return self.layout.numbers[name]

    def signal(self, name: str) -> Array:
        """Give the array of a node's signal."""
        return Array(f"w->n{self.number(name)}", self.layout.signals[name])

    def _add_ring(self, name: str, steps: int) -> None:
        number, width = self.number(name), self.layout.network[name].width
        type_ = self.signal(name).type
        told = f"the last {steps} of {commented(name)}"
        self.state.append(Field(f"past{number}", type_, steps * width, told))
        self._zero(f"past{number}", steps * width)

    def _add_kept(self, name: str) -> None:
        told = f"all of {commented(name)}"
        fields = self.work if self.layout.turns[name] else self.state
        width = self.layout.network[name].width
        type_ = self.signal(name).type
        fields.append(Field(f"kept{self.number(name)}", type_, width, told, kept=True))

    def _zero(self, name: str, size: int) -> None:
        self.start("state", name, size, "0")

    def start(self, owner: str, name: str, size: int, text: str) -> None:
        """Say what an array of state starts with; ``text`` may use the index ``i``."""
        starts = self._starts if owner == "state" else self.later_starts
        starts += [
            f"for (int32_t i = 0; i < {size}; i++) {{",
            f"    {owner}->{name}[i] = {text};",
            "}",
        ]

    @property
    def starts(self) -> list[str]:
        """The lines that bring the state to its start."""
        heads = [f"state->at{self.number(name)} = 0;" for name in self.layout.rings]
        return ["state->steps = 0;", *heads, *self._starts]

    def port(self, edge: Edge, turn: int) -> Array:
        """Give what an edge reads, of a node in the sweep ``turn``."""
        signal, past = self.signal(edge.source), edge.steps_back
        since = self.layout.turns[edge.source]
        if since != turn:
            n, width = self.number(edge.source), self.layout.network[edge.source].width
            owner = "w" if since else "s"
            return Array(f"({owner}->kept{n} + when * {width}U)", signal.range)
        if not past:
            return signal
        n, width = self.number(edge.source), self.layout.network[edge.source].width
        steps = self.layout.rings[edge.source]
        row = f"(s->at{n} + {steps - past}) % {steps}" if past < steps else f"s->at{n}"
        return Array(f"(s->past{n} + {row} * {width})", signal.range)

    def window(self, node: Any) -> list[str]:
        """The lines that put the steps around each one side by side."""
        (edge,) = node.inputs
        made, read = self.number(node.name), self.number(edge.source)
        width, (before, after) = self.layout.network[edge.source].width, node.reach
        if not after:
            return ring_lines(made, read, width, before, self.layout.rings[edge.source])
        return sequence_lines(made, f"s->kept{read}", width, (before, after))

    def add_function(self, comment: str, name: str, lines: list[str]) -> str:
        """Add a function of a node; give the call."""
        text = "\n".join(f"    {line}" for line in lines)
        changed = re.search(r"s->\w+\[[^]]*\] = ", text)
        parameters = {
            "s": f"{'' if changed else 'const '}snn_state *restrict s",
            "w": "snn_work *restrict w",
            "last": "int32_t last",
            "when": "uint32_t when",
        }
        used = [key for key in parameters if re.search(rf"\b{key}\b", text)]
        declared = ", ".join(parameters[key] for key in used)
        self._functions.append(f"/* {comment} */\nstatic void {name}({declared})\n{{\n{text}\n}}\n")
        return f"{name}({', '.join(used)});"

    @cached_property
    def functions(self) -> str:
        """The nodes' functions, and before them the helpers."""
        parts = [helper_text(self.expressions.used), self.tables.text, *self._functions]
        return "\n".join(part for part in parts if part)

    def keeps(self, sweep: Sweep, when: str) -> list[str]:
        """The lines that keep what later sweeps read of a step."""
        lines = []
        for name in sweep.keeps:
            n, width = self.number(name), self.layout.network[name].width
            owner = "w" if self.layout.turns[name] else "s"
            lines += [
                f"for (uint32_t h = 0; h < {width}U; h++) {{",
                f"    {owner}->kept{n}[{when} * {width}U + h] = w->n{n}[h];",
                "}",
            ]
        return lines

    @property
    def ends(self) -> list[str]:
        """The lines that end a step: what is kept of it."""
        lines = self.keeps(self.layout.sweeps[0], "s->steps")
        lines += ["if (s->steps < UINT32_MAX) {", "    s->steps++;", "}"]
        for name, steps in self.layout.rings.items():
            n, width = self.number(name), self.layout.network[name].width
            lines += [
                f"for (int32_t h = 0; h < {width}; h++) {{",
                f"    s->past{n}[s->at{n} * {width} + h] = w->n{n}[h];",
                "}",
                f"s->at{n} = (s->at{n} + 1) % {steps};",
            ]
        return lines


@dataclass
class _Node:
    """Writes one node's functions."""

    source: Source
    node: Any

    def __post_init__(self) -> None:
        node, source = self.node, self.source
        self.work = NodeWork(source.layout, node)
        self.turn = source.layout.turns[node.name]
        self.number = source.number(node.name)
        self.label = commented(f"{node.name} ({node.kind})")
        self.output = source.signal(node.name)
        told = self.label
        source.work.append(Field(f"n{self.number}", self.output.type, node.width, told))
        words = source.layout.words(node)
        self.words = {name: self._word(word) for name, word in words.items()}

    def _word(self, word: Any) -> Array:
        range_ = self.work.word_range(word)
        name = f"n{self.number}_{word.name}"
        size = self.node.width * (1 if word.value.modes is None else word.value.modes)
        array = Array(f"{'w' if self.turn else 's'}->{name}", range_)
        if size:
            fields = self.source.work if self.turn else self.source.state
            fields.append(Field(name, array.type, size, self.label))
            self._start(word, name, size)
        return array

    def _start(self, word: Any, name: str, size: int) -> None:
        start, owner = Range.of_array(word.start), "w" if self.turn else "state"
        if start.single:
            self.source.start(owner, name, size, literal(start.low, stored_bits(start)))
            return
        shape = (self.node.width, *(() if word.value.modes is None else (word.value.modes,)))
        whole = np.broadcast_to(word.start, shape)
        table = self.source.tables.add(whole, f"{self.label}: {word.name} at the start")
        self.source.start(owner, name, size, f"{table}[i]")

    def step(self) -> str:
        """Write what every step does; give the call."""
        if self.node.is_input:
            return ""
        if self.node in self.source.layout.windows:
            lines = self.source.window(self.node)
            return self.source.add_function(self.label, f"n{self.number}", lines)
        clock = _LATER if self.turn else _CLOCK
        return self._write(self.work.step(), f"n{self.number}", clock)

    def close(self) -> str:
        """Write what a sequence's end does; give the call."""
        clock = {"last": "last", **{name: f"by.{name}" for name in _DIVISOR}}
        return self._write(self.work.close(), f"n{self.number}_end", clock)

    def _write(self, section: Section, name: str, clock: Mapping[str, str]) -> str:
        source = self.source
        neuron = Neuron(
            section,
            value_ranges(section.values, self.work.intervals),
            [source.port(edge, self.turn) for edge in self.node.inputs],
            self.words,
            clock,
            self.output,
            f"w->scratch.{name}",
            self.label,
            source.tables,
            source.expressions,
        )
        lines = neuron.body()
        if neuron.arrays:
            told = neuron.arrays.items()
            source.scratch[name] = [Field(n, type_, size) for n, (type_, size) in told]
        if any("by." in line for line in lines):
            source.expressions.used.add("reciprocal")
            numbers = ", ".join(map(str, self.node.divides))
            steps = "w->pooled" if self.turn else "s->steps"
            lines = [f"const snn_divisor by = snn_reciprocal({steps}, {numbers});", *lines]
        return source.add_function(self.label, name, lines)
