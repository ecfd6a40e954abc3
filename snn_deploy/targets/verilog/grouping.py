"""Which nodes share a datapath: those whose sections compute the same of other numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.program import Value
from snn_deploy.targets.node_work import NodeWork
from snn_deploy.targets.ranges import Range, Ranges, value_ranges
from snn_deploy.targets.schedule import Section

__all__ = ["Member", "group", "hull", "numbers_of_inputs"]


@dataclass(frozen=True, eq=False)
class Member:
    """One node's section; ``work`` is the node's."""

    work: NodeWork
    section: Section

    @classmethod
    def of(cls, work: NodeWork, section: Section) -> Member:
        """Make a member; parameters of channels stay parameters, even where all are one number."""
        known = {
            id(v): section.known[id(v)]
            for v in section.values
            if id(v) in section.known and (not v.constant or _of_layer(v))
        }
        return cls(
            work,
            Section(section.program, section.output, section.stored, known, section.instead),
        )

    @property
    def ranges(self) -> Ranges:
        """What the section's values can be."""
        return value_ranges(self.section.values, self.work.intervals)

    @property
    def key(self) -> Any:
        """What members of one group have in common."""
        section = self.section
        numbers = {id(value): n for n, value in enumerate(section.values)}
        rows = []
        for value in section.values:
            inner = () if section.is_leaf(value) else section.arguments(value)
            arguments = tuple(numbers[id(argument)] for argument in inner)
            rows.append((*self._row(value), arguments))
        roots = tuple(numbers[id(root)] for root in section.roots)
        words = tuple((word.name, word.value.modes is not None) for word in section.stored)
        return tuple(rows), roots, words, section.output is not None, numbers_of_inputs(section)

    def _row(self, value: Value) -> tuple[Any, ...]:
        section = self.section
        level = section.places[id(value)].level
        if section.is_known(value):
            return ("known",)
        if value.operation == "parameter":
            return "parameter", level
        if value.operation == "input":
            port, part = value.content
            return "input", self.work.node.inputs[port].steps_back, part is None
        if value.operation == "lookup":
            return "lookup", len(value.arguments[0].content[0])
        if value.operation == "weighted_sum":
            return "weighted_sum", level
        if value.operation == "clock":
            return "clock", value.name, self.work.node.divides
        if value.operation == "state":
            return "state", value.name, level
        return value.operation, level, value.content if value.operation != "per_mode" else None


def _of_layer(value: Value) -> bool:
    return value.operation == "parameter" and value.content[0].ndim == 0


def numbers_of_inputs(section: Section) -> tuple[int, ...]:
    """Number the inputs that are read, each port and part of it once."""
    seen: dict[Any, int] = {}
    return tuple(
        seen.setdefault(value.content, len(seen))
        for value in section.values
        if value.operation == "input"
    )


def group(
    members: Iterable[Member], more: Callable[[Member], Any] = lambda _: None
) -> list[list[Member]]:
    """Put members together that share a datapath, in the order of each group's first.

    ``more`` tells what else they must have in common.
    """
    groups: dict[Any, list[Member]] = {}
    for member in members:
        groups.setdefault((member.key, more(member)), []).append(member)
    return list(groups.values())


def hull(members: Iterable[Member], ranges: Mapping[int, Ranges], place: int) -> Range:
    """Give what the value at a place of all members' sections can be."""
    found = [ranges[id(m)][id(m.section.values[place])] for m in members]
    whole = found[0]
    for more in found[1:]:
        whole = whole.hull(more)
    return whole
