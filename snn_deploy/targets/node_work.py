"""What a target has to write of one node: sections of its program, and what its values can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Program, Value, Word
from snn_deploy.ir.program_bounds import Interval, bound_values
from snn_deploy.targets.layout import Layout
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.schedule import Section

__all__ = ["NodeWork"]


@dataclass(frozen=True)
class NodeWork:
    """One node of a layout: ``step`` is what every step does, ``close`` what a sequence's end does.

    Raises
    ------
    TargetError
        If the node pools what its state does not hold.
    """

    layout: Layout
    node: Any

    @property
    def program(self) -> Program:
        """The node's step."""
        program: Program = self.node.program
        return program

    @cached_property
    def intervals(self) -> Mapping[int, Interval]:
        """By ``id``: what each value of the program can be."""
        names = [edge.source for edge in self.node.inputs]
        ports = [
            self.layout.intervals[name] for name in ([self.node.name] if self.is_input else names)
        ]
        found = dict(bound_values(self.program, ports, self.node.clock_bounds()))
        for word in self.program.words.values():  # one that nothing reads within a step
            found.setdefault(id(word.value), found[id(word.following)])
        return found

    @property
    def is_input(self) -> bool:
        """Whether the outside world feeds it."""
        return bool(self.node.is_input)

    @cached_property
    def known(self) -> Mapping[int, int]:
        """Values that are always one integer."""
        ranges = {key: Range.of(interval) for key, interval in self.intervals.items()}
        return {key: found.low for key, found in ranges.items() if found.single}

    def word_range(self, word: Word) -> Range:
        """Give what a word of state can be."""
        return Range.of(self.intervals[id(word.value)]).hull(Range.of_array(word.start))

    def step(self) -> Section:
        """Give what every step computes, and the words that it stores."""
        words = tuple(word for word in self.program.words.values() if word.value.modes != 0)
        output = None if self.node.once else self.program.output
        return Section(self.program, output, words, self.known)

    def close(self) -> Section:
        """Give what a sequence's end computes; it stores no word."""
        instead: dict[int, Value] = {}
        if self.node.once:  # all that came is gathered already
            instead = {id(word.following): word.value for word in self.program.words.values()}
        section = Section(self.program, self.program.output, (), self.known, instead)
        if self.node.once and any(value.operation == "input" for value in section.values):
            raise TargetError(f"node '{self.node.name}' pools what its state does not hold")
        return section
